// The matrices of one product of a batch, and what becomes of its sums.
#pragma once

#include "product.hpp"

namespace kronroot::cuda {

// Number `index` of batch x parts.
template <typename T>
struct ProductViews {
  MatrixView<const T> a, b;
  MatrixView<T> c;
  bool is_skipped;

  __device__ __forceinline__ ProductViews(const Product<T>& p, int64_t index) {
    const int64_t item = index / p.parts.count, part = index % p.parts.count;
    a = p.a[item], b = p.b[item], c = p.c[item];
    a.data = a.data + part * p.parts.a_stride;
    b.data = b.data + part * p.parts.b_stride;
    c.data = c.data + part * p.parts.c_stride;
    is_skipped = p.skip != nullptr && Global<const int32_t>(p.skip)[item] != 0;
  }
};

// beta C + alpha sum + gamma I into C, mirrored where it is symmetric.
template <typename T>
struct ProductOutput {
  MatrixView<T> c;
  T alpha, beta, gamma;
  bool is_symmetric;

  __device__ __forceinline__ ProductOutput(const Product<T>& p, const MatrixView<T>& view)
      : c(view),
        alpha(static_cast<T>(p.alpha)),
        beta(static_cast<T>(p.beta)),
        gamma(static_cast<T>(p.gamma)),
        is_symmetric(p.symmetric) {}
  __device__ __forceinline__ bool holds(int64_t i, int64_t j) const {
    return i < c.rows && j < c.cols && !(is_symmetric && j > i);
  }
  __device__ __forceinline__ void put(T sum, int64_t i, int64_t j) const {
    if (!holds(i, j)) return;
    T x = alpha * sum;
    if (beta != 0) x += beta * c(i, j);
    if (i == j) x += gamma;
    c(i, j) = x;
    if (is_symmetric && i != j) c(j, i) = x;
  }
};

}  // namespace kronroot::cuda
