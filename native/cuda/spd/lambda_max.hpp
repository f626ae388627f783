// lambda_max of the matrices of a call, for a ridge that is relative to it.
#pragma once

#include "../op.hpp"
#include "input.cuh"

namespace kronroot::cuda {

// The ridge of a call with upper bounds of lambda_max in scratch memory where it needs them: the largest eigenvalue of
// the lower triangle, mirrored, raised by its rounding. For matrices that are not finite it means nothing.
template <typename T>
SpdRidge find_ridge(Op& op, const kr_cholesky_options& options, const BatchView<const T>& a);

}  // namespace kronroot::cuda
