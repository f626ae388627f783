// f(T) for a positive definite tridiagonal matrix in lanes, f(x) = sum_k w_k / (x + s_k) with positive poles and
// weights (core/partial_fractions.hpp): a sum of resolvents (T + s_k I)^{-1}, each of them by O(n) pivots and n^2 / 2
// multiplications.
//
// With T = L D L^T known to full relative accuracy, the pivots d+ of T + s I = L+ D+ L+^T are those of the differential
// stationary qd algorithm, and the inverse is summed up from its last element:
//   a_1 = s,   d+_i = d_i + a_i,   a_{i+1} = l_i a_i / d+_i + s,   l_i = b_i^2 / d_i
//   G_nn = 1 / d+_n,   G_ii = 1 / d+_i + r_i^2 G_{i+1,i+1},   G_ji = r_i G_{j,i+1} for i < j,   r_i = -b_i / d+_i,
//   G = (T + s I)^{-1}.
// For s >= 0 they add and multiply positive numbers only (up to the signs of r), so that every element of the sum has
// full relative accuracy in the element type, however ill-conditioned T is.
// Source: Dhillon and Parlett, Linear Algebra Appl. 387 (2004), algorithm 4.2; Erisman and Tinney, Comm. ACM 18 (1975).
#pragma once

#include "tridiagonal.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// T + epsilon I over `size`, factorised: d of D, l_i = b_i^2 / d_i and the couplings b, n vectors each.
template <typename T, int64_t Order>
struct LanePivots {
  LaneSquare<Order> shape;  // of which its order counts
  Vec<T>*d, *l, *b;
};

// Of one half of the lanes, in f64.
template <typename T, int64_t Order>
void factorize_half(const Vec<double>* diagonal, const Vec<double>* couplings, Vec<double> unit, Vec<double> shift,
                    int first, const LanePivots<T, Order>& pivots) {
  const auto keep = [first](Vec<T>* to, Vec<double> value) { store_double(reinterpret_cast<T*>(to) + first, value); };
  // Below it a coupling is far beneath the rounding of its neighbours, and its square would underflow in T.
  constexpr double kNegligible = sizeof(T) == 4 ? 1e-12 : 1e-30;
  Vec<double> pivot = fma(diagonal[0], unit, shift);
  for (int64_t i = 0; i + 1 < pivots.shape.n; ++i) {
    const Vec<double> b = couplings[i] * unit;
    const Vec<double> coupling = select<double>(absolute<double>(b) < broadcast(kNegligible), Vec<double>{}, b);
    const Vec<double> l = coupling * coupling / pivot;
    keep(pivots.d + i, pivot);
    keep(pivots.l + i, l);
    keep(pivots.b + i, coupling);
    pivot = fma(diagonal[i + 1], unit, shift - l);
  }
  keep(pivots.d + pivots.shape.n - 1, pivot);
}

// Resolvents that are summed at a time, or half as many: their chains of multiplications hide each other's latency.
constexpr int kChains = kVectorBytes == 64 ? 8 : 4;

// w G_ii in `heads` and r_i in `ratios`, those of the chains side by side.
template <int Chains, typename T, int64_t Order>
inline void resolvent_diagonals(const LanePivots<T, Order>& t, const Vec<T> (&poles)[Chains],
                                const Vec<T> (&weights)[Chains], Vec<T>* heads, Vec<T>* ratios) {
  const int64_t last = t.shape.n - 1;
  Vec<T> running[Chains];
#pragma GCC unroll 8
  for (int q = 0; q < Chains; ++q) running[q] = poles[q];
  for (int64_t i = 0; i < last; ++i) {
#pragma GCC unroll 8
    for (int q = 0; q < Chains; ++q) {
      const Vec<T> inverse = reciprocal(t.d[i] + running[q]);
      heads[i * Chains + q] = weights[q] * inverse;
      ratios[i * Chains + q] = -t.b[i] * inverse;
      running[q] = fma(t.l[i] * running[q], inverse, poles[q]);
    }
  }
  Vec<T> below[Chains];
#pragma GCC unroll 8
  for (int q = 0; q < Chains; ++q) {
    below[q] = weights[q] * reciprocal(t.d[last] + running[q]);
    heads[last * Chains + q] = below[q];
  }
  for (int64_t i = last - 1; i >= 0; --i) {
#pragma GCC unroll 8
    for (int q = 0; q < Chains; ++q) {
      const Vec<T> ratio = ratios[i * Chains + q];
      below[q] = fma(ratio * ratio, below[q], heads[i * Chains + q]);
      heads[i * Chains + q] = below[q];
    }
  }
}

template <int Count, typename T>
inline Vec<T> sum_of(const Vec<T>* terms) {
  if constexpr (Count == 1) {
    return terms[0];
  } else {
    return sum_of<Count / 2, T>(terms) + sum_of<Count - Count / 2, T>(terms + Count / 2);
  }
}

// One element of F += those of the resolvents; the first of them overwrite.
template <int Chains, typename T>
inline void add_element(const Vec<T>* g, bool is_first, T* element) {
  const Vec<T> sum = sum_of<Chains, T>(g);
  store(element, is_first ? sum : sum + load(element));
}

// The lower triangle of F += the resolvents, row by row from the diagonal on.
template <int Chains, typename T, int64_t Order>
inline void add_resolvents(const LaneSquare<Order>& shape, const Vec<T>* heads, const Vec<T>* ratios, bool is_first,
                           T* f) {
  // Far from the diagonal elements fade below what matters to their sum; denormal numbers would be slow. Of two
  // neighbours one is looked at.
  const Vec<T> negligible = broadcast(T(1e-18));
  for (int64_t j = 0; j < shape.n; ++j) {
    Vec<T> g[Chains];
#pragma GCC unroll 8
    for (int q = 0; q < Chains; ++q) g[q] = heads[j * Chains + q];
    T* const row = f + place_of<T>(shape, j, 0);
    add_element<Chains, T>(g, is_first, row + j * kWidth<T>);
    int64_t i = j - 1;
    for (; i > 0; i -= 2) {
#pragma GCC unroll 8
      for (int q = 0; q < Chains; ++q) g[q] *= ratios[i * Chains + q];
      add_element<Chains, T>(g, is_first, row + i * kWidth<T>);
#pragma GCC unroll 8
      for (int q = 0; q < Chains; ++q) {
        const Vec<T> next = g[q] * ratios[(i - 1) * Chains + q];
        g[q] = select<T>(absolute<T>(next) < negligible, Vec<T>{}, next);
      }
      add_element<Chains, T>(g, is_first, row + (i - 1) * kWidth<T>);
    }
    if (i == 0) {
#pragma GCC unroll 8
      for (int q = 0; q < Chains; ++q) g[q] *= ratios[q];
      add_element<Chains, T>(g, is_first, row);
    }
  }
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
