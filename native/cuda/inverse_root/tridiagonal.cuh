// Householder reduction of a symmetric matrix to tridiagonal form, T = Q^T A Q, by the threads of a team, in f64. Q is
// not kept.
//
// A thread has a column: A x is the sum over the rows, read along them. The rank-2 update of a step waits for the
// product with the next step's vector and is made in the same pass. Where the columns left are few the threads share
// them, each a part of the rows.
// Source: Golub and Van Loan, Matrix Computations, section 8.3.1.
#pragma once

#include <cmath>

#include "../team.cuh"

namespace kronroot::cuda {

// Vector: Shared<double> or Global<double>.
template <typename Vector>
struct Tridiagonal {
  int n;
  Vector diagonal;
  Vector couplings;  // couplings[k] joins k and k + 1
};

// n numbers each, but for `partial`, which has one for each thread of the team.
template <typename Vector>
struct TridiagonalWork {
  Vector v, w, next, product, partial;

  // Elements of all of them.
  static constexpr int elements(int n, int team) { return 4 * n + team; }
  // In `memory`.
  __device__ static TridiagonalWork in(Vector memory, int n) {
    return {memory, memory + n, memory + 2 * n, memory + 3 * n, memory + 4 * n};
  }
};

// Rows [begin, end) of column i: A - v w^T - w v^T, and their share of its product with `next`.
template <typename Square, typename Vector>
__device__ __forceinline__ double update_column(const Square& a, const TridiagonalWork<Vector>& work, int i, int begin,
                                                int end) {
  constexpr int together = 4;  // loads ahead of the stores that might be of the same place
  const double vi = work.v[i], wi = work.w[i];
  double sum = 0;
  int j = begin;
  for (; j + together <= end; j += together) {
    double x[together];
#pragma unroll
    for (int r = 0; r < together; ++r) {
      const double vj = work.v[j + r], wj = work.w[j + r];
      x[r] = a.load(j + r, i) - vj * wi - wj * vi;
    }
#pragma unroll
    for (int r = 0; r < together; ++r) {
      const double next = work.next[j + r];
      a.store(j + r, i, x[r]);
      sum += x[r] * next;
    }
  }
  for (; j < end; ++j) {
    const double vj = work.v[j], wj = work.w[j], next = work.next[j];
    const double x = a.load(j, i) - vj * wi - wj * vi;
    a.store(j, i, x);
    sum += x * next;
  }
  return sum;
}

// product = scale A next over rows and columns from `begin` on, after the update.
template <typename Team, typename Square, typename Vector>
__device__ void update_and_multiply(const Team& team, int n, const Square& a, const TridiagonalWork<Vector>& work,
                                    int begin, double scale) {
  const int columns = n - begin;
  const int rounded = (columns + warp_size - 1) / warp_size * warp_size;
  const int parts = team.size() / rounded;
  if (parts < 2) {
    for (int i = begin + team.rank(); i < n; i += team.size()) {
      const double sum = update_column(a, work, i, begin, n);
      work.product[i] = scale * sum;
    }
    team.sync();
    return;
  }
  const int part = team.rank() / rounded, i = begin + team.rank() % rounded;
  const int rows = (columns + parts - 1) / parts;
  const int first = begin + part * rows, last = first + rows < n ? first + rows : n;
  if (part < parts && i < n) work.partial[team.rank()] = update_column(a, work, i, first, last);
  team.sync();
  for (int c = team.rank(); c < columns; c += team.size()) {
    double sum = 0;
    for (int each = 0; each < parts; ++each) {
      const double term = work.partial[each * rounded + c];
      sum += term;
    }
    work.product[begin + c] = scale * sum;
  }
  team.sync();
}

// A is overwritten.
template <typename Team, typename Square, typename Vector>
__attribute__((noinline)) __device__ void tridiagonalize(const Team& team, const Square& a,
                                                         TridiagonalWork<Vector> work, const Tridiagonal<Vector>& t) {
  // Below it a column counts as 0: its square would underflow.
  constexpr double tiny = 1e-280;
  const int n = t.n;
  for (int i = team.rank(); i < n; i += team.size()) {
    work.v[i] = 0;
    work.w[i] = 0;
  }
  team.sync();
  for (int k = 0; k < n; ++k) {
    const double vk = work.v[k], wk = work.w[k];
    double squares = 0;
    for (int i = k + team.rank(); i < n; i += team.size()) {
      const double vi = work.v[i], wi = work.w[i];
      const double x = a.load(k, i) - vi * wk - wi * vk;
      work.next[i] = x;
      if (i == k) {
        t.diagonal[k] = x;
      } else {
        squares += x * x;
      }
    }
    if (k + 1 == n) break;
    squares = team.sum(squares);
    team.sync();
    // The next v = x - alpha e_1 with alpha = -sign(x_1) |x|; I - scale v v^T maps x to alpha e_1.
    const double first = work.next[k + 1];
    const double size = sqrt(squares), product = squares + size * std::abs(first);
    const bool is_zero = product < tiny, is_last = k + 2 == n;
    const double scale = is_zero ? 0 : 1 / product;
    team.sync();
    if (team.rank() == 0) {
      t.couplings[k] = is_last ? first : is_zero ? 0 : -copysign(size, first);
      work.next[k + 1] = first + copysign(size, first);
    }
    team.sync();
    if (is_last) continue;
    update_and_multiply(team, n, a, work, k + 1, scale);
    double along = 0;
    for (int i = k + 1 + team.rank(); i < n; i += team.size()) {
      const double p = work.product[i], next = work.next[i];
      along += p * next;
    }
    const double half = team.sum(along) * scale / 2;
    for (int i = k + 1 + team.rank(); i < n; i += team.size()) {
      const double p = work.product[i], next = work.next[i];
      work.product[i] = p - half * next;
    }
    team.sync();
    const Vector v = work.v, w = work.w;
    work.v = work.next;
    work.w = work.product;
    work.next = v;
    work.product = w;
  }
  team.sync();
}

}  // namespace kronroot::cuda
