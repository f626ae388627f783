// Householder reduction to tridiagonal form in lanes, in f64: A = Q T Q^T, Q the product of reflectors
// I - scale v v^T, which are kept in the element type of the op.
// Source: Golub and Van Loan, section 8.3.1.
#pragma once

#include "../../spd/lanes/triangle.inl"
#include "halves.inl"
#include "square.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// couplings[k] joins k and k + 1; squares are theirs.
template <int64_t Order>
struct LaneTridiagonal {
  LaneSquare<Order> shape;  // of which its order counts
  Vec<double>* diagonal;
  Vec<double>* couplings;
  Vec<double>* squares;
};

// Reflector k works on rows k + 1, k + 2, ...: its vector, 1 in the first of them, is column k of `vectors` there.
template <typename T, int64_t Order>
struct LaneReflectors {
  LaneSquare<Order> shape;
  T* vectors;
  Vec<T>* scales;
};

// The rank-2 update of the reflector before, A - v w^T - w v^T, and the product of its result with the next reflector's
// vector, p = A next, in one pass over the lower triangle of the rows and columns from `begin` on.
template <int64_t Order>
struct ReductionPass {
  LaneSquare<Order> shape;
  int64_t begin;
  double* a;
  const Vec<double>*v, *w, *next;
  Vec<double>* p;
};

// Rows i .. i + Rows: these of p are complete but for what later rows add, which get what these add to them.
template <int Rows, int64_t Order>
inline void reduce_rows(const ReductionPass<Order>& pass, int64_t i) {
  double* row[Rows];
  Vec<double> of_v[Rows], of_w[Rows], of_next[Rows], sums[Rows] = {};
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
    row[r] = pass.a + place_of<double>(pass.shape, i + r, 0);
    of_v[r] = -pass.v[i + r];
    of_w[r] = -pass.w[i + r];
    of_next[r] = pass.next[i + r];
  }
  for (int64_t j = pass.begin; j < i; ++j) {
    const Vec<double> vj = pass.v[j], wj = pass.w[j], next = pass.next[j];
    Vec<double> of_column = pass.p[j];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      double* const element = row[r] + j * kWidth<double>;
      const Vec<double> updated = fma(of_v[r], wj, fma(of_w[r], vj, load(element)));
      store(element, updated);
      sums[r] = fma(updated, next, sums[r]);
      of_column = fma(updated, of_next[r], of_column);
    }
    pass.p[j] = of_column;
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c <= r; ++c) {
      double* const element = row[r] + (i + c) * kWidth<double>;
      const Vec<double> updated = fma(of_v[r], pass.w[i + c], fma(of_w[r], pass.v[i + c], load(element)));
      store(element, updated);
      sums[r] = fma(updated, of_next[c], sums[r]);
      if (c < r) sums[c] = fma(updated, of_next[r], sums[c]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) pass.p[i + r] = sums[r];
}

template <typename T>
inline void exchange(T*& a, T*& b) {
  T* const old = a;
  a = b;
  b = old;
}

// Keeps I - scale v v^T with v scaled to begin with 1, which no element type under- or overflows at.
template <typename T, int64_t Order>
inline void keep_reflector(const LaneReflectors<T, Order>& reflectors, int64_t k, const Vec<double>* v,
                           Vec<double> scale, int first_lane) {
  const LaneSquare<Order>& shape = reflectors.shape;
  const Vec<double> head = v[k + 1], unit = select<double>(scale > Vec<double>{}, 1.0 / head, Vec<double>{});
  for (int64_t i = k + 1; i < shape.n; ++i)
    store_double(reflectors.vectors + place_of<T>(shape, i, k) + first_lane, v[i] * unit);
  store_double(reinterpret_cast<T*>(reflectors.scales + k) + first_lane, scale * head * head);
}

// a is destroyed; memory: 4 n vectors. Of the reflectors, lanes first_lane .. first_lane + kWidth<double> are written.
template <typename T, int64_t Order>
[[gnu::noinline]] void tridiagonalize_lanes(double* a, Vec<double>* memory, const LaneTridiagonal<Order>& t,
                                            const LaneReflectors<T, Order>& reflectors, int first_lane) {
  // Below it a column counts as 0: its square would underflow.
  constexpr double kTiny = 1e-280;
  constexpr int kRows = kVectorBytes == 64 ? 4 : 2;
  const LaneSquare<Order>& shape = t.shape;
  const int64_t n = shape.n;
  // v and w of the update that is still to be made, and of the step at hand.
  Vec<double>*v = memory, *w = memory + n, *next = memory + 2 * n, *p = memory + 3 * n;
  for (int64_t i = 0; i < n; ++i) v[i] = w[i] = Vec<double>{};
  for_each_row(shape, [&](auto k) {
    for (int64_t i = k; i < n; ++i) {
      next[i] = fma(-v[i], w[k], fma(-w[i], v[k], load(a + place_of<double>(shape, i, k))));
    }
    t.diagonal[k] = next[k];
    if (k + 1 == n) return;
    // The next v = x - alpha e_1 with alpha = -sign(x_1) |x|; H = I - scale v v^T maps x to alpha e_1.
    Vec<double> squares{};
    for (int64_t i = k + 1; i < n; ++i) squares = fma(next[i], next[i], squares);
    t.squares[k] = squares;
    t.couplings[k] = next[k + 1];
    if (k + 2 >= n) return;
    const Vec<double> size = square_root(squares), first = next[k + 1];
    const Vec<double> product = fma(size, absolute<double>(first), squares);
    const Mask<double> is_zero = product < broadcast(kTiny);
    const Vec<double> scale = select<double>(is_zero, Vec<double>{}, 1.0 / product);
    t.couplings[k] = select<double>(is_zero, Vec<double>{}, -copy_sign<double>(size, first));
    next[k + 1] = first + copy_sign<double>(size, first);
    keep_reflector(reflectors, k, next, scale, first_lane);
    const ReductionPass<Order> pass = {shape, k + 1, a, v, w, next, p};
    for (int64_t i = k + 1; i < n; i += kRows) {
      spd::with_constant<kRows>(n - i, [&](auto rows) { reduce_rows<rows>(pass, i); });
    }
    Vec<double> along{};
    for (int64_t i = k + 1; i < n; ++i) {
      p[i] *= scale;
      along = fma(p[i], next[i], along);
    }
    const Vec<double> half = along * scale * 0.5;
    for (int64_t i = k + 1; i < n; ++i) p[i] = fma(-half, next[i], p[i]);
    exchange(v, next);
    exchange(w, p);
  });
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
