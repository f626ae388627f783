// Formation of Q = H_{n-1} ... H_2 in every lane, by blocks of columns of the identity; column c is touched by the
// reflectors k > c only, which makes it (4/3) n^3 flop.
#pragma once

#include "panels.inl"

namespace kronroot::cpu {
namespace {
namespace eigen_lanes {

// Columns first .. first + Columns - 1 of Q as rows of Columns vectors. Two reflectors are applied in a pass: with
// s = v . column, the sequence H_{k+1} H_k subtracts v_k z_k + v_{k+1} z_{k+1}, z_k = tau_k s_k,
// z_{k+1} = tau_{k+1} (s_{k+1} - (v_{k+1} . v_k) z_k).
template <int Columns, typename T>
void form_columns(int64_t n, const T* a, int64_t stride, const T* tau, int64_t first, T* columns) {
  constexpr int W = kWidth<T>;
  for (int64_t j = 0; j < n * Columns * W; ++j) columns[j] = 0;
  for (int64_t c = 0; c < Columns && first + c < n; ++c) {
    store(columns + ((first + c) * Columns + c) * W, broadcast(T{1}));
  }
  for (int64_t k = first + 1; k < n; k += 2) {
    const bool pair = k + 1 < n;
    const T* v = a + k * stride * W;
    const T* u = pair ? v + stride * W : v;  // of reflector k + 1
    Vec<T> s[Columns] = {}, r[Columns] = {}, product{};
    for (int64_t j = 0; j < k; ++j) {
      const Vec<T> vj = load(v + j * W), uj = load(u + j * W);
      product = fma(vj, uj, product);
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) {
        const Vec<T> x = load(columns + (j * Columns + c) * W);
        s[c] = fma(vj, x, s[c]);
        r[c] = fma(uj, x, r[c]);
      }
    }
    const Vec<T> tau_v = load(tau + k * W), tau_u = pair ? load(tau + (k + 1) * W) : Vec<T>{};
    const Vec<T> last = pair ? load(u + k * W) : Vec<T>{};  // v ends before it
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c) {
      T* x = columns + (k * Columns + c) * W;
      s[c] = -tau_v * s[c];
      r[c] = -tau_u * fma(product, s[c], fma(last, load(x), r[c]));
      if (pair) store(x, fma(last, r[c], load(x)));
    }
    for (int64_t j = 0; j < k; ++j) {
      const Vec<T> vj = load(v + j * W), uj = load(u + j * W);
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) {
        T* x = columns + (j * Columns + c) * W;
        store(x, fma(uj, r[c], fma(vj, s[c], load(x))));
      }
    }
  }
}

// Q into panels. columns: workspace of n * Shape::kRows vectors.
template <typename Shape, typename T>
void form_q(int64_t n, const T* a, int64_t stride, const T* tau, const LanePanels<Shape, T>& panels, T* columns) {
  constexpr int W = kWidth<T>, kRows = Shape::kRows;
  for (int64_t p = 0; p < panels.count(); ++p) {
    for (int64_t j = 0; j < Shape::kMargin * kRows * W; ++j)
      panels.column(p, -Shape::kMargin)[j] = panels.column(p, n)[j] = 0;
  }
  for (int64_t first = 0; first < n; first += kRows) {
    form_columns<kRows>(n, a, stride, tau, first, columns);
    for (int64_t i = 0; i < panels.count() * kRows; ++i) {
      for (int64_t c = 0; c < kRows && first + c < n; ++c) {
        store(panels.at(i, first + c), i < n ? load(columns + (i * kRows + c) * W) : Vec<T>{});
      }
    }
  }
}

}  // namespace eigen_lanes
}  // namespace
}  // namespace kronroot::cpu
