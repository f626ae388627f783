// A tile whose B is the transpose of a square block in memory, one vector to a side: B is transposed into registers and
// stays there, where a packed panel would make its way through memory.
#pragma once

#include "tile.inl"

namespace kronroot::cpu {
namespace {

// Rows of C at a time: their sums and B take three quarters of the registers.
template <typename T>
constexpr int kHeldRows = kWidth<T> / 2;

// `rows` >= kHeldRows rows, those of A without gaps; row j of the block is column j of B. Sums are those of
// compute_tile, in the same order. The last rows may be computed twice, with the same bits as long as D is not C.
template <typename T>
void compute_held_tile(Tile<T>& tile, int64_t rows, const T* block, int64_t stride) {
  constexpr int kSide = kWidth<T>, kRows = kHeldRows<T>;
  Vec<T> b[kSide];
#pragma GCC unroll 16
  for (int i = 0; i < kSide; ++i) b[i] = load(block + i * stride);
  transpose<T>(b);
  const T *const a = tile.a, *const d = tile.d;
  T* const c = tile.c;
  const int64_t a_row_step = tile.a_row_step;
  for (int64_t begin = 0; begin < rows; begin += kRows) {
    const int64_t row = begin + kRows <= rows ? begin : rows - kRows;
    const T* const rows_of_a = a + row * a_row_step;
    Vec<T> sums[kRows][1] = {};
#pragma GCC unroll 16
    for (int k = 0; k < kSide; ++k) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        sums[r][0] = fma(broadcast(rows_of_a[r * a_row_step + k]), b[k], sums[r][0]);
      }
    }
    tile.d = d + row * tile.d_stride;
    tile.c = c + row * tile.c_stride;
    tile.beta == 0 ? store_tile<true, false>(tile, sums) : store_tile<true, true>(tile, sums);
  }
}

}  // namespace
}  // namespace kronroot::cpu
