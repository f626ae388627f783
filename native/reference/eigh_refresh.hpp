// An eigenbasis brought up to date with a matrix that has changed a little (kr_refresh).
#pragma once

#include <optional>

#include "../include/kronroot/ops.h"
#include "dense.hpp"

namespace kronroot::reference {

struct RefreshedBasis {
  kr_method method;
  int32_t iterations;
  Vector values;  // ascending
  Dense vectors;  // signs not fixed
};

// Of the symmetric matrix `a`, from what the caller has as `basis`; thresholds are those of dtype. Nothing where A has
// to be decomposed. options.refresh is not KR_REFRESH_NONE.
std::optional<RefreshedBasis> refresh_basis(const kr_eigh_options& options, const Dense& a, const Dense& basis,
                                            int32_t dtype);

}  // namespace kronroot::reference
