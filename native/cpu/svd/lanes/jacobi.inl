// One-sided Jacobi in every lane: the rows of W are turned in pairs until they are orthogonal, those of J with them.
//   theta = (|w_q|^2 - |w_p|^2) / (2 w_p . w_q),   t = sign(theta) / (|theta| + sqrt(1 + theta^2)),
//   w_p <- c w_p - s w_q,   w_q <- s w_p + c w_q,   c = 1 / sqrt(1 + t^2), s = c t,
// or, where that leaves row p the shorter one, with -1 / t in place of t: long rows move to the front, which saves
// sweeps. Source: Hestenes, J. SIAM 6 (1958); de Rijk, SIAM J. Sci. Stat. Comput. 10 (1989).
#pragma once

#include "../../lanes/matrix.inl"
#include "../jacobi.hpp"

namespace kronroot::cpu {
namespace {
namespace svd {

template <typename T>
Vec<T> dot_of_rows(int64_t n, const T* x, const T* y) {
  constexpr int W = kWidth<T>;
  Vec<T> even{}, odd{};
  int64_t j = 0;
  for (; j + 2 <= n; j += 2) {
    even = fma(load(x + j * W), load(y + j * W), even);
    odd = fma(load(x + (j + 1) * W), load(y + (j + 1) * W), odd);
  }
  if (j < n) even = fma(load(x + j * W), load(y + j * W), even);
  return even + odd;
}

template <typename T>
struct Rotation {
  Vec<T> c, s, t;
};

// The rotation for rows with these squares and product, the identity in lanes that are not to be turned.
template <typename T>
Rotation<T> rotation_of(Mask<T> wanted, Vec<T> pp, Vec<T> qq, Vec<T> pq) {
  const Vec<T> one = broadcast(T{1}), theta = (qq - pp) / (pq + pq);
  const Vec<T> small = copy_sign<T>(one / (absolute<T>(theta) + square_root(fma(theta, theta, one))), theta);
  const Vec<T> t = select<T>(wanted, small, Vec<T>{});
  const Vec<T> length = square_root(fma(t, t, one));
  const Mask<T> exchange = wanted & (fma(-t, pq, pp) < fma(t, pq, qq)) & (absolute<T>(t) > Vec<T>{});
  // With -1 / t: c = |t| / sqrt(1 + t^2), s = -sign(t) / sqrt(1 + t^2).
  const Vec<T> c = select<T>(exchange, absolute<T>(t), one) / length;
  const Vec<T> s = select<T>(exchange, -copy_sign<T>(one, t), t) / length;
  return {c, s, select<T>(exchange, -one / t, t)};
}

template <typename T>
void turn_rows(int64_t length, const Rotation<T>& rotation, T* p, T* q) {
  for (int64_t j = 0; j < length * kWidth<T>; j += kWidth<T>) {
    const Vec<T> x = load(p + j), y = load(q + j);
    store(p + j, fma(rotation.c, x, -rotation.s * y));
    store(q + j, fma(rotation.s, x, rotation.c * y));
  }
}

// `rows` rows of `length` vectors, of which the first n are W and the others turn with them. squares: `rows` vectors,
// |w_i|^2 on return. sweeps: of every lane, -1 where it did not converge.
template <typename T>
void orthogonalize_rows(int64_t rows, int64_t n, int64_t length, T* x, T* squares, int* sweeps) {
  constexpr int W = kWidth<T>;
  constexpr T kUlp = sizeof(T) == 4 ? T(0x1p-23) : T(0x1p-52);
  const T tolerance = kUlp * static_cast<T>(__builtin_sqrt(static_cast<double>(n)));
  const Vec<T> floor = broadcast(kShortestRow<T> * kShortestRow<T>);
  IntVec<T> count{};
  Mask<T> active = ~Mask<T>{};
  for (int sweep = 0; sweep < kMostSweeps && any<T>(active); ++sweep) {
    for (int64_t i = 0; i < rows; ++i) {
      const T* row = x + i * length * W;
      store(squares + i * W, dot_of_rows(n, row, row));
    }
    active = Mask<T>{};
    for (int64_t p = 0; p < rows; ++p) {
      T* row_p = x + p * length * W;
      for (int64_t q = p + 1; q < rows; ++q) {
        T* row_q = x + q * length * W;
        const Vec<T> pp = load(squares + p * W), qq = load(squares + q * W), pq = dot_of_rows(n, row_p, row_q);
        const Vec<T> limit = square_root(pp) * square_root(qq) * tolerance;
        const Mask<T> wanted = (absolute<T>(pq) > limit) & (pp > floor) & (qq > floor);
        if (!any<T>(wanted)) continue;
        active |= wanted;
        const Rotation<T> rotation = rotation_of<T>(wanted, pp, qq, pq);
        turn_rows(length, rotation, row_p, row_q);
        store(squares + p * W, fma(-rotation.t, pq, pp));
        store(squares + q * W, fma(rotation.t, pq, qq));
      }
    }
    count -= active;  // a set lane is -1
  }
  for (int l = 0; l < W; ++l) sweeps[l] = active[l] != 0 ? -1 : static_cast<int>(count[l]) + 1;
}

}  // namespace svd
}  // namespace
}  // namespace kronroot::cpu
