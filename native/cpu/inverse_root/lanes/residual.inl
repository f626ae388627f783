// The balanced residual (ops.h, inverse_root) of a group, in f64, and what follows from it.
#pragma once

#include "../../lanes/write.inl"
#include "../../spd/lanes/triangle.inl"
#include "examine.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// Rows i .. i + Rows of y = A x for lanes first .. of a symmetric matrix of T.
template <int Rows, typename T, int64_t Order>
inline void multiply_half_rows(const LaneSquare<Order>& shape, const T* a, int first, int64_t i, const Vec<double>* x,
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

template <typename T, int64_t Order>
inline void multiply_half(const LaneSquare<Order>& shape, const T* a, int first, const Vec<double>* x, Vec<double>* y) {
  if constexpr (Order != kAnyOrder) {
    // The sums fit the registers: every element below the diagonal is read once for its two places.
    Vec<double> sums[Order] = {};
    for_each_row(shape, [&](auto i) {
      for (int64_t j = 0; j <= i; ++j) {
        const Vec<double> element = load_as_double(a + place_of<T>(shape, i, j) + first);
        sums[i] = fma(element, x[j], sums[i]);
        if (j < i) sums[j] = fma(element, x[i], sums[j]);
      }
    });
    for_each_row(shape, [&](auto i) { y[i] = sums[i]; });
    return;
  }
  for (int64_t i = 0; i < shape.n; i += 4) {
    spd::with_constant<4>(shape.n - i, [&](auto rows) { multiply_half_rows<rows>(shape, a, first, i, x, y); });
  }
}

// Half of a group: S and X, and two vectors to work with.
template <typename T, int64_t Order>
struct ResidualProbe {
  LaneSquare<Order> shape;
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

// |W z - z|_2 / |z|_2 for W of certificate.hpp, the word of a factors X and b factors B. sums: n vectors.
template <typename T, int64_t Order>
Vec<double> balanced_residual_half(const LaneCertificate& given, ResidualProbe<T, Order> probe, Vec<double>* sums) {
  const int64_t n = probe.shape.n;
  const int a = given.a, b = given.b, orders = a % 2 == 0 || b % 2 == 0 ? 1 : 2;
  const Vec<double> epsilon = load(given.epsilon + probe.first), unit = load(given.product_unit + probe.first);
  for (int64_t i = 0; i < n; ++i) sums[i] = Vec<double>{};
  for (int order = 0; order < orders; ++order) {
    for (int64_t i = 0; i < n; ++i) probe.from[i] = broadcast(given.signs[i]);
    int done = 0;
    for (int j = 0; j < b; ++j) {
      const int before = ((2 * j + 1) * a + b - (order == 0 ? 0 : 1)) / (2 * b);
      probe.apply_x(before - done);
      probe.apply_b(epsilon);
      done = before;
    }
    probe.apply_x(a - done);
    for (int64_t i = 0; i < n; ++i) sums[i] += probe.from[i];
  }
  const Vec<double> scale = unit / static_cast<double>(orders);
  Vec<double> squares{};
  for (int64_t i = 0; i < n; ++i) {
    const Vec<double> difference = fma(sums[i], scale, -broadcast(given.signs[i]));
    squares = fma(difference, difference, squares);
  }
  return square_root(squares / static_cast<double>(n));
}

// The residuals of all lanes; a lane that does not pass is not wanted any more. vectors: 3 n.
template <typename T, int64_t Order>
void certify(const LaneCertificate& given, const LaneSquare<Order>& shape, const T* s, const T* x, Vec<double>* vectors,
             LaneRoots& roots) {
  for (int half = 0; half < kHalves<T>; ++half) {
    const ResidualProbe<T, Order> probe = {shape, s, x, half * kWidth<double>, vectors, vectors + shape.n};
    store(roots.residual + probe.first, balanced_residual_half(given, probe, vectors + 2 * shape.n));
  }
  for (int l = 0; l < kWidth<T>; ++l) roots.wanted[l] = roots.wanted[l] && roots.residual[l] <= given.residual_bound;
}

// Writes the wanted lanes of x, times their powers of two.
template <typename T>
void finish_lanes(const LaneCertificate& given, const T* x, const LaneGroup<T>& out, const LaneRoots& roots) {
  IntVec<T> powers{};
  for (int l = 0; l < kWidth<T>; ++l) powers[l] = given.exponent[l];
  write_lanes(x, row_stride(out.rows), out, roots.wanted, power_of_two<T>(powers));
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
