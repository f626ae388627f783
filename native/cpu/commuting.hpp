// Products of symmetric matrices that commute: polynomials and roots of one matrix. The product is symmetric too, so
// half of it is computed and mirrored, which also keeps rounding from breaking the symmetry.
#pragma once

#include <cstdint>

#include "product.hpp"

namespace kronroot::cpu {

// C = alpha A B + beta D + gamma I, all n x n with stride n; C is neither A nor B, but may be D.
template <typename T>
void multiply_commuting(const Kernels<T>& kernels, int64_t n, T alpha, const T* a, const T* b, T beta, const T* d,
                        T gamma, T* c) {
  multiply<T>(kernels, {.m = n,
                        .n = n,
                        .k = n,
                        .alpha = alpha,
                        .a = a,
                        .a_stride = n,
                        .b = b,
                        .b_stride = n,
                        .beta = beta,
                        .d = d == c ? nullptr : d,
                        .d_stride = n,
                        .gamma = gamma,
                        .c = c,
                        .c_stride = n,
                        .triangle = Triangle::mirrored});
}

// C = alpha A B + beta C
template <typename T>
void multiply_commuting(const Kernels<T>& kernels, int64_t n, T alpha, const T* a, const T* b, T beta, T* c) {
  multiply_commuting<T>(kernels, n, alpha, a, b, beta, c, 0, c);
}

// C = c0 I + c1 M + c2 M^2; C is not M.
template <typename T>
void quadratic(const Kernels<T>& kernels, int64_t n, T c0, T c1, T c2, const T* m, T* c) {
  multiply_commuting<T>(kernels, n, c2, m, m, c1, m, c0, c);
}

// A + shift I
template <typename T>
void add_to_diagonal(int64_t n, T shift, T* a) {
  for (int64_t i = 0; i < n; ++i) a[i * n + i] += shift;
}

}  // namespace kronroot::cpu
