// The same product for many matrices: what depends on its shape alone is decided once.
#pragma once

#include "gemm.inl"
#include "prefetch.inl"

namespace kronroot::cpu {
namespace {

template <typename T>
void gemm_each(const Product<T>& first, const ProductSteps& steps, int64_t count, T* workspace) {
  if (is_small(first)) return multiply_small(first, steps, count);
  Product<T> p = first;
  for (int64_t i = 0; i < count; ++i, p.a += steps.a, p.b += steps.b, p.c += steps.c) {
    if (steps.prefetches && is_gram(p)) {
      prefetch<false>(p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p.a, p.a_stride);
      prefetch<true>(p.m, p.n, p.c, p.c_stride);
    }
    gemm(p, workspace);
  }
}

}  // namespace
}  // namespace kronroot::cpu
