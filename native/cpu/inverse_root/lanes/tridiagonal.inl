// Householder reduction to tridiagonal form in lanes, without the transformations: for eigenvalues alone, in f64.
// Source: Golub and Van Loan, section 8.3.1.
#pragma once

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

// p = A v for the rows and columns from k + 1 on of a symmetric matrix given by its lower triangle.
inline void multiply_trailing(const LaneSquare& shape, int64_t k, const double* a, const Vec<double>* v,
                              Vec<double>* p) {
  for (int64_t i = k + 1; i < shape.n; ++i) {
    const double* row = a + place_of<double>(shape, i, k + 1);
    Vec<double> sum{};
    const Vec<double> vi = v[i];
    for (int64_t j = k + 1; j < i; ++j, row += kWidth<double>) {
      const Vec<double> element = load(row);
      sum = fma(element, v[j], sum);
      p[j] = fma(element, vi, p[j]);
    }
    p[i] = fma(load(row), vi, sum);
  }
}

// A <- A - v w^T - w v^T there.
inline void update_trailing(const LaneSquare& shape, int64_t k, double* a, const Vec<double>* v, const Vec<double>* w) {
  for (int64_t i = k + 1; i < shape.n; ++i) {
    double* row = a + place_of<double>(shape, i, k + 1);
    const Vec<double> vi = -v[i], wi = -w[i];
    for (int64_t j = k + 1; j <= i; ++j, row += kWidth<double>) {
      store(row, fma(vi, w[j], fma(wi, v[j], load(row))));
    }
  }
}

// a is destroyed. v and w: workspace of n vectors each.
inline void tridiagonalize_lanes(const LaneSquare& shape, double* a, Vec<double>* v, Vec<double>* w,
                                 const LaneTridiagonal& t) {
  // Below it a column counts as 0: its square would underflow.
  constexpr double kTiny = 1e-280;
  const int64_t n = shape.n;
  for (int64_t k = 0; k < n; ++k) {
    t.diagonal[k] = load(a + place_of<double>(shape, k, k));
    if (k + 1 == n) break;
    // v = x - alpha e_1 with alpha = -sign(x_1) |x|; H = I - scale v v^T maps x to alpha e_1.
    Vec<double> squares{};
    for (int64_t i = k + 1; i < n; ++i) {
      v[i] = load(a + place_of<double>(shape, i, k));
      w[i] = Vec<double>{};
      squares = fma(v[i], v[i], squares);
    }
    t.squares[k] = squares;
    if (k + 2 >= n) continue;
    const Vec<double> size = square_root(squares), first = v[k + 1];
    const Vec<double> product = fma(size, absolute<double>(first), squares);
    const Mask<double> is_zero = product < broadcast(kTiny);
    const Vec<double> scale = select<double>(is_zero, Vec<double>{}, 1.0 / product);
    v[k + 1] = first + copy_sign<double>(size, first);
    multiply_trailing(shape, k, a, v, w);
    Vec<double> along{};
    for (int64_t i = k + 1; i < n; ++i) {
      w[i] *= scale;
      along = fma(w[i], v[i], along);
    }
    const Vec<double> half = along * scale * 0.5;
    for (int64_t i = k + 1; i < n; ++i) w[i] = fma(-half, v[i], w[i]);
    update_trailing(shape, k, a, v, w);
  }
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
