// Symmetric matrices in lanes as the lower triangle of square blocks: half the memory, so that small ones stay in the
// L1 cache, and each product of blocks has its elements at constant places.
#pragma once

#include "../../isa/lanes.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// side^2 sums and side + 1 operands are held in registers.
constexpr int kBlockSide = kVectorBytes == 64 ? 4 : 3;

// Block (I, J), J <= I, holds its elements row by row, one vector each; those on the diagonal hold both triangles. Of
// the blocks in the last row only what belongs to the matrix is ever touched.
struct LaneBlocks {
  int64_t n;
  int64_t count() const { return (n + kBlockSide - 1) / kBlockSide; }
  // Rows of block row I.
  int64_t rows(int64_t block_row) const {
    const int64_t left = n - block_row * kBlockSide;
    return left < kBlockSide ? left : kBlockSide;
  }
};

template <typename T>
constexpr int64_t kBlockElements = kBlockSide* kBlockSide* kWidth<T>;

template <typename T>
inline T* block_at(T* matrix, int64_t block_row, int64_t block_column) {
  return matrix + (block_row * (block_row + 1) / 2 + block_column) * kBlockElements<T>;
}

template <typename T>
inline int64_t elements_of(const LaneBlocks& shape) {
  return shape.count() * (shape.count() + 1) / 2 * kBlockElements<T>;
}

// Calls body(i, j, place) for every element that is stored.
template <typename T, typename F>
inline void for_each_place(const LaneBlocks& shape, const F& body) {
  int64_t block = 0;
  for (int64_t i = 0; i < shape.n; i += kBlockSide) {
    const int64_t rows = shape.rows(i / kBlockSide);
    for (int64_t j = 0; j <= i; j += kBlockSide, block += kBlockElements<T>) {
      const int64_t columns = j == i ? rows : kBlockSide;
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < columns; ++c) body(i + r, j + c, block + (r * kBlockSide + c) * kWidth<T>);
      }
    }
  }
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
