// Rows made orthogonal.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// W = J B with m rows of n >= m numbers, J orthogonal, the rows of W nearly orthogonal: both are turned until
//   |w_p . w_q| <= ulp sqrt(n) s_1 max(|w_p|, |w_q|),   s_1 the longest row.
// `status` becomes KR_STATUS_NOT_CONVERGED where that took more than 40 sweeps; matrices of which it is not
// KR_STATUS_OK are left alone. `sweeps` of each.
template <typename T>
void orthogonalise_rows(Op& op, const BatchView<T>& w, const BatchView<T>& j, int32_t* status, int32_t* sweeps);

}  // namespace kronroot::cuda
