// L Y = B and L^T X = Y in lanes, in place in x: n rows of `columns` elements, one vector each.
#pragma once

#include "factor.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

template <typename T>
struct LaneColumns {
  T* data;
  int64_t columns;
  T* row(int64_t i) const { return data + i * columns * kWidth<T>; }
};

// Rows [i, i + Rows) and columns [j, j + Columns): y_i <- L_ii^{-1} (b_i - sum_{k<i} L_ik y_k)
template <int Rows, int Columns, typename T>
inline void solve_forward_tile(const LaneFactor<T>& factor, const LaneColumns<T>& x, int64_t i, int64_t j) {
  Vec<T> sums[Rows][Columns] = {};
  const T* left[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) left[r] = row_of(factor.triangle, i + r);
  const T* solved = x.row(0) + j * kWidth<T>;
  for (int64_t k = 0; k < i * kWidth<T>; k += kWidth<T>, solved += x.columns * kWidth<T>) {
    Vec<T> right[Columns];
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c) right[c] = load(solved + c * kWidth<T>);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const Vec<T> element = load(left[r] + k);
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) sums[r][c] = fma(element, right[c], sums[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    T* const row = x.row(i + r) + j * kWidth<T>;
    const Vec<T> reciprocal = load(factor.reciprocals + (i + r) * kWidth<T>);
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c) {
#pragma GCC unroll 8
      for (int k = 0; k < r; ++k) sums[r][c] = fma(load(left[r] + (i + k) * kWidth<T>), sums[k][c], sums[r][c]);
      sums[r][c] = (load(row + c * kWidth<T>) - sums[r][c]) * reciprocal;
      store(row + c * kWidth<T>, sums[r][c]);
    }
  }
}

// The same rows and columns: x_i <- L_ii^{-T} (y_i - sum_{k>=i+Rows} L_ki^T x_k)
template <int Rows, int Columns, typename T>
inline void solve_backward_tile(const LaneFactor<T>& factor, const LaneColumns<T>& x, int64_t i, int64_t j) {
  Vec<T> sums[Rows][Columns] = {};
  const T* solved = x.row(i + Rows) + j * kWidth<T>;
  const T* below = row_of(factor.triangle, i + Rows) + i * kWidth<T>;
  for (int64_t k = i + Rows; k < factor.order; below += ++k * kWidth<T>, solved += x.columns * kWidth<T>) {
    Vec<T> right[Columns];
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c) right[c] = load(solved + c * kWidth<T>);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const Vec<T> element = load(below + r * kWidth<T>);
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) sums[r][c] = fma(element, right[c], sums[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = Rows - 1; r >= 0; --r) {
    T* const row = x.row(i + r) + j * kWidth<T>;
    const Vec<T> reciprocal = load(factor.reciprocals + (i + r) * kWidth<T>);
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c) {
#pragma GCC unroll 8
      for (int k = r + 1; k < Rows; ++k) {
        const Vec<T> element = load(row_of(factor.triangle, i + k) + (i + r) * kWidth<T>);
        sums[r][c] = fma(element, sums[k][c], sums[r][c]);
      }
      sums[r][c] = (load(row + c * kWidth<T>) - sums[r][c]) * reciprocal;
      store(row + c * kWidth<T>, sums[r][c]);
    }
  }
}

// x <- (L L^T)^{-1} x
template <typename T>
void solve_factor_lanes(const LaneFactor<T>& factor, const LaneColumns<T>& x) {
  const int64_t n = factor.order;
  for (int64_t j = 0; j < x.columns; j += kSide) {
    with_constant<kSide>(x.columns - j, [&](auto columns) {
      for (int64_t i = 0; i < n; i += kSide) {
        with_constant<kSide>(n - i, [&](auto rows) { solve_forward_tile<rows, columns>(factor, x, i, j); });
      }
      for (int64_t i = (n - 1) / kSide * kSide; i >= 0; i -= kSide) {
        with_constant<kSide>(n - i, [&](auto rows) { solve_backward_tile<rows, columns>(factor, x, i, j); });
      }
    });
  }
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
