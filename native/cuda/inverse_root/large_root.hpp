// inverse_root of matrices that do not fit in shared memory: the iteration by batched products.
#pragma once

#include "small_root.cuh"

namespace kronroot::cuda {

// Answers every matrix, or leaves its stage to the eigendecomposition; n > 0.
template <typename T>
void large_roots(Op& op, const RootRequest& request, const MinimaxTable* table, const RootBatch<T>& batch);

}  // namespace kronroot::cuda
