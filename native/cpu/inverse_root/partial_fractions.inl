// The root of one matrix by partial fractions: with S = Q T Q^T and x^{-b/a} = sum_k w_k / (x + s_k) on the spectrum,
//   X = Q (sum_k w_k (T + s_k I)^{-1}) Q^T,
// as lanes/partial_fractions.inl has it for many. 4/3 n^3 flop for the reduction (eigen/tridiagonal.inl), 2 n^3 for the
// way back (eigen/congruence.inl) and O(n^2) a fraction (lanes/resolvents.inl).
#pragma once

#include "../eigen/congruence.inl"
#include "../eigen/eigh.inl"
#include "fractions.hpp"
#include "lanes/extreme_eigenvalues.inl"
#include "lanes/resolvents.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// The poles are the lanes here, so many at a time.
constexpr int kPoles = kWidth<double>;

template <typename T>
struct FractionWorkspace {
  eigen::TridiagonalForm<T> form;
  // T broadcast to all lanes: the diagonal, couplings and their squares; later the pivots.
  Vec<double>*first, *second, *third;
  Vec<double>*a, *heads, *ratios;  // of the resolvents
  T* rows;                         // a row of kPoles resolvents
  eigen::CongruenceWorkspace<T> congruence;

  FractionWorkspace(int64_t n, eigen::Pieces& pieces)
      : form(n, pieces),
        first(pieces.take<Vec<double>>(n)),
        second(pieces.take<Vec<double>>(n)),
        third(pieces.take<Vec<double>>(n)),
        a(pieces.take<Vec<double>>(n)),
        heads(pieces.take<Vec<double>>(n)),
        ratios(pieces.take<Vec<double>>(n)),
        rows(pieces.take<T>(kPoles * eigen::padded<T>(n))),
        congruence(n, pieces) {}
};

template <typename T>
int64_t partial_fraction_root_workspace(int64_t n) {
  eigen::Pieces pieces(nullptr);
  FractionWorkspace<T>(n, pieces);
  return pieces.bytes() / int64_t{sizeof(T)};
}

// As Kernels<T>::examine_root.
template <typename T>
bool examine_root(int64_t n, const T* s, T* workspace, const int32_t* cancel, RootSpectrum& found) {
  eigen::Pieces pieces(workspace);
  const FractionWorkspace<T> space(n, pieces);
  const eigen::TridiagonalForm<T>& form = space.form;
  eigen::copy_to_storage(n, s, form.matrix.data);
  if (!eigen::tridiagonalise(form.matrix, form.d, form.e, form.tau, form.workspace, cancel)) return false;
  const LaneTridiagonal<kAnyOrder> t = {{n, n}, space.first, space.second, space.third};
  for (int64_t i = 0; i < n; ++i) {
    t.diagonal[i] = broadcast(form.d[i]);
    t.couplings[i] = broadcast(form.e[i]);
    t.squares[i] = t.couplings[i] * t.couplings[i];
  }
  LaneEnds of_t[1];
  extreme_eigenvalues<T>({t}, sizeof(T) == 4 ? 1e-8 : 1e-13, of_t);
  const LaneEnds& ends = of_t[0];
  const Vec<double> null = maximum<double>(ends.largest, Vec<double>{}) * (static_cast<double>(n) * found.null_ulp);
  found.is_found = ends.converged[0] != 0;
  found.lambda_min = ends.smallest[0];
  found.lambda_max = ends.largest[0];
  found.rank = static_cast<int64_t>(count_above_lanes(t, null)[0]);
  return true;
}

// w G_ii in `heads` and the ratios G_{i+1,j} / G_ij, i >= j, of one resolvent G = (T + s I)^{-1} a lane, from its
// pivots from above (as lanes/resolvents.inl has them) and from below, those of the progressive qd algorithm:
//   c_n = d_n + s,  d-_{i+1} = l_i + c_{i+1},   c_i = c_{i+1} d_i / d-_{i+1} + s
//   1 / G_ii = a_i + c_{i+1} d_i / d-_{i+1},    G_{i+1,j} / G_ij = -b_i / d-_{i+1}.
// Row follows row then, each of them a vector. a: n vectors.
// Source: Dhillon and Parlett, Linear Algebra Appl. 387 (2004), algorithms 4.2 to 4.4; Meurant, SIAM J. Matrix Anal.
// Appl. 13 (1992).
inline void resolvent_pivots(const LanePivots<double, kAnyOrder>& t, Vec<double> poles, Vec<double> weights,
                             Vec<double>* a, Vec<double>* heads, Vec<double>* ratios) {
  const int64_t last = t.shape.n - 1;
  Vec<double> running = poles;
  for (int64_t i = 0; i < last; ++i) {
    a[i] = running;
    running = fma(t.l[i] * running, reciprocal(t.d[i] + running), poles);
  }
  heads[last] = weights * reciprocal(t.d[last] + running);
  Vec<double> below = t.d[last] + poles;
  for (int64_t i = last - 1; i >= 0; --i) {
    const Vec<double> inverse = reciprocal(t.l[i] + below);
    const Vec<double> product = below * (t.d[i] * inverse);
    ratios[i] = -t.b[i] * inverse;
    heads[i] = weights * reciprocal(a[i] + product);
    below = product + poles;
  }
}

// The lower triangle of x += resolvents poles .. poles + kPoles; the first of them overwrite.
template <typename T>
void add_rows(int64_t n, const FractionWorkspace<T>& space, bool is_first, T* x) {
  // Far from the diagonal elements fade below what matters to their sum; denormal numbers would be slow.
  const Vec<T> negligible = broadcast(T(1e-24));
  const int64_t stride = eigen::padded<T>(n);
  for (int64_t j = 0; j < kPoles * stride; ++j) space.rows[j] = 0;
  for (int64_t i = 0; i < n; ++i) {
    Vec<T> ratios[kPoles];
    for (int q = 0; q < kPoles; ++q) ratios[q] = broadcast(static_cast<T>(i == 0 ? 0 : space.ratios[i - 1][q]));
    T* const row = x + i * n;
    const auto next = [&](int64_t j) {
      Vec<T> sum{};
#pragma GCC unroll 8
      for (int q = 0; q < kPoles; ++q) {
        T* const place = space.rows + q * stride + j;
        const Vec<T> product = load(place) * ratios[q];
        const Vec<T> g = select<T>(absolute<T>(product) < negligible, Vec<T>{}, product);
        store(place, g);
        sum += g;
      }
      return sum;
    };
    int64_t j = 0;
    for (; j + kWidth<T> <= i; j += kWidth<T>) {
      const Vec<T> sum = next(j);
      store(row + j, is_first ? sum : sum + load(row + j));
    }
    const int left = static_cast<int>(i - j);
    if (left > 0) {
      const Vec<T> sum = next(j);
      store_first(row + j, is_first ? sum : sum + load_first(row + j, left), left);
    }
    double head = 0;
    for (int q = 0; q < kPoles; ++q) {
      space.rows[q * stride + i] = static_cast<T>(space.heads[i][q]);
      head += space.heads[i][q];
    }
    row[i] = static_cast<T>(is_first ? head : head + static_cast<double>(row[i]));
  }
}

// As Kernels<T>::partial_fraction_root.
template <typename T>
bool partial_fraction_root(const RootFractions& given, int64_t n, T* x, T* workspace, const int32_t* cancel) {
  eigen::Pieces pieces(workspace);
  const FractionWorkspace<T> space(n, pieces);
  const eigen::TridiagonalForm<T>& form = space.form;
  // T is in its first and second vectors, which the pivots take over from the third on.
  const LanePivots<double, kAnyOrder> pivots = {{n, n}, space.third, space.a, space.heads};
  factorize_half(space.first, space.second, broadcast(given.unit), broadcast(given.shift), 0, pivots);
  for (int64_t i = 0; i < n; ++i) {
    space.first[i] = pivots.l[i];
    space.second[i] = pivots.b[i];
  }
  const LanePivots<double, kAnyOrder> moved = {{n, n}, space.third, space.first, space.second};
  for (int k = 0; k < given.terms; k += kPoles) {
    if (eigen::is_cancelled(cancel)) return false;
    Vec<double> poles = broadcast(1.0), weights{};
    for (int q = 0; q < kPoles && k + q < given.terms; ++q) {
      poles[q] = given.poles[k + q];
      weights[q] = given.scale * given.weights[k + q];
    }
    resolvent_pivots(moved, poles, weights, space.a, space.heads, space.ratios);
    add_rows(n, space, k == 0, x);
  }
  const eigen::Congruence<T> congruence(form.matrix, form.tau, space.congruence);
  return congruence.apply(x, n, cancel);
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
