// Operands brought into the order in which the micro-kernel reads them.
#pragma once

#include "../isa/vector.inl"
#include "tile.inl"

namespace kronroot::cpu {
namespace {

// Copies rows x cols elements, row by row.
template <typename T>
void copy_block(int64_t rows, int64_t cols, const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  constexpr int kStep = kWidth<T>;
  for (int64_t i = 0; i < rows; ++i, from += from_stride, to += to_stride) {
    int64_t j = 0;
    for (; j + kStep <= cols; j += kStep) store(to + j, load(from + j));
    for (; j < cols; ++j) to[j] = from[j];
  }
}

// One panel of B, `depth` rows of `columns` <= kTileColumns elements, the rest of every row zero.
template <typename T>
void pack_panel(int64_t depth, int64_t columns, const T* b, int64_t stride, T* panel) {
  constexpr int kStep = kWidth<T>;
  if (columns == kTileColumns<T>) {
    for (int64_t k = 0; k < depth; ++k, b += stride, panel += kTileColumns<T>) {
      const Vec<T> first = load(b), second = load(b + kStep);
      store(panel, first);
      store(panel + kStep, second);
    }
    return;
  }
  const int first_count = static_cast<int>(columns < kStep ? columns : kStep);
  const int second_count = static_cast<int>(columns) - first_count;
  for (int64_t k = 0; k < depth; ++k, b += stride, panel += kTileColumns<T>) {
    store(panel, load_first(b, first_count));
    store(panel + kStep, second_count > 0 ? load_first(b + kStep, second_count) : Vec<T>{});
  }
}

// The same panel, of which b holds the transpose: `columns` rows of `depth` elements. A vector without columns is left
// as it was.
template <typename T>
void pack_transposed_panel(int64_t depth, int64_t columns, const T* b, int64_t stride, T* panel) {
  constexpr int kStep = kWidth<T>;
  for (int64_t j = 0; j < columns; j += kStep) {
    for (int64_t k = 0; k < depth; k += kStep) {
      const T* from = b + j * stride + k;
      T* to = panel + k * kTileColumns<T> + j;
      Vec<T> block[kStep];
      if (depth - k >= kStep && columns - j >= kStep) {
#pragma GCC unroll 16
        for (int i = 0; i < kStep; ++i) block[i] = load(from + i * stride);
        transpose<T>(block);
#pragma GCC unroll 16
        for (int i = 0; i < kStep; ++i) store(to + i * kTileColumns<T>, block[i]);
        continue;
      }
      const int rows = static_cast<int>(columns - j < kStep ? columns - j : kStep);
      const int count = static_cast<int>(depth - k < kStep ? depth - k : kStep);
#pragma GCC unroll 16
      for (int i = 0; i < kStep; ++i) block[i] = i < rows ? load_first(from + i * stride, count) : Vec<T>{};
      transpose<T>(block);
#pragma GCC unroll 16
      for (int i = 0; i < kStep; ++i) {
        if (i < count) store(to + i * kTileColumns<T>, block[i]);
      }
    }
  }
}

}  // namespace
}  // namespace kronroot::cpu
