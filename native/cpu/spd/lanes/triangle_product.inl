// Products of a triangle in lanes with a vector in f64, for the residual probes: in f32 their own rounding would hide
// what they measure.
#pragma once

#include "../../lanes/wide.inl"
#include "triangle.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// Which product of a lower triangle T.
enum class TriangleProduct { rows, columns, symmetric };  // T x, T^T x, (T + T^T - diag(T)) x

// Rows i .. i + Rows of the triangle and `Columns` vectors x, element (i, c) at x[i * Columns + c]: the sums of these
// rows are complete afterwards, and y holds what they add to the rows before.
template <TriangleProduct Kind, int Rows, int Columns, typename T, typename Element>
inline void multiply_rows(const Element* triangle, int64_t i, const Wide<T>* x, Wide<T>* y) {
  constexpr bool kByRows = Kind != TriangleProduct::columns, kByColumns = Kind != TriangleProduct::rows;
  const Element* row[Rows];
  Wide<T> sums[Rows][Columns] = {}, factors[Rows][Columns];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
    row[r] = triangle + triangle_size<T>(i + r);
#pragma GCC unroll 2
    for (int c = 0; c < Columns; ++c) factors[r][c] = x[(i + r) * Columns + c];
  }
  for (int64_t j = 0; j < i; ++j) {
    Wide<T> above[Columns] = {};
#pragma GCC unroll 2
    for (int c = 0; c < Columns && kByColumns; ++c) above[c] = y[j * Columns + c];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      const Wide<T> element = widen<T>(row[r] + j * kWidth<T>);
#pragma GCC unroll 2
      for (int c = 0; c < Columns; ++c) {
        if (kByRows) add_product(sums[r][c], element, x[j * Columns + c]);
        if (kByColumns) add_product(above[c], element, factors[r][c]);
      }
    }
#pragma GCC unroll 2
    for (int c = 0; c < Columns && kByColumns; ++c) y[j * Columns + c] = above[c];
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int k = 0; k <= r; ++k) {
      const Wide<T> element = widen<T>(row[r] + (i + k) * kWidth<T>);
#pragma GCC unroll 2
      for (int c = 0; c < Columns; ++c) {
        if (kByRows) add_product(sums[r][c], element, factors[k][c]);
        if (kByColumns && !(kByRows && k == r)) add_product(sums[k][c], element, factors[r][c]);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (int c = 0; c < Columns; ++c) y[(i + r) * Columns + c] = sums[r][c];
  }
}

// y = the product with x, `Columns` vectors of n elements each. The triangle has as many lanes as a Vec<T>, of T or of
// double.
template <TriangleProduct Kind, int Columns = 1, typename T, typename Element>
void multiply_wide(const Element* triangle, int64_t n, const Wide<T>* x, Wide<T>* y) {
  constexpr int kRows = (kVectorBytes == 64 ? 4 : 2) / Columns;
  for (int64_t i = 0; i < n; i += kRows) {
    with_constant<kRows>(n - i, [&](auto rows) { multiply_rows<Kind, rows, Columns>(triangle, i, x, y); });
  }
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
