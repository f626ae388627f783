// Scalings after which no singular value exceeds 1, where every Newton-Schulz iteration starts.
#pragma once

#include <cstdint>

#include "../kernels.hpp"

namespace kronroot::cpu {

// X <- X / (safety |X|_F), the norm accumulated in f64. X (m x n, stride n) is not zero and scaled to about 1.
template <typename T>
void divide_by_norm(const Kernels<T>& kernels, double safety, int64_t m, int64_t n, T* x);

// X <- D^{-1/2} X / safety with D_ii = sum_j |X X^T|_ij: the norm is at most 1 by Gershgorin's theorem, and nearer to
// it than by the Frobenius norm where the rows are nearly orthogonal. Zero rows stay zero.
// Source: Prach and Lampert, Almost-orthogonal layers, ECCV 2022.
template <typename T>
void divide_by_row_sums(const Kernels<T>& kernels, double safety, int64_t m, int64_t n, T* x);

extern template void divide_by_norm<float>(const Kernels<float>&, double, int64_t, int64_t, float*);
extern template void divide_by_norm<double>(const Kernels<double>&, double, int64_t, int64_t, double*);
extern template void divide_by_row_sums<float>(const Kernels<float>&, double, int64_t, int64_t, float*);
extern template void divide_by_row_sums<double>(const Kernels<double>&, double, int64_t, int64_t, double*);

}  // namespace kronroot::cpu
