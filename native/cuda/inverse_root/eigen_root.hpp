// inverse_root by eigendecomposition, of any order.
#pragma once

#include "eigen_root_in_warps.hpp"

namespace kronroot::cuda {

// X = V diag(images) V^T computed in W, of all matrices or of those whose stage asks for it. A residual above the
// bound leaves root_is_next where W is not f64.
template <typename T, typename W>
void eigen_roots(Op& op, const RootRequest& request, RootTurn turn, const RootBatch<T>& batch);

}  // namespace kronroot::cuda
