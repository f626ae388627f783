// A + epsilon I = L L^T, shared by cholesky, spd_inverse and spd_solve.
#pragma once

#include "../include/kronroot/ops.h"
#include "dense.hpp"

namespace kronroot::reference {

struct Factorization {
  kr_status status = KR_STATUS_OK;
  int32_t failing_pivot = -1;
  Dense ridged;      // A + epsilon I, both triangles, from the lower triangle of A
  Dense lower;       // L, zeros above the diagonal
  double condition;  // (max l_ii / min l_ii)^2
};

// The lower triangle of `a` is read; the upper one may hold anything. Thresholds are those of dtype.
Factorization factorize(const Dense& a, const kr_cholesky_options& options, int32_t dtype);

Vector solve_lower(const Dense& l, Vector b);             // L y = b
Vector solve_lower_transposed(const Dense& l, Vector b);  // L^T x = b

}  // namespace kronroot::reference
