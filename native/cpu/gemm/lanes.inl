// The matrix product in every lane, in tiles of C that are held in registers. An element is the chain of fma of a
// product alone (tile.inl) as long as that is not cut into K blocks: the same bits on either path.
#pragma once

#include "../kernels.hpp"
#include "../lanes/dense.inl"
#include "../lanes/matrix.inl"
#include "../spd/lanes/triangle.inl"
#include "lanes.hpp"

namespace kronroot::cpu {
namespace {
namespace product {

using spd::kSide;
using spd::with_constant;

template <typename T>
int64_t product_lanes_workspace(int64_t m, int64_t n, int64_t k) {
  return (m * k + k * n + m * n) * kWidth<T>;
}

// alpha sums + beta C for rows i .. i + Rows - 1 and columns j .. j + Columns - 1 of C, as store_tile has it. Mirrored:
// the elements on and below the diagonal, and their images above it.
template <int Rows, int Columns, bool Mirrored, typename T>
inline void multiply_and_store(const ProductLanes<T>& op, const LaneMatrix<T>& a, const LaneMatrix<T>& b,
                               const LaneMatrix<T>& c, int64_t i, int64_t j) {
  Vec<T> sums[Rows][Columns] = {};
  multiply_tile<Rows, Columns>(a, b, i, j, sums);
  const Vec<T> alpha = broadcast(op.alpha), beta = broadcast(op.beta);
#pragma GCC unroll 4
  for (int x = 0; x < Rows; ++x) {
#pragma GCC unroll 4
    for (int y = 0; y < Columns; ++y) {
      if (Mirrored && j + y > i + x) continue;
      Vec<T> element = alpha * sums[x][y];
      if (op.beta != 0) element = fma(alpha, sums[x][y], beta * load(c.at(i + x, j + y)));
      store(c.at(i + x, j + y), element);
      if (Mirrored) store(c.at(j + y, i + x), element);
    }
  }
}

template <bool Mirrored, typename T>
void multiply(const ProductLanes<T>& op, const LaneMatrix<T>& a, const LaneMatrix<T>& b, const LaneMatrix<T>& c) {
  for (int64_t i = 0; i < c.rows; i += kSide) {
    with_constant<kSide>(c.rows - i, [&](auto rows) {
      const int64_t end = Mirrored ? i + rows : c.cols;
      for (int64_t j = 0; j < end; j += kSide) {
        with_constant<kSide>(end - j, [&](auto columns) {
          multiply_and_store<decltype(rows)::value, decltype(columns)::value, Mirrored>(op, a, b, c, i, j);
        });
      }
    });
  }
}

// The group in memory, without gaps; as it is, or transposed.
template <typename T>
LaneMatrix<T> read_matrix(const LaneGroup<const T>& group, bool transpose, T* memory) {
  read_dense_lanes(group, memory);
  const LaneMatrix<T> matrix{memory, group.rows, group.cols, group.cols, 1};
  return transpose ? transposed(matrix) : matrix;
}

template <typename T>
void product_lanes(const ProductLanes<T>& op, T* workspace) {
  constexpr int W = kWidth<T>;
  const int64_t m = op.c.rows, n = op.c.cols;
  const LaneMatrix<T> a = read_matrix(op.a, op.transpose_a, workspace);
  T* const of_b = workspace + m * a.cols * W;
  T* const of_c = of_b + a.cols * n * W;
  if (op.beta != 0) {
    const LaneGroup<const T> before{op.c.data, m, n, op.c.row_stride, op.c.matrix_stride, op.c.count};
    read_dense_lanes(before, of_c);
  }
  const LaneMatrix<T> c{of_c, m, n, n, 1};
  if (op.is_gram) {
    multiply<true>(op, a, transposed(a), c);
  } else {
    multiply<false>(op, a, read_matrix(op.b, op.transpose_b, of_b), c);
  }
  write_dense_lanes(of_c, op.c);
}

}  // namespace product
}  // namespace
}  // namespace kronroot::cpu
