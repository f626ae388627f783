// Transposition of a whole matrix, by square blocks of one vector to a side.
#pragma once

#include "../isa/vector.inl"

namespace kronroot::cpu {
namespace {

// to[j][i] = from[i][j] for rows, cols <= width.
template <typename T>
inline void transpose_block(int rows, int cols, const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  constexpr int kStep = kWidth<T>;
  Vec<T> block[kStep];
  if (rows == kStep && cols == kStep) {
#pragma GCC unroll 16
    for (int i = 0; i < kStep; ++i) block[i] = load(from + i * from_stride);
    transpose<T>(block);
#pragma GCC unroll 16
    for (int i = 0; i < kStep; ++i) store(to + i * to_stride, block[i]);
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < kStep; ++i) block[i] = i < rows ? load_first(from + i * from_stride, cols) : Vec<T>{};
    transpose<T>(block);
#pragma GCC unroll 16
    for (int i = 0; i < kStep; ++i) {
      if (i < cols) store_first(to + i * to_stride, block[i], rows);
    }
  }
}

template <typename T>
void transpose(int64_t rows, int64_t cols, const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  constexpr int kStep = kWidth<T>;
  for (int64_t j = 0; j < cols; j += kStep) {
    const int block_cols = static_cast<int>(cols - j < kStep ? cols - j : kStep);
    for (int64_t i = 0; i < rows; i += kStep) {
      const int block_rows = static_cast<int>(rows - i < kStep ? rows - i : kStep);
      transpose_block(block_rows, block_cols, from + i * from_stride + j, from_stride, to + j * to_stride + i,
                      to_stride);
    }
  }
}

}  // namespace
}  // namespace kronroot::cpu
