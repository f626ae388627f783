// The eigendecomposition rungs of inverse_root.
#pragma once

#include "small_root.cuh"

namespace kronroot::cuda {

// Answers the matrices whose stage asks for it, in f64, and settles all: X = V diag(images) V^T.
template <typename T>
void eigen_roots(Op& op, const RootRequest& request, const RootBatch<T>& batch);

}  // namespace kronroot::cuda
