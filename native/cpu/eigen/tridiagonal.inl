// Householder reduction of a symmetric matrix to tridiagonal form, T = Q^T A Q.
//
// Row k = n-1, ..., 1 is reduced in turn (Wilkinson and Reinsch, Handbook II/2, tred2): the reflector
// H_k = I - tau_k v_k v_k^T acts on the indices below k, v_k has a 1 at index k-1, and H_k A H_k = A - v w^T - w v^T
// with
//   p = tau A v,   w = p - (tau / 2)(p . v) v.
// The rank-2 update is kept pending and applied in the same pass over the triangle that forms the next A v, so that
// each element is read and written once a step (4 fused multiply-adds a visit, n^3 / 6 visits).
//
// Only the lower triangle is touched, except for the blocks on the diagonal, which are kept full: then no vector needs
// a mask. What lies beyond the active order is multiplied by the zero padding of v and w.
#pragma once

#include "execution.inl"
#include "storage.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// v, minus_w: the pending update; x: the vector to multiply; all zero from the active order on.
template <typename T>
struct RankTwo {
  const T* v;
  const T* minus_w;
  const T* x;
};

// Element i: the sum of elements i and i ^ Step of a, or of b where i has the bit Step.
template <int Step, typename T, int... I>
inline Vec<T> fold(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
  constexpr int kCount = sizeof...(I);
  return __builtin_shufflevector(a, b, (I & Step ? I + kCount : I)...) +
         __builtin_shufflevector(a, b, (I & Step ? (I ^ Step) + kCount : I ^ Step)...);
}

template <typename T, int Step>
inline Vec<T> fold_above(Vec<T> v) {
  if constexpr (Step >= kWidth<T>) {
    return v;
  } else {
    return fold_above<T, 2 * Step>(fold<Step, T>(v, v, std::make_integer_sequence<int, kWidth<T>>{}));
  }
}

// sums[r] = the sum of the elements of v[r], all four in the same additions.
template <typename T>
inline void sum_four(const Vec<T> (&v)[4], T* sums) {
  constexpr std::make_integer_sequence<int, kWidth<T>> lanes;
  const Vec<T> first = fold<1, T>(v[0], v[1], lanes), second = fold<1, T>(v[2], v[3], lanes);
  if constexpr (kWidth<T> == 2) {
    store(sums, first);
    store(sums + 2, second);
  } else {
    const Vec<T> all = fold_above<T, 4>(fold<2, T>(first, second, lanes));
    for (int r = 0; r < 4; ++r) sums[r] = all[r];
  }
}

// For the rows i .. i + kRowsPerPass - 1: A <- A - v w^T - w v^T; dots[r] = row(i + r) . x up to the end of the
// diagonal block, and y += A(rows, j) x(rows) for the columns j left of it.
template <typename T>
[[gnu::always_inline]] inline void update_rows(Storage<T> a, int64_t i, RankTwo<T> pending, T* y, T* dots) {
  Vec<T> vi[kRowsPerPass], wi[kRowsPerPass], xi[kRowsPerPass], total[kRowsPerPass];
  T* row[kRowsPerPass];
  for (int r = 0; r < kRowsPerPass; ++r) {
    vi[r] = broadcast(pending.v[i + r]);
    wi[r] = broadcast(pending.minus_w[i + r]);
    xi[r] = broadcast(pending.x[i + r]);
    total[r] = Vec<T>{};
    row[r] = r == 0 ? a.row(i) : row[r - 1] + a.stride;
  }
  const int64_t diagonal = i / kBlock<T> * kBlock<T>;
  for (int64_t j = 0; j < diagonal; j += kWidth<T>) {
    const Vec<T> vj = load(pending.v + j), wj = load(pending.minus_w + j), xj = load(pending.x + j);
    Vec<T> yj = load(y + j);
    for (int r = 0; r < kRowsPerPass; ++r) {
      const Vec<T> aj = fma(wi[r], vj, fma(vi[r], wj, load(row[r] + j)));
      store(row[r] + j, aj);
      total[r] = fma(aj, xj, total[r]);
      yj = fma(aj, xi[r], yj);
    }
    store(y + j, yj);
  }
  for (int64_t j = diagonal; j < diagonal + kBlock<T>; j += kWidth<T>) {
    const Vec<T> vj = load(pending.v + j), wj = load(pending.minus_w + j), xj = load(pending.x + j);
    for (int r = 0; r < kRowsPerPass; ++r) {
      const Vec<T> aj = fma(wi[r], vj, fma(vi[r], wj, load(row[r] + j)));
      store(row[r] + j, aj);
      total[r] = fma(aj, xj, total[r]);
    }
  }
  sum_four<T>(total, dots);
}

// The pass over all rows below k. Where the triangle is larger than the cache passes go upwards and downwards in turn:
// each finds there what the one before it touched last. Not inlined: within its caller the compiler runs out of
// registers.
template <typename T>
[[gnu::noinline]] void update_and_multiply(Storage<T> a, int64_t k, RankTwo<T> pending, T* y, T* dots) {
  constexpr int64_t kCache = 1048576;
  const int64_t last = (k - 1) / kRowsPerPass * kRowsPerPass;
  const bool rises = k % 2 == 0 || k * k / 2 * int64_t{sizeof(T)} < kCache;
  for (int64_t i = 0; i <= last; i += kRowsPerPass) {
    const int64_t first = rises ? i : last - i;
    update_rows(a, first, pending, y, dots + first);
  }
}

template <typename T>
struct Reflector {
  T tau;
  T beta;  // what the reflected vector has at its last place
};

// The reflector that takes x (count elements) to beta e_last; x is overwritten by v. A norm below 1e-15 (f32) or 1e-30
// (f64) of the matrix' scale, where squares come near underflow, is far below rounding and counts as zero.
template <typename T>
inline Reflector<T> make_reflector(int64_t count, T* x) {
  constexpr T kNegligible = sizeof(T) == 4 ? T(1e-30) : T(1e-60);
  const T alpha = x[count - 1];
  const int64_t whole = (count - 1) / kWidth<T> * kWidth<T>;
  Vec<T> squares{};
  for (int64_t j = 0; j < whole; j += kWidth<T>) squares = fma(load(x + j), load(x + j), squares);
  T sigma = sum<T>(squares);
  for (int64_t j = whole; j < count - 1; ++j) sigma += x[j] * x[j];
  if (sigma <= kNegligible) {
    for (int64_t j = 0; j < count; ++j) x[j] = 0;
    return {0, alpha};
  }
  const T norm = square_root(sigma + alpha * alpha);
  const T beta = alpha < 0 ? norm : -norm;
  const T scale = 1 / (alpha - beta);
  const Vec<T> scales = broadcast(scale);
  for (int64_t j = 0; j < whole; j += kWidth<T>) store(x + j, load(x + j) * scales);
  for (int64_t j = whole; j < count - 1; ++j) x[j] *= scale;
  x[count - 1] = 1;
  return {(beta - alpha) / beta, beta};
}

// Elements of T that tridiagonalise needs as workspace.
template <typename T>
constexpr int64_t tridiagonal_workspace(int64_t n) {
  return 5 * padded<T>(n);
}

// a: destroyed; on return row k holds v_k (k elements, followed by zeros to the end of its diagonal block) and tau[k]
// its factor (tau[0] = 0). d (n) and e (n; e[k] couples k and k + 1) are the tridiagonal matrix. False when cancelled.
template <typename T>
bool tridiagonalise(Storage<T> a, double* d, double* e, T* tau, T* workspace, const int32_t* cancel) {
  const int64_t n = a.order;
  T* v = workspace;
  T* minus_w = v + padded<T>(n);
  T* x = minus_w + padded<T>(n);
  T* y = x + padded<T>(n);
  T* dots = y + padded<T>(n);
  for (int64_t j = 0; j < tridiagonal_workspace<T>(n); ++j) workspace[j] = 0;
  bool is_pending = false;
  for (int64_t k = n - 1; k > 0; --k) {
    if (is_cancelled(cancel)) return false;
    T* row = a.row(k);
    if (is_pending) {
      const Vec<T> vk = broadcast(v[k]), wk = broadcast(minus_w[k]);
      for (int64_t j = 0; j <= k; j += kWidth<T>) {
        store(row + j, fma(wk, load(v + j), fma(vk, load(minus_w + j), load(row + j))));
      }
      v[k] = minus_w[k] = 0;
    }
    d[k] = row[k];
    const Reflector<T> reflector = make_reflector(k, row);
    e[k - 1] = reflector.beta;
    tau[k] = reflector.tau;
    for (int64_t j = k; j < padded<T>(k + 1); ++j) row[j] = 0;
    if (!is_pending && reflector.tau == 0) continue;

    const int64_t length = padded<T>(k);
    for (int64_t j = 0; j < length; j += kWidth<T>) {
      store(x + j, load(row + j));
      store(y + j, Vec<T>{});
    }
    update_and_multiply<T>(a, k, {v, minus_w, x}, y, dots);
    // The last pass may reach beyond the active order; what it left there means nothing.
    for (int64_t j = k; j < length; ++j) y[j] = dots[j] = 0;
    Vec<T> products{};
    for (int64_t j = 0; j < length; j += kWidth<T>) {
      const Vec<T> yj = load(y + j) + load(dots + j);
      store(y + j, yj);
      products = fma(yj, load(x + j), products);
    }
    const Vec<T> minus_tau = broadcast(-reflector.tau);
    const Vec<T> half = broadcast(T(-0.5) * reflector.tau * sum<T>(products));
    for (int64_t j = 0; j < length; j += kWidth<T>) {
      const Vec<T> xj = load(x + j);
      store(v + j, xj);
      store(minus_w + j, minus_tau * fma(half, xj, load(y + j)));
    }
    is_pending = reflector.tau != 0;
  }
  d[0] = a.row(0)[0] + 2 * (v[0] * minus_w[0]);
  e[n - 1] = 0;
  tau[0] = 0;
  return true;
}

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
