// Products of symmetric matrices that commute: polynomials and roots of one matrix. The product is symmetric too, so
// half of it is computed and mirrored, which also keeps rounding from breaking the symmetry.
#pragma once

#include <cstdint>

#include "product.hpp"

namespace kronroot::cpu {

// C = alpha A B + beta C, all n x n with stride n; C is neither A nor B.
template <typename T>
void multiply_commuting(const Kernels<T>& kernels, int64_t n, T alpha, const T* a, const T* b, T beta, T* c) {
  multiply<T>(kernels, {.m = n,
                        .n = n,
                        .k = n,
                        .alpha = alpha,
                        .a = a,
                        .a_stride = n,
                        .b = b,
                        .b_stride = n,
                        .beta = beta,
                        .c = c,
                        .c_stride = n,
                        .triangle = Triangle::mirrored});
}

// A + shift I
template <typename T>
void add_to_diagonal(int64_t n, T shift, T* a) {
  for (int64_t i = 0; i < n; ++i) a[i * n + i] += shift;
}

}  // namespace kronroot::cpu
