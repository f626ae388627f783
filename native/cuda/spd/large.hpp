// cholesky, spd_inverse and spd_solve for matrices that do not fit into shared memory: blocks of 64 on the diagonal in
// shared memory, a block of threads to a matrix, everything else products of batches (gemm/product.hpp).
//
//   L_pp L_pp^T = A_pp,  D_p = L_pp^{-1},  L_ip = A_ip D_p^T,  A_ij -= L_ip L_jp^T         (Golub and Van Loan, 4.2.6)
//   M = L^{-1}:  M_pp = D_p,  M_p = -D_p (L_p M) left of it;  X = M^T M
//   L Y = B:  Y_p = D_p (B_p - L_p Y);  L^T X = Y:  X_p = D_p^T (Y_p - sum_{i>p} L_ip^T X_i)
//
// Memory a matrix, in elements: 2 n^2 + 64 n, one n^2 more in spd_inverse, 3 n k more in spd_solve.
#pragma once

#include "../op.hpp"
#include "input.cuh"

namespace kronroot::cuda {

template <typename T>
void cholesky_large(Op& op, const SpdRidge& ridge, const BatchView<const T>& a, const BatchView<T>& l,
                    kr_report* reports);
template <typename T>
void spd_inverse_large(Op& op, const SpdRidge& ridge, const BatchView<const T>& a, const BatchView<T>& x,
                       kr_report* reports);
template <typename T>
void spd_solve_large(Op& op, const SpdRidge& ridge, const BatchView<const T>& a, const BatchView<const T>& b,
                     const BatchView<T>& x, kr_report* reports);

}  // namespace kronroot::cuda
