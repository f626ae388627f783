// Products of commuting symmetric matrices in blocks: the product is symmetric, so its lower triangle is computed.
#pragma once

#include "../../spd/lanes/triangle.inl"
#include "blocks.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// C = alpha A B + beta D + gamma I, lane by lane, for symmetric A and B that commute. C is none of A, B and D; without
// D, C = A B.
template <typename T>
struct CommutingProduct {
  LaneBlocks shape;
  const T* a;
  const T* b;
  T* c;
  const T* d = nullptr;
  Vec<T> alpha{}, beta{}, gamma{};
};

// How a block is read: as it is stored, or transposed, for the half of the matrix that is not stored.
enum class Read { stored, transposed };

template <Read Kind, typename T>
inline Vec<T> load_from(const T* block, int row, int column) {
  return load(block + (Kind == Read::stored ? row * kBlockSide + column : column * kBlockSide + row) * kWidth<T>);
}

// sums += a b^T for one column of each; on the diagonal only the lower triangle.
template <Read Left, Read Right, bool Diagonal, typename T, int Rows, int Columns>
inline void add_column(const T* a, const T* b, int k, Vec<T> (&sums)[Rows][Columns]) {
  Vec<T> right[Columns];
#pragma GCC unroll 4
  for (int c = 0; c < Columns; ++c) right[c] = load_from<Right>(b, c, k);
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
    const Vec<T> left = load_from<Left>(a, r, k);
#pragma GCC unroll 4
    for (int c = 0; c < (Diagonal ? r + 1 : Columns); ++c) sums[r][c] = fma(left, right[c], sums[r][c]);
  }
}

template <Read Left, Read Right, bool Diagonal, typename T, int Rows, int Columns>
inline void add_block(const T* a, const T* b, Vec<T> (&sums)[Rows][Columns]) {
#pragma GCC unroll 4
  for (int k = 0; k < kBlockSide; ++k) add_column<Left, Right, Diagonal>(a, b, k, sums);
}

// The same with the last block column, whose depth is smaller.
template <Read Left, Read Right, bool Diagonal, typename T, int Rows, int Columns>
inline void add_last_block(const T* a, const T* b, int depth, Vec<T> (&sums)[Rows][Columns]) {
#pragma GCC unroll 1
  for (int k = 0; k < depth; ++k) add_column<Left, Right, Diagonal>(a, b, k, sums);
}

// Block (I, J) of C; Columns = Rows on the diagonal, else kBlockSide.
template <bool Diagonal, int Rows, int Columns, typename T>
void multiply_block(const CommutingProduct<T>& product, int64_t block_row, int64_t block_column) {
  constexpr Read kStored = Read::stored, kTransposed = Read::transposed;
  const int64_t whole = product.shape.n / kBlockSide;
  const int depth = static_cast<int>(product.shape.n - whole * kBlockSide);
  const auto clipped = [&](int64_t end) { return end < whole ? end : whole; };
  Vec<T> sums[Rows][Columns] = {};
  int64_t k = 0;
  const T* a = block_at(product.a, block_row, 0);
  const T* b = block_at(product.b, block_column, 0);
  for (const int64_t end = clipped(block_column + 1); k < end; ++k) {
    add_block<kStored, kStored, Diagonal>(a, b, sums);
    a += kBlockElements<T>;
    b += kBlockElements<T>;
  }
  for (const int64_t end = clipped(block_row + 1); k < end; ++k) {
    add_block<kStored, kTransposed, Diagonal>(a, block_at(product.b, k, block_column), sums);
    a += kBlockElements<T>;
  }
  for (; k < whole; ++k) {
    add_block<kTransposed, kTransposed, Diagonal>(block_at(product.a, k, block_row),
                                                  block_at(product.b, k, block_column), sums);
  }
  if (depth > 0) {
    if (k == block_column) {
      add_last_block<kStored, kStored, Diagonal>(a, b, depth, sums);
    } else if (k == block_row) {
      add_last_block<kStored, kTransposed, Diagonal>(a, block_at(product.b, k, block_column), depth, sums);
    } else {
      add_last_block<kTransposed, kTransposed, Diagonal>(block_at(product.a, k, block_row),
                                                         block_at(product.b, k, block_column), depth, sums);
    }
  }
  T* const c = block_at(product.c, block_row, block_column);
  if (product.d != nullptr) {
    const T* const d = block_at(product.d, block_row, block_column);
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int s = 0; s < (Diagonal ? r + 1 : Columns); ++s) {
        sums[r][s] = fma(product.alpha, sums[r][s], product.beta * load_from<kStored>(d, r, s));
      }
      if (Diagonal) sums[r][r] += product.gamma;
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int s = 0; s < Columns; ++s) {
      store(c + (r * kBlockSide + s) * kWidth<T>, Diagonal && s > r ? sums[s][r] : sums[r][s]);
    }
  }
}

template <typename T>
void multiply_commuting_lanes(const CommutingProduct<T>& product) {
  for (int64_t i = 0; i < product.shape.count(); ++i) {
    spd::with_constant<kBlockSide>(product.shape.rows(i), [&](auto rows) {
      for (int64_t j = 0; j < i; ++j) multiply_block<false, rows, kBlockSide>(product, i, j);
      multiply_block<true, rows, rows>(product, i, i);
    });
  }
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
