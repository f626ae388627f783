// The matrices of one product of a batch, and what becomes of its sums.
#pragma once

#include <cmath>

#include "product.hpp"

namespace kronroot::cuda {

// Number `index` of batch x parts.
template <typename T>
struct ProductViews {
  MatrixView<const T> a, b;
  MatrixView<T> c;
  bool is_skipped;

  __device__ __forceinline__ ProductViews(const Product<T>& p, int64_t index) {
    const bool is_whole = p.parts.count == 1;  // divisions of 64 bits are slow
    const int64_t item = is_whole ? index : index / p.parts.count, part = is_whole ? 0 : index % p.parts.count;
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
  // Two neighbours are stored at once: their place is aligned to both.
  bool is_in_pairs;

  __device__ __forceinline__ ProductOutput(const Product<T>& p, const MatrixView<T>& view, bool in_pairs = false)
      : c(view),
        alpha(static_cast<T>(p.alpha)),
        beta(static_cast<T>(p.beta)),
        gamma(static_cast<T>(p.gamma)),
        is_symmetric(p.symmetric),
        is_in_pairs(in_pairs) {}
  // Fused, so that both ways of storing round alike.
  __device__ __forceinline__ T value(T sum, T old, bool is_diagonal) const {
    const T x = std::fma(alpha, sum, beta * old);
    return is_diagonal ? x + gamma : x;
  }
  __device__ __forceinline__ void put(T sum, int64_t i, int64_t j) const {
    if (i >= c.rows || j >= c.cols || (is_symmetric && j > i)) return;
    const T x = value(sum, beta != 0 ? c(i, j) : 0, i == j);
    c(i, j) = x;
    if (is_symmetric && i != j) c(j, i) = x;
  }
  // Elements (i, j) and (i, j + 1), j even.
  __device__ __forceinline__ void put_pair(T first, T second, int64_t i, int64_t j) const {
    if (is_symmetric || !is_in_pairs || j + 1 >= c.cols) {
      put(first, i, j);
      put(second, i, j + 1);
    } else if (i < c.rows) {
      const int64_t at = i * c.stride + j;
      Vector<T, 2> pair{};
      if (beta != 0) pair = load_vector<2>(c.data, at);
      pair[0] = value(first, pair[0], i == j);
      pair[1] = value(second, pair[1], i == j + 1);
      store_vector<2>(c.data, at, pair);
    }
  }
};

}  // namespace kronroot::cuda
