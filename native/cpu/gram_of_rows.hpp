// G = X X^T, one triangle computed and mirrored.
#pragma once

#include <cstdint>

#include "product.hpp"

namespace kronroot::cpu {

// X m x n with stride n, G m x m with stride m.
template <typename T>
void gram_of_rows(const Kernels<T>& kernels, int64_t m, int64_t n, const T* x, T* g) {
  multiply<T>(kernels, {.m = m,
                        .n = m,
                        .k = n,
                        .a = x,
                        .a_stride = n,
                        .b = x,
                        .b_stride = n,
                        .transpose_b = true,
                        .c = g,
                        .c_stride = m,
                        .triangle = Triangle::mirrored});
}

}  // namespace kronroot::cpu
