// A^{-1} = M^T M, M = L^{-1}, in lanes and in place: tiles are computed in an order in which nothing that is
// overwritten is read again.
#pragma once

#include "factor.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// sums += (columns i .. i + Rows)^T (columns j .. j + Columns) of row k on, `depth` rows, of a lower triangular matrix.
template <bool Diagonal, typename T, int Rows, int Columns>
inline void add_columns(const T* triangle, int64_t k, int64_t depth, int64_t i, int64_t j,
                        Vec<T> (&sums)[Rows][Columns]) {
  const T* row = row_of(triangle, k);
  for (const int64_t end = k + depth; k < end;) {
    const int64_t chain_end = std::min(end, k + cpu::spd::kLongestChain);
    Vec<T> chain[Rows][Columns] = {};
    for (; k < chain_end; row += ++k * kWidth<T>) {
      Vec<T> right[Columns];
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) right[c] = load(row + (j + c) * kWidth<T>);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const Vec<T> left = load(row + (i + r) * kWidth<T>);
#pragma GCC unroll 8
        for (int c = 0; c < (Diagonal ? r + 1 : Columns); ++c) chain[r][c] = fma(left, right[c], chain[r][c]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < (Diagonal ? r + 1 : Columns); ++c) sums[r][c] += chain[r][c];
    }
  }
}

// M_ij = -L_ii^{-1} sum_{j<=k<i} L_ik M_kj, of Rows x kSide elements. Columns of L up to j hold M already.
template <int Rows, typename T>
inline void invert_lower_tile(const LaneFactor<T>& factor, int64_t i, int64_t j) {
  T* const triangle = factor.triangle;
  Vec<T> sums[Rows][kSide] = {};
  const T* left[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) left[r] = row_of(triangle, i + r);
    // The rows of the tile M_jj end at the diagonal.
#pragma GCC unroll 8
  for (int k = 0; k < kSide; ++k) {
    const T* row = row_of(triangle, j + k) + j * kWidth<T>;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const Vec<T> element = load(left[r] + (j + k) * kWidth<T>);
#pragma GCC unroll 8
      for (int c = 0; c <= k; ++c) sums[r][c] = fma(element, load(row + c * kWidth<T>), sums[r][c]);
    }
  }
  const T* row = row_of(triangle, j + kSide) + j * kWidth<T>;
  for (int64_t k = j + kSide; k < i;) {
    const int64_t chain_end = std::min(i, k + cpu::spd::kLongestChain);
    Vec<T> chain[Rows][kSide] = {};
    for (; k < chain_end; row += ++k * kWidth<T>) {
      Vec<T> right[kSide];
#pragma GCC unroll 8
      for (int c = 0; c < kSide; ++c) right[c] = load(row + c * kWidth<T>);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const Vec<T> element = load(left[r] + k * kWidth<T>);
#pragma GCC unroll 8
        for (int c = 0; c < kSide; ++c) chain[r][c] = fma(element, right[c], chain[r][c]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < kSide; ++c) sums[r][c] += chain[r][c];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    const Vec<T> negative = -load(factor.reciprocals + (i + r) * kWidth<T>);
#pragma GCC unroll 8
    for (int c = 0; c < kSide; ++c) {
#pragma GCC unroll 8
      for (int k = 0; k < r; ++k) sums[r][c] = fma(load(left[r] + (i + k) * kWidth<T>), sums[k][c], sums[r][c]);
      sums[r][c] *= negative;
      store(row_of(triangle, i + r) + (j + c) * kWidth<T>, sums[r][c]);
    }
  }
}

// M_ii = L_ii^{-1}
template <int Rows, typename T>
inline void invert_diagonal_tile(const LaneFactor<T>& factor, int64_t i) {
  Vec<T> inverse[Rows][Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    T* row = row_of(factor.triangle, i + r) + i * kWidth<T>;
    inverse[r][r] = load(factor.reciprocals + (i + r) * kWidth<T>);
#pragma GCC unroll 8
    for (int c = 0; c < r; ++c) {
      Vec<T> sum{};
#pragma GCC unroll 8
      for (int k = c; k < r; ++k) sum = fma(load(row + k * kWidth<T>), inverse[k][c], sum);
      inverse[r][c] = -sum * inverse[r][r];
    }
#pragma GCC unroll 8
    for (int c = 0; c <= r; ++c) store(row + c * kWidth<T>, inverse[r][c]);
  }
}

// factor.triangle <- M = L^{-1}
template <typename T>
void invert_factor_lanes(const LaneFactor<T>& factor) {
  for (int64_t i = 0; i < factor.order; i += kSide) {
    with_constant<kSide>(factor.order - i, [&](auto rows) {
      for (int64_t j = 0; j < i; j += kSide) invert_lower_tile<rows>(factor, i, j);
      invert_diagonal_tile<rows>(factor, i);
    });
  }
}

// Rows i .. i + Rows of X = M^T M: X_ij = sum_{k>=i} M_ki^T M_kj. The tile on the diagonal comes last: all others of
// the row need M_ii.
template <int Rows, typename T>
inline void multiply_row_of_tiles(T* triangle, int64_t n, int64_t i) {
  for (int64_t j = 0; j < i; j += kSide) {
    Vec<T> sums[Rows][kSide] = {};
#pragma GCC unroll 8
    for (int k = 0; k < Rows; ++k) {
      const T* row = row_of(triangle, i + k);
#pragma GCC unroll 8
      for (int r = 0; r <= k; ++r) {
        const Vec<T> left = load(row + (i + r) * kWidth<T>);
#pragma GCC unroll 8
        for (int c = 0; c < kSide; ++c) sums[r][c] = fma(left, load(row + (j + c) * kWidth<T>), sums[r][c]);
      }
    }
    if (i + Rows < n) add_columns<false>(triangle, i + Rows, n - i - Rows, i, j, sums);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < kSide; ++c) store(row_of(triangle, i + r) + (j + c) * kWidth<T>, sums[r][c]);
    }
  }
  Vec<T> sums[Rows][Rows] = {};
#pragma GCC unroll 8
  for (int k = 0; k < Rows; ++k) {
    const T* row = row_of(triangle, i + k) + i * kWidth<T>;
#pragma GCC unroll 8
    for (int r = 0; r <= k; ++r) {
      const Vec<T> left = load(row + r * kWidth<T>);
#pragma GCC unroll 8
      for (int c = 0; c <= r; ++c) sums[r][c] = fma(left, load(row + c * kWidth<T>), sums[r][c]);
    }
  }
  if (i + Rows < n) add_columns<true>(triangle, i + Rows, n - i - Rows, i, i, sums);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c <= r; ++c) store(row_of(triangle, i + r) + (i + c) * kWidth<T>, sums[r][c]);
  }
}

// triangle <- M^T M, the lower triangle of it, for the M in it.
template <typename T>
void multiply_by_transpose_lanes(T* triangle, int64_t n) {
  for (int64_t i = 0; i < n; i += kSide) {
    with_constant<kSide>(n - i, [&](auto rows) { multiply_row_of_tiles<rows>(triangle, n, i); });
  }
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
