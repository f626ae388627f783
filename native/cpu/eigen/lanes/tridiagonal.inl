// Householder reduction of one symmetric matrix in every lane: T = H_1 ... H_{n-1} A H_{n-1} ... H_1, the maths of
// ../tridiagonal.inl. Row k of the lower triangle is reduced to its last element, from the last row up; the rank-two
// update of a step is carried out in the pass that makes the product of the next one, so the triangle is read and
// written once a step.
#pragma once

#include "panels.inl"

namespace kronroot::cpu {
namespace {
namespace eigen_lanes {

// Rows that share one pass over the triangle; their operands have to fit the registers.
constexpr int kPassRows = kVectorBytes == 64 ? 4 : 2;

// A - v w^T - w v^T waits to be subtracted; x is the vector to multiply by.
template <typename T>
struct Pending {
  const T* v;
  const T* minus_w;
  const T* x;
};

// Rows i .. i + Rows - 1 left of column i: A <- A - v w^T - w v^T, y(rows) += A x, y += A^T x(rows); then the block on
// the diagonal.
template <typename T, int Rows>
[[gnu::always_inline]] inline void update_rows(T* a, int64_t stride, int64_t i, const Pending<T>& pending, T* y) {
  constexpr int W = kWidth<T>;
  Vec<T> vi[Rows], wi[Rows], xi[Rows], total[Rows];
  T* row[Rows];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
    vi[r] = load(pending.v + (i + r) * W);
    wi[r] = load(pending.minus_w + (i + r) * W);
    xi[r] = load(pending.x + (i + r) * W);
    total[r] = Vec<T>{};
    row[r] = a + (i + r) * stride * W;
  }
  for (int64_t j = 0; j < i; ++j) {
    const Vec<T> vj = load(pending.v + j * W), wj = load(pending.minus_w + j * W), xj = load(pending.x + j * W);
    Vec<T> yj = load(y + j * W);
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      const Vec<T> element = fma(wi[r], vj, fma(vi[r], wj, load(row[r] + j * W)));
      store(row[r] + j * W, element);
      total[r] = fma(element, xj, total[r]);
      yj = fma(element, xi[r], yj);
    }
    store(y + j * W, yj);
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int q = 0; q <= r; ++q) {
      T* place = row[r] + (i + q) * W;
      const Vec<T> element = fma(wi[r], vi[q], fma(vi[r], wi[q], load(place)));
      store(place, element);
      total[r] = fma(element, xi[q], total[r]);
      if (q < r) total[q] = fma(element, xi[r], total[q]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) store(y + (i + r) * W, total[r]);
}

// y = A x on the leading k x k triangle, which is updated in the same pass.
template <typename T>
[[gnu::noinline]] void update_and_multiply(T* a, int64_t stride, int64_t k, const Pending<T>& pending, T* y) {
  int64_t i = 0;
  for (; i + kPassRows <= k; i += kPassRows) update_rows<T, kPassRows>(a, stride, i, pending, y);
  for (; i < k; ++i) update_rows<T, 1>(a, stride, i, pending, y);
}

// The reflector that takes x (count elements) to beta e_last; x is overwritten by v and tau returned. Where the norm is
// far below rounding there is none: tau = 0, v = 0.
template <typename T>
Vec<T> make_reflector(int64_t count, T* x, Vec<T>* beta) {
  constexpr int W = kWidth<T>;
  constexpr T kNegligible = sizeof(T) == 4 ? T(1e-30) : T(1e-60);
  Vec<T> sums[2] = {};
  for (int64_t j = 0; j < count - 1; ++j) {
    const Vec<T> each = load(x + j * W);
    sums[j % 2] = fma(each, each, sums[j % 2]);
  }
  const Vec<T> sigma = sums[0] + sums[1], alpha = load(x + (count - 1) * W);
  const Mask<T> none = sigma <= broadcast(kNegligible);
  const Vec<T> norm = square_root(fma(alpha, alpha, sigma));
  const Vec<T> reflected = copy_sign<T>(norm, -alpha);
  const Vec<T> zero{}, one = broadcast(T{1});
  const Vec<T> scale = select<T>(none, zero, one / select<T>(none, one, alpha - reflected));
  for (int64_t j = 0; j < count - 1; ++j) store(x + j * W, load(x + j * W) * scale);
  store(x + (count - 1) * W, select<T>(none, zero, one));
  *beta = select<T>(none, alpha, reflected);
  return select<T>(none, zero, (reflected - alpha) / select<T>(none, one, reflected));
}

// a: n x n with row stride `stride`, lower triangle; on return row k holds v_k (k elements) and tau[k] its factor
// (tau[0] = 0). d (n) and e (n; e[k] couples k and k + 1). workspace: 3 n vectors.
template <typename T>
void tridiagonalise(int64_t n, T* a, int64_t stride, T* d, T* e, T* tau, T* workspace) {
  constexpr int W = kWidth<T>;
  T* minus_w = workspace;
  T* y = workspace + n * W;
  T* none = workspace + 2 * n * W;  // of the first step, before which nothing is pending
  for (int64_t j = 0; j < n * W; ++j) minus_w[j] = none[j] = 0;
  for (int64_t k = n - 1; k > 0; --k) {
    T* row = a + k * stride * W;
    const T* v = k == n - 1 ? none : row + stride * W;
    const Vec<T> vk = load(v + k * W), wk = load(minus_w + k * W);
    for (int64_t j = 0; j <= k; ++j) {
      store(row + j * W, fma(wk, load(v + j * W), fma(vk, load(minus_w + j * W), load(row + j * W))));
    }
    store(d + k * W, load(row + k * W));
    Vec<T> beta;
    const Vec<T> factor = make_reflector(k, row, &beta);
    store(e + (k - 1) * W, beta);
    store(tau + k * W, factor);
    update_and_multiply<T>(a, stride, k, {v, minus_w, row}, y);
    Vec<T> products[2] = {};
    for (int64_t j = 0; j < k; ++j) products[j % 2] = fma(load(y + j * W), load(row + j * W), products[j % 2]);
    const Vec<T> half = broadcast(T(-0.5)) * factor * (products[0] + products[1]);
    for (int64_t j = 0; j < k; ++j) store(minus_w + j * W, -factor * fma(half, load(row + j * W), load(y + j * W)));
  }
  const T* v = n > 1 ? a + stride * W : none;
  store(d, fma(broadcast(T{2}), load(v) * load(minus_w), load(a)));
  store(e + (n - 1) * W, Vec<T>{});
  store(tau, Vec<T>{});
}

}  // namespace eigen_lanes
}  // namespace
}  // namespace kronroot::cpu
