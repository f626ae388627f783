// QR factors of matrices that are stored by columns.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// X^T = Q R for every x, m rows of n >= m numbers of about 1 or less: the columns of Q, orthonormal whatever the rank
// of X, are left in the rows of q, the diagonal of R, which is >= 0, in `diagonal` (m numbers a matrix). x is
// destroyed. Nothing is done where skip is not 0.
template <typename T>
void orthonormalise_rows(Op& op, const BatchView<T>& x, const BatchView<T>& q, T* diagonal, const int32_t* skip);

}  // namespace kronroot::cuda
