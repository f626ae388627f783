// Products of commuting symmetric matrices in lanes: the product is symmetric, so the lower triangle of tiles is
// computed and mirrored.
#pragma once

#include "../../spd/lanes/triangle.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// Element (i, j) of a square matrix in lanes of T is one vector at data[(i * stride + j) * kWidth<T>].
struct LaneSquare {
  int64_t n, stride;
};

template <typename T>
inline int64_t place_of(const LaneSquare& shape, int64_t i, int64_t j) {
  return (i * shape.stride + j) * kWidth<T>;
}

// Between rows a gap, so that a column does not fall into few cache sets.
inline LaneSquare lane_square(int64_t n) { return {n, n % 8 == 0 ? n + 2 : n}; }

template <typename T>
inline int64_t elements_of(const LaneSquare& shape) {
  return shape.n * shape.stride * kWidth<T>;
}

// Rows i .. i + Rows, columns j .. j + Columns of C. A is read by its rows, which are its columns.
template <int Rows, int Columns, typename T, typename F>
inline void multiply_tile(const LaneSquare& shape, int64_t i, int64_t j, const T* a, const T* b, T* c,
                          const F& finish) {
  Vec<T> sums[Rows][Columns] = {};
  const T* left = a + i * kWidth<T>;
  const T* right = b + j * kWidth<T>;
  for (int64_t k = 0; k < shape.n; ++k, left += shape.stride * kWidth<T>, right += shape.stride * kWidth<T>) {
    Vec<T> row[Columns];
#pragma GCC unroll 4
    for (int y = 0; y < Columns; ++y) row[y] = load(right + y * kWidth<T>);
#pragma GCC unroll 4
    for (int x = 0; x < Rows; ++x) {
      const Vec<T> element = load(left + x * kWidth<T>);
#pragma GCC unroll 4
      for (int y = 0; y < Columns; ++y) sums[x][y] = fma(element, row[y], sums[x][y]);
    }
  }
#pragma GCC unroll 4
  for (int x = 0; x < Rows; ++x) {
#pragma GCC unroll 4
    for (int y = 0; y < Columns; ++y) {
      if (j + y > i + x) continue;
      const Vec<T> element = finish(sums[x][y], i + x, j + y);
      store(c + place_of<T>(shape, i + x, j + y), element);
      store(c + place_of<T>(shape, j + y, i + x), element);
    }
  }
}

// C = A B for symmetric A and B that commute; finish(sum, i, j) makes the element from that of the product. C is
// neither A nor B.
template <typename T, typename F>
void multiply_commuting_lanes(const LaneSquare& shape, const T* a, const T* b, T* c, const F& finish) {
  using spd::kSide;
  for (int64_t i = 0; i < shape.n; i += kSide) {
    spd::with_constant<kSide>(shape.n - i, [&](auto rows) {
      for (int64_t j = 0; j < i; j += kSide) multiply_tile<rows, kSide>(shape, i, j, a, b, c, finish);
      multiply_tile<rows, rows>(shape, i, i, a, b, c, finish);
    });
  }
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
