// qr of matrices with sides up to N = 8, 16 or 32 in the registers of N lanes: lane j holds column j of A, in the end
// what R has of it above the diagonal and v_j below, and column j of Q. Of a reflector the lanes get v_k element by
// element from lane k; their products v_k^T a_j are their own. One launch, no shared memory.
// Source: Golub and Van Loan, Matrix Computations, algorithm 5.2.1; Q by backward accumulation, 5.1.6.
#pragma once

#include "../batch.cuh"
#include "../eigen/reflector.cuh"
#include "../eigen/warp_sums.cuh"
#include "../launch.hpp"
#include "../parts.cuh"
#include "probe.cuh"

namespace kronroot::cuda {

// Component `lane` of X w, column j of X and w_j in lane j.
template <int N, typename T>
__device__ __forceinline__ double multiply_columns(const T (&column)[N], double w) {
  double terms[N];
#pragma unroll
  for (int i = 0; i < N; ++i) terms[i] = static_cast<double>(column[i]) * w;
  return sum_for_lane<N, N>(terms);
}

// v_k from lane k, k + 1, ..., N - 1; times tau also.
template <int N, typename T>
__device__ __forceinline__ void reflect_column(const T (&v)[N], T tau, int k, T (&x)[N]) {
  T sum = x[k];
#pragma unroll
  for (int i = k + 1; i < N; ++i) sum += v[i] * x[i];
  const T share = tau * sum;
  x[k] -= share;
#pragma unroll
  for (int i = k + 1; i < N; ++i) x[i] -= share * v[i];
}

// v_k below the diagonal of column k, R elsewhere; tau of the lane's own column.
template <int N, typename T>
__device__ __forceinline__ void factor_columns(int count, T (&column)[N], T& own_tau) {
  const int lane = thread_index() % N;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    if (k >= count) break;
    const T alpha = shuffle(column[k], k, N);
    T v[N];
#pragma unroll
    for (int i = k + 1; i < N; ++i) v[i] = shuffle(column[i], k, N);
    const Reflector<T> reflector = reflector_of_column(alpha, [&](T scale) {
      T squares = 0;
#pragma unroll
      for (int i = k + 1; i < N; ++i) squares += (scale * v[i]) * (scale * v[i]);
      return squares;
    });
#pragma unroll
    for (int i = k + 1; i < N; ++i) v[i] *= reflector.scale;
    if (lane > k) reflect_column(v, reflector.tau, k, column);
    if (lane == k) {
      own_tau = reflector.tau;
      column[k] = reflector.beta;
#pragma unroll
      for (int i = k + 1; i < N; ++i) column[i] = v[i];
    }
  }
}

// Column `lane` of H_0 H_1 ... times `sign`.
template <int N, typename T>
__device__ __forceinline__ void form_columns(int count, const T (&column)[N], T own_tau, T sign, T (&q)[N]) {
  const int lane = thread_index() % N;
#pragma unroll
  for (int i = 0; i < N; ++i) q[i] = i == lane ? sign : T(0);
#pragma unroll
  for (int k = N - 1; k >= 0; --k) {
    if (k >= count) continue;
    T v[N];
#pragma unroll
    for (int i = k + 1; i < N; ++i) v[i] = shuffle(column[i], k, N);
    reflect_column(v, shuffle(own_tau, k, N), k, q);
  }
}

template <typename T, int N>
__global__ void __launch_bounds__(part_threads, N == 32 ? 2 : 3)
    qr_in_parts(BatchView<const T> a, BatchView<T> q_out, BatchView<T> r_out, Global<kr_report> reports) {
  const PartPlace<N> place = PartPlace<N>::of(a.batch);
  const int m = static_cast<int>(a.rows), n = static_cast<int>(a.cols), l = m < n ? m : n, lane = place.lane;
  const bool wants_q = static_cast<bool>(q_out.data), wants_r = static_cast<bool>(r_out.data);
  T column[N], largest = 0;
  bool finite = true;
  const MatrixView<const T> given = a[place.b];
#pragma unroll
  for (int i = 0; i < N; ++i) {
    column[i] = i < m && lane < n ? given(i, lane) : T(0);
    finite = finite && column[i] - column[i] == 0;
    largest = std::abs(column[i]) > largest ? std::abs(column[i]) : largest;
  }
  finite = all_of_part<N>(finite);
  largest = part_max<N>(finite ? largest : T(0));
  int exponent = 0;
  if (largest > 0) std::frexp(static_cast<double>(largest), &exponent);
  const PowerOfTwo down(-exponent), up(exponent);
  QrErrors errors;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    column[i] = finite ? static_cast<T>(down.times(static_cast<double>(column[i]))) : T(0);
    errors.squares_of_a += static_cast<double>(column[i]) * static_cast<double>(column[i]);
  }
  errors.squares_of_a = part_sum<N>(errors.squares_of_a);
  const double image = wants_q && wants_r ? multiply_columns(column, probe(lane)) : 0;

  T tau = 0;
  factor_columns(l, column, tau);
  T own = 0;
#pragma unroll
  for (int i = 0; i < N; ++i) own = i == lane && i < l ? column[i] : own;
  const T sign = own < 0 ? T(-1) : T(1);
  kr_report report = answered(KR_METHOD_HOUSEHOLDER);
  const double size = std::abs(static_cast<double>(own)), infinity = std::numeric_limits<double>::infinity();
  report.condition = condition_of_diagonal(part_max<N>(size), -part_max<N>(lane < l ? -size : -infinity));
  if (!finite) report = failed(KR_STATUS_NON_FINITE_INPUT);

  double coordinate = 0;
  if (wants_r) {
    T r[N];
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const T of_row = shuffle(sign, k, N);
      r[k] = k > lane || k >= l ? T(0) : k == lane ? std::abs(own) : column[k] * of_row;
    }
    if (wants_q) coordinate = multiply_columns(r, probe(lane));
    bool fits = true;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      r[k] = static_cast<T>(up.times(static_cast<double>(r[k])));
      fits = fits && r[k] - r[k] == 0;
    }
    fits = all_of_part<N>(fits);
    if (finite && !fits) report = failed(KR_STATUS_OVERFLOW);
    const MatrixView<T> to = r_out[place.b];
#pragma unroll
    for (int k = 0; k < N; ++k) {
      if (place.is_present && !is_failure(report) && k < to.rows && lane < n) to(k, lane) = r[k];
    }
  }
  if (wants_q) {
    T q[N];
    form_columns(l, column, tau, sign, q);
    const int count = static_cast<int>(q_out.cols);
    if (wants_r) {
      const double difference = multiply_columns(q, coordinate) - image;
      errors.of_product = part_sum<N>(lane < m ? difference * difference : 0);
    }
    const double combined = multiply_columns(q, lane < count ? probe(lane) : 0.0);
    double back = -probe(lane);
#pragma unroll
    for (int i = 0; i < N; ++i) back += static_cast<double>(q[i]) * shuffle(combined, i, N);
    errors.of_q = part_sum<N>(lane < count ? back * back : 0);
    if (!is_failure(report)) report.residual = errors.residual(n, count);
    const MatrixView<T> to = q_out[place.b];
#pragma unroll
    for (int i = 0; i < N; ++i) {
      if (place.is_present && !is_failure(report) && i < m && lane < count) to(i, lane) = q[i];
    }
  }
  if (reports && place.is_present && lane == 0) reports[place.b] = report;
}

}  // namespace kronroot::cuda
