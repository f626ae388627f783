// A = L L^T in lanes, tile by tile, left-looking: every tile of L is computed in one go in registers,
//   L_ij L_jj^T = A_ij - sum_{k<j} L_ik L_jk^T.
#pragma once

#include <algorithm>

#include "../chain.hpp"
#include "triangle.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// L, and what is found on the way. The reciprocals of the diagonal are kept: every later division is a product.
template <typename T>
struct LaneFactor {
  int64_t order;
  T* triangle;      // L
  T* reciprocals;   // 1 / l_ii, one vector each
  Mask<T> failed;   // lanes with a pivot that is not positive; their L is finite garbage
  IntVec<T> pivot;  // index of the first such pivot, or -1
};

// tile -= (rows i .. i + Rows of L) (rows j .. j + Columns of L)^T, columns 0 .. depth of L; on the diagonal only the
// lower triangle of the tile.
template <bool Diagonal, typename T, int Rows, int Columns>
inline void subtract_rows(const T* triangle, int64_t i, int64_t j, int64_t depth, Vec<T> (&tile)[Rows][Columns]) {
  const T* left[Rows];
  const T* right[Columns];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) left[r] = row_of(triangle, i + r);
#pragma GCC unroll 8
  for (int c = 0; c < Columns; ++c) right[c] = row_of(triangle, j + c);
  for (int64_t chain = 0; chain < depth; chain += cpu::spd::kLongestChain) {
    const int64_t end = std::min(depth, chain + cpu::spd::kLongestChain) * kWidth<T>;
    Vec<T> sums[Rows][Columns] = {};
    for (int64_t k = chain * kWidth<T>; k < end; k += kWidth<T>) {
      Vec<T> column[Columns];
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) column[c] = load(right[c] + k);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const Vec<T> element = load(left[r] + k);
#pragma GCC unroll 8
        for (int c = 0; c < (Diagonal ? r + 1 : Columns); ++c) sums[r][c] = fma(element, column[c], sums[r][c]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < (Diagonal ? r + 1 : Columns); ++c) tile[r][c] -= sums[r][c];
    }
  }
}

// The tile on the diagonal, rows i .. i + Rows.
template <int Rows, typename T>
inline void factorize_diagonal_tile(const T* a, int64_t i, LaneFactor<T>& factor) {
  Vec<T> tile[Rows][Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c <= r; ++c) tile[r][c] = load(row_of(a, i + r) + (i + c) * kWidth<T>);
  }
  subtract_rows<true>(factor.triangle, i, i, i, tile);
#pragma GCC unroll 8
  for (int c = 0; c < Rows; ++c) {
    const Mask<T> bad = ~(tile[c][c] > Vec<T>{});
    factor.pivot = bad & ~factor.failed ? IntVec<T>{} + static_cast<int>(i + c) : factor.pivot;
    factor.failed |= bad;
    const Vec<T> root = square_root(select<T>(bad, broadcast(T{1}), tile[c][c]));
    const Vec<T> reciprocal = T{1} / root;
    store(factor.reciprocals + (i + c) * kWidth<T>, reciprocal);
    tile[c][c] = root;
#pragma GCC unroll 8
    for (int r = c + 1; r < Rows; ++r) tile[r][c] *= reciprocal;
#pragma GCC unroll 8
    for (int r = c + 1; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int k = c + 1; k <= r; ++k) tile[r][k] = fma(-tile[r][c], tile[k][c], tile[r][k]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c <= r; ++c) store(row_of(factor.triangle, i + r) + (i + c) * kWidth<T>, tile[r][c]);
  }
}

// A tile below the diagonal, rows i .. i + Rows and columns j .. j + kSide.
template <int Rows, typename T>
inline void factorize_lower_tile(const T* a, int64_t i, int64_t j, const LaneFactor<T>& factor) {
  Vec<T> tile[Rows][kSide];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < kSide; ++c) tile[r][c] = load(row_of(a, i + r) + (j + c) * kWidth<T>);
  }
  subtract_rows<false>(factor.triangle, i, j, j, tile);
#pragma GCC unroll 8
  for (int c = 0; c < kSide; ++c) {
    const T* row = row_of(factor.triangle, j + c) + j * kWidth<T>;
    const Vec<T> reciprocal = load(factor.reciprocals + (j + c) * kWidth<T>);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int k = 0; k < c; ++k) tile[r][c] = fma(-tile[r][k], load(row + k * kWidth<T>), tile[r][c]);
      tile[r][c] *= reciprocal;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < kSide; ++c) store(row_of(factor.triangle, i + r) + (j + c) * kWidth<T>, tile[r][c]);
  }
}

// a is the lower triangle of A and may be factor.triangle itself. Of the factor, order and memory are given.
template <typename T>
void factorize_lanes(const T* a, LaneFactor<T>& factor) {
  const int64_t n = factor.order;
  factor.failed = Mask<T>{};
  factor.pivot = IntVec<T>{} - 1;
  for (int64_t j = 0; j < n; j += kSide) {
    with_constant<kSide>(n - j, [&](auto rows) { factorize_diagonal_tile<rows>(a, j, factor); });
    for (int64_t i = j + kSide; i < n; i += kSide) {
      with_constant<kSide>(n - i, [&](auto rows) { factorize_lower_tile<rows>(a, i, j, factor); });
    }
  }
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
