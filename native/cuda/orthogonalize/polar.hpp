// The polar factor U V^T of A = U diag(sigma) V^T.
#pragma once

#include "../op.hpp"
#include "problem.cuh"

namespace kronroot::cuda {

// Answers every matrix; m, n > 0. Singular values <= n ulp sigma_max contribute nothing.
template <typename T>
void polar(Op& op, const OrthogonalizeBatch<T>& batch);

}  // namespace kronroot::cuda
