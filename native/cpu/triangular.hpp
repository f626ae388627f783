// Cholesky factorisation, inversion and solution with triangular matrices: bands of rows are eliminated in registers
// and coupled by products.
//
// The factor is kept as U = L^T: then every elimination step adds multiples of whole rows, contiguous in memory, and
// every product reads its operands without a transposed copy. In all functions only the upper triangle of u counts.
#pragma once

#include <cstdint>

#include "kernels.hpp"

namespace kronroot::cpu {

// A = U^T U in place: u holds the upper triangle of A. Returns -1, or the index of the first pivot that is not positive
// (NaN included); u is then half done. Cost: n^3 / 3.
template <typename T>
int64_t factorize(const Kernels<T>& kernels, int64_t n, T* u, int64_t stride);

enum class Diagonal { given, unit };

// U^T Y = B, then (backward) U X = Y, each in place in b (n x columns).
template <typename T>
void solve_forward(const Kernels<T>& kernels, int64_t n, const T* u, int64_t stride, int64_t columns, T* b,
                   int64_t b_stride, Diagonal diagonal = Diagonal::given);
template <typename T>
void solve_backward(const Kernels<T>& kernels, int64_t n, const T* u, int64_t stride, int64_t columns, T* b,
                    int64_t b_stride, Diagonal diagonal = Diagonal::given);

// inverse = U^{-T}, lower triangular. Above the diagonal it holds what multiply_lower_by_transpose needs. Cost: n^3
// / 3.
template <typename T>
void invert_transposed(const Kernels<T>& kernels, int64_t n, const T* u, int64_t stride, T* inverse,
                       int64_t inverse_stride);

// x = M^T M for the M of invert_transposed; exactly symmetric. Cost: n^3 / 3.
template <typename T>
void multiply_lower_by_transpose(const Kernels<T>& kernels, int64_t n, const T* lower, int64_t stride, T* x,
                                 int64_t x_stride);

}  // namespace kronroot::cpu
