// Which method inverse_root takes under KR_METHOD_AUTO.
#pragma once

#include <cstdint>

#include "../include/kronroot/ops.h"
#include "rational.hpp"

namespace kronroot {

// CHOLESKY, MINIMAX or EIGH for an n x n matrix of the dtype whose condition after the ridge is at most `condition`.
// Where it is not known yet, pass the least it can be: EIGH then is final.
kr_method plan_inverse_root(int64_t n, const Root& root, double condition, int32_t dtype);

// How many of the `steps` of a minimax root in f32 run in f64.
int minimax_wide_steps(int64_t n, int steps);

}  // namespace kronroot
