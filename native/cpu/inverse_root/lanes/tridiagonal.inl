// Householder reduction to tridiagonal form in lanes, without the transformations: for eigenvalues alone, in f64.
// Source: Golub and Van Loan, section 8.3.1.
#pragma once

#include "../../spd/lanes/triangle.inl"
#include "square.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// The diagonal, and the squares of the couplings: squares[k] joins k and k + 1.
struct LaneTridiagonal {
  int64_t n;
  Vec<double>* diagonal;
  Vec<double>* squares;
};

// Rows i .. i + Rows of p = A v for the rows and columns from `begin` on of a symmetric matrix given by its lower
// triangle: these rows of p are complete but for what later rows add, which get what these add to them.
template <int Rows>
inline void multiply_trailing_rows(const LaneSquare& shape, int64_t begin, int64_t i, const double* a,
                                   const Vec<double>* v, Vec<double>* p) {
  const double* row[Rows];
  Vec<double> sums[Rows] = {}, factors[Rows];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
    row[r] = a + place_of<double>(shape, i + r, 0);
    factors[r] = v[i + r];
  }
  for (int64_t j = begin; j < i; ++j) {
    Vec<double> of_column = p[j];
    const Vec<double> factor = v[j];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      const Vec<double> element = load(row[r] + j * kWidth<double>);
      sums[r] = fma(element, factor, sums[r]);
      of_column = fma(element, factors[r], of_column);
    }
    p[j] = of_column;
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c <= r; ++c) {
      const Vec<double> element = load(row[r] + (i + c) * kWidth<double>);
      sums[r] = fma(element, factors[c], sums[r]);
      if (c < r) sums[c] = fma(element, factors[r], sums[c]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) p[i + r] = sums[r];
}

// Rows i .. i + Rows of A <- A - v w^T - w v^T there.
template <int Rows>
inline void update_trailing_rows(const LaneSquare& shape, int64_t begin, int64_t i, double* a, const Vec<double>* v,
                                 const Vec<double>* w) {
  double* row[Rows];
  Vec<double> of_v[Rows], of_w[Rows];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
    row[r] = a + place_of<double>(shape, i + r, 0);
    of_v[r] = -v[i + r];
    of_w[r] = -w[i + r];
  }
  // Beyond the diagonal too, within the rows at hand: nobody reads that.
  for (int64_t j = begin; j < i + Rows; ++j) {
    const Vec<double> vj = v[j], wj = w[j];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      double* const element = row[r] + j * kWidth<double>;
      store(element, fma(of_v[r], wj, fma(of_w[r], vj, load(element))));
    }
  }
}

// a is destroyed. v and w: workspace of n vectors each.
inline void tridiagonalize_lanes(const LaneSquare& shape, double* a, Vec<double>* v, Vec<double>* w,
                                 const LaneTridiagonal& t) {
  // Below it a column counts as 0: its square would underflow.
  constexpr double kTiny = 1e-280;
  constexpr int kRows = kVectorBytes == 64 ? 4 : 2;
  const int64_t n = shape.n;
  for (int64_t k = 0; k < n; ++k) {
    t.diagonal[k] = load(a + place_of<double>(shape, k, k));
    if (k + 1 == n) break;
    // v = x - alpha e_1 with alpha = -sign(x_1) |x|; H = I - scale v v^T maps x to alpha e_1.
    Vec<double> squares{};
    for (int64_t i = k + 1; i < n; ++i) {
      v[i] = load(a + place_of<double>(shape, i, k));
      squares = fma(v[i], v[i], squares);
    }
    t.squares[k] = squares;
    if (k + 2 >= n) continue;
    const Vec<double> size = square_root(squares), first = v[k + 1];
    const Vec<double> product = fma(size, absolute<double>(first), squares);
    const Mask<double> is_zero = product < broadcast(kTiny);
    const Vec<double> scale = select<double>(is_zero, Vec<double>{}, 1.0 / product);
    v[k + 1] = first + copy_sign<double>(size, first);
    for (int64_t i = k + 1; i < n; i += kRows) {
      spd::with_constant<kRows>(n - i, [&](auto rows) { multiply_trailing_rows<rows>(shape, k + 1, i, a, v, w); });
    }
    Vec<double> along{};
    for (int64_t i = k + 1; i < n; ++i) {
      w[i] *= scale;
      along = fma(w[i], v[i], along);
    }
    const Vec<double> half = along * scale * 0.5;
    for (int64_t i = k + 1; i < n; ++i) w[i] = fma(-half, v[i], w[i]);
    for (int64_t i = k + 1; i < n; i += kRows) {
      spd::with_constant<kRows>(n - i, [&](auto rows) { update_trailing_rows<rows>(shape, k + 1, i, a, v, w); });
    }
  }
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
