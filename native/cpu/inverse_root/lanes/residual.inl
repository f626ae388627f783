// The balanced residual (ops.h, inverse_root) of a group for p = 2, 3, ..., in f64.
#pragma once

#include "../../spd/lanes/triangle.inl"
#include "examine.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// Rows i .. i + Rows of y = A x for lanes first .. of a symmetric matrix of T.
template <int Rows, typename T>
inline void multiply_half_rows(const LaneSquare& shape, const T* a, int first, int64_t i, const Vec<double>* x,
                               Vec<double>* y) {
  Vec<double> sums[Rows] = {};
  const T* column = a + i * kWidth<T> + first;
  for (int64_t j = 0; j < shape.n; ++j, column += shape.stride * kWidth<T>) {
    const Vec<double> factor = x[j];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) sums[r] = fma(load_as_double(column + r * kWidth<T>), factor, sums[r]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) y[i + r] = sums[r];
}

template <typename T>
inline void multiply_half(const LaneSquare& shape, const T* a, int first, const Vec<double>* x, Vec<double>* y) {
  for (int64_t i = 0; i < shape.n; i += 4) {
    spd::with_constant<4>(shape.n - i, [&](auto rows) { multiply_half_rows<rows>(shape, a, first, i, x, y); });
  }
}

// Half of a group: S and X, and two vectors to work with.
template <typename T>
struct ResidualProbe {
  LaneSquare shape;
  const T* s;
  const T* x;
  int first;
  Vec<double>*from, *to;

  void swap() {
    Vec<double>* const old = from;
    from = to;
    to = old;
  }
  void apply_x(int power) {
    for (int k = 0; k < power; ++k) {
      multiply_half(shape, x, first, from, to);
      swap();
    }
  }
  void apply_b(Vec<double> epsilon) {
    multiply_half(shape, s, first, from, to);
    for (int64_t i = 0; i < shape.n; ++i) to[i] = fma(epsilon, from[i], to[i]);
    swap();
  }
};

// |W z - z|_2 / |z|_2. sums: n vectors.
template <typename T>
void balanced_residual_half(const LaneSchedules& given, ResidualProbe<T> probe, Vec<double>* sums, double* residual) {
  const int64_t n = probe.shape.n;
  const int p = given.root, orders = p % 2 == 0 ? 1 : 2;
  const Vec<double> epsilon = load(given.epsilon + probe.first), unit = load(given.product_unit + probe.first);
  for (int64_t i = 0; i < n; ++i) sums[i] = Vec<double>{};
  for (int order = 0; order < orders; ++order) {
    for (int64_t i = 0; i < n; ++i) probe.from[i] = broadcast(given.signs[i]);
    const int before = (p + order) / 2;
    probe.apply_x(before);
    probe.apply_b(epsilon);
    probe.apply_x(p - before);
    for (int64_t i = 0; i < n; ++i) sums[i] += probe.from[i];
  }
  const Vec<double> scale = unit / static_cast<double>(orders);
  Vec<double> squares{};
  for (int64_t i = 0; i < n; ++i) {
    const Vec<double> difference = fma(sums[i], scale, -broadcast(given.signs[i]));
    squares = fma(difference, difference, squares);
  }
  store(residual + probe.first, square_root(squares / static_cast<double>(n)));
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
