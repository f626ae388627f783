// Products of a triangle in lanes with a vector in f64, for the residual probes: in f32 their own rounding would hide
// what they measure.
#pragma once

#include "../../gemm/vector_operations.inl"
#include "triangle.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// The lanes of one Vec<T> in f64.
template <typename T>
constexpr int kParts = int{sizeof(double) / sizeof(T)};
template <typename T>
struct Wide {
  Vec<double> part[kParts<T>];
};

template <typename T, typename Element>
inline Wide<T> widen(const Element* from) {
  Wide<T> wide;
#pragma GCC unroll 2
  for (int p = 0; p < kParts<T>; ++p) wide.part[p] = load_as_double(from + p * kWidth<double>);
  return wide;
}

// sum += a b
template <typename T>
inline void add_product(Wide<T>& sum, const Wide<T>& a, const Wide<T>& b) {
#pragma GCC unroll 2
  for (int p = 0; p < kParts<T>; ++p) sum.part[p] = fma(a.part[p], b.part[p], sum.part[p]);
}

// Which product of a lower triangle T.
enum class TriangleProduct { rows, columns, symmetric };  // T x, T^T x, (T + T^T - diag(T)) x

// Rows i .. i + Rows of the triangle: their sums are complete afterwards, and y holds what they add to the columns.
template <TriangleProduct Kind, int Rows, typename T, typename Element>
inline void multiply_rows(const Element* triangle, int64_t i, const Wide<T>* x, Wide<T>* y) {
  constexpr bool kByRows = Kind != TriangleProduct::columns, kByColumns = Kind != TriangleProduct::rows;
  const Element* row[Rows];
  Wide<T> sums[Rows] = {}, factors[Rows];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
    row[r] = triangle + triangle_size<T>(i + r);
    factors[r] = x[i + r];
  }
  for (int64_t j = 0; j < i; ++j) {
    Wide<T> of_column{};
    if (kByColumns) of_column = y[j];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      const Wide<T> element = widen<T>(row[r] + j * kWidth<T>);
      if (kByRows) add_product(sums[r], element, x[j]);
      if (kByColumns) add_product(of_column, element, factors[r]);
    }
    if (kByColumns) y[j] = of_column;
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c <= r; ++c) {
      const Wide<T> element = widen<T>(row[r] + (i + c) * kWidth<T>);
      if (kByRows) add_product(sums[r], element, factors[c]);
      if (kByColumns && !(kByRows && c == r)) add_product(sums[c], element, factors[r]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) y[i + r] = sums[r];
}

// y = the product with x, both of n elements. The triangle has as many lanes as a Vec<T>, of T or of double.
template <TriangleProduct Kind, typename T, typename Element>
void multiply_wide(const Element* triangle, int64_t n, const Wide<T>* x, Wide<T>* y) {
  constexpr int kRows = kVectorBytes == 64 ? 4 : 2;
  for (int64_t i = 0; i < n; i += kRows) {
    with_constant<kRows>(n - i, [&](auto rows) { multiply_rows<Kind, rows>(triangle, i, x, y); });
  }
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
