// Which route an op takes, from the crossovers of the device (crossovers.hpp).
#pragma once

#include <cstdint>

#include "../include/kronroot/ops.h"
#include "crossovers.hpp"
#include "rational.hpp"

namespace kronroot {

// Whether a call of `batch` matrices n x n computes one matrix to a lane. It depends on nothing else, so the matrices
// of a call share their path.
bool plan_lanes(const Crossovers& crossovers, LaneOp op, int32_t dtype, int64_t n, int64_t batch);

// Whether a root can be made of partial fractions at the accuracy of the dtype: p >= 1. In f64 small powers are not
// fitted well enough, and none where long double is f64 (partial_fractions.hpp).
bool is_fit_for_fractions(const Root& root, int32_t dtype);

// CHOLESKY, MINIMAX, PARTIAL_FRACTIONS or EIGH for an n x n matrix of the dtype whose condition after the ridge is at
// most `condition`. Where it is not known yet, pass the least it can be: what is not MINIMAX then is final.
kr_method plan_inverse_root(const Crossovers& crossovers, int64_t n, const Root& root, double condition, int32_t dtype);

// Matrix products of a step of the minimax root: 4 (p = 2), 5 (p = 3, 4), 6 (p = 5, 6, 8), 7 (p = 7, 9, 10, 12, 16),
// ...
int products_of_step(int p);

// Up to this order f32 roots of a single matrix are computed in f64, and no eigenvalue below 0 is left as it is: it
// costs little, and eigh, which must not be more accurate, is sometimes lucky in the few directions there are.
inline constexpr int64_t wide_root_order = 32;

// How many of the `steps` of a minimax root in f32 run in f64.
int minimax_wide_steps(int64_t n, int steps);
// The same with one matrix to a lane.
int minimax_wide_steps_in_lanes(int64_t n, int steps);

}  // namespace kronroot
