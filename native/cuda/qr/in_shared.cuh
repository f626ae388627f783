// qr of matrices whose columns fit into shared memory, up to 256 rows: one launch, one block a matrix. Every warp works
// the reflector out for itself, so that one barrier a step is left, and holds v_k in registers, 32 E components. Then
// a warp takes four columns of Q at a time in registers, from the last reflector that sees them to the first.
// Shared memory: n columns an odd number of elements apart, 3 l elements, 3 m + l doubles.
// Source: Golub and Van Loan, Matrix Computations, algorithm 5.2.1; Q by backward accumulation, 5.1.6.
#pragma once

#include "../batch.cuh"
#include "../eigen/reflector.cuh"
#include "../eigen/warp_sums.cuh"
#include "../launch.hpp"
#include "probe.cuh"

namespace kronroot::cuda {

inline constexpr int qr_threads = 256;
inline constexpr int64_t most_rows_in_shared = 256;

template <typename T>
struct QrMemory {
  Shared<T> columns;  // of A, then R above the diagonal and what v_k are made of below
  Shared<T> tau, scale, diagonal;
  Shared<double> image, rebuilt, combined;  // A z, Q R z, Q y
  Shared<double> coordinates;               // R z
  Shared<double> partial;

  __host__ __device__ static QrMemory take(SharedArena& arena, int m, int n) {
    const int l = m < n ? m : n;
    return {arena.take<T>(n * (m | 1)), arena.take<T>(l),      arena.take<T>(l),
            arena.take<T>(l),           arena.take<double>(m), arena.take<double>(m),
            arena.take<double>(m),      arena.take<double>(l), arena.take<double>(qr_threads / warp_size)};
  }
};

// One matrix; its columns are held by lanes in E components, 32 apart.
template <typename T, int E>
class SharedQr {
 public:
  __device__ SharedQr(const QrMemory<T>& memory, int m, int n)
      : memory_(memory), m_(m), n_(n), l_(m < n ? m : n), stride_(m | 1) {}

  // A 2^-exponent into the columns; false where an element is not finite. Ends with a barrier.
  __device__ bool read(const MatrixView<const T>& a) {
    double largest = 0, is_bad = 0;
    for (int i = warp_index(); i < m_; i += warp_count()) {
      for (int j = lane_index(); j < n_; j += warp_size) {
        const T x = a(i, j);
        if (!(x - x == 0)) is_bad = 1;
        largest = std::max(largest, x - x == 0 ? std::abs(static_cast<double>(x)) : 0.0);
        memory_.columns[j * stride_ + i] = x;
      }
    }
    if (block_max(is_bad, memory_.partial) != 0) return false;
    largest = block_max(largest, memory_.partial);
    if (largest > 0) std::frexp(largest, &exponent_);
    const PowerOfTwo down(-exponent_);
    double squares = 0;
    for (int j = warp_index(); j < n_; j += warp_count()) {
      for (int i = lane_index(); i < m_; i += warp_size) {
        const T x = memory_.columns[j * stride_ + i];
        const T scaled = static_cast<T>(down.times(static_cast<double>(x)));
        memory_.columns[j * stride_ + i] = scaled;
        squares += static_cast<double>(scaled) * static_cast<double>(scaled);
      }
    }
    errors_.squares_of_a = block_sum(squares, memory_.partial);
    for (int i = thread_index(); i < m_; i += block_threads()) {
      double sum = 0;
      for (int j = 0; j < n_; ++j) sum += static_cast<double>(T(memory_.columns[j * stride_ + i])) * probe(j);
      memory_.image[i] = sum;
    }
    sync_block();
    return true;
  }

  __device__ void factor() {
    for (int k = 0; k < l_; ++k) {
      T v[E];
      load(k, k, v);
      const T alpha = memory_.columns[k * stride_ + k];
      const Reflector<T> reflector = reflector_of_column(alpha, [&](T scale) {
        T squares = 0;
#pragma unroll
        for (int e = 0; e < E; ++e) squares += component(e) == k ? T(0) : (scale * v[e]) * (scale * v[e]);
        return warp_sum(squares);
      });
#pragma unroll
      for (int e = 0; e < E; ++e) v[e] = component(e) == k ? T(1) : v[e] * reflector.scale;
      for (int first = k + 1 + warp_index() * at_once; first < n_; first += warp_count() * at_once) {
        T x[at_once][E];
#pragma unroll
        for (int c = 0; c < at_once; ++c) load(first + c < n_ ? first + c : n_ - 1, k, x[c]);
        reflect(v, reflector.tau, x);
#pragma unroll
        for (int c = 0; c < at_once; ++c) {
#pragma unroll
          for (int e = 0; e < E; ++e) {
            const int i = component(e);
            if (first + c < n_ && i >= k && i < m_) memory_.columns[(first + c) * stride_ + i] = x[c][e];
          }
        }
      }
      if (thread_index() == 0) {
        memory_.tau[k] = reflector.tau;
        memory_.scale[k] = reflector.scale;
        memory_.diagonal[k] = reflector.beta;
      }
      sync_block();
    }
  }

  __device__ double condition() const {
    double most = 0, least = -std::numeric_limits<double>::infinity();
    for (int k = thread_index(); k < l_; k += block_threads()) {
      const double size = std::abs(static_cast<double>(T(memory_.diagonal[k])));
      most = std::max(most, size);
      least = std::max(least, -size);
    }
    most = block_max(most, memory_.partial);
    return condition_of_diagonal(most, -block_max(least, memory_.partial));
  }

  // Whether R is in range.
  __device__ bool fits() const {
    const PowerOfTwo up(exponent_);
    double is_bad = 0;
    for (int k = warp_index(); k < l_; k += warp_count()) {
      for (int j = k + lane_index(); j < n_; j += warp_size) {
        const T x = static_cast<T>(up.times(element_of_r(k, j)));
        if (!(x - x == 0)) is_bad = 1;
      }
    }
    return block_max(is_bad, memory_.partial) == 0;
  }

  __device__ void write_r(const MatrixView<T>& r) const {
    const PowerOfTwo up(exponent_);
    for (int k = warp_index(); k < r.rows; k += warp_count()) {
      for (int j = lane_index(); j < n_; j += warp_size) {
        r(k, j) = j < k ? T(0) : static_cast<T>(up.times(element_of_r(k, j)));
      }
    }
  }

  // Q, and the residual; without R, of its orthonormality alone.
  __device__ double write_q(const MatrixView<T>& q, bool measures_product) {
    const int count = static_cast<int>(q.cols);
    for (int k = thread_index(); k < l_; k += block_threads()) {
      double sum = 0;
      for (int j = k; j < n_; ++j) sum += element_of_r(k, j) * probe(j);
      memory_.coordinates[k] = sum;
    }
    sync_block();
    double rebuilt[E] = {}, combined[E] = {};
    for (int first = warp_index() * at_once; first < count; first += warp_count() * at_once) {
      T x[at_once][E];
      form(first, x);
#pragma unroll
      for (int c = 0; c < at_once; ++c) {
        const int i = first + c;
        if (i >= count) continue;
        const double sign = probe(i), coordinate = i < l_ ? double(memory_.coordinates[i]) : 0.0;
#pragma unroll
        for (int e = 0; e < E; ++e) {
          rebuilt[e] += static_cast<double>(x[c][e]) * coordinate;
          combined[e] += static_cast<double>(x[c][e]) * sign;
          if (component(e) < m_) q(component(e), i) = x[c][e];
        }
      }
    }
    for (int warp = 0; warp < warp_count(); ++warp) {
#pragma unroll
      for (int e = 0; e < E; ++e) {
        const int i = component(e);
        if (warp != warp_index() || i >= m_) continue;
        memory_.rebuilt[i] = rebuilt[e] + (warp == 0 ? 0.0 : double(memory_.rebuilt[i]));
        memory_.combined[i] = combined[e] + (warp == 0 ? 0.0 : double(memory_.combined[i]));
      }
      sync_block();
    }
    double apart = 0, lost = 0;
    for (int i = thread_index(); i < m_ && measures_product; i += block_threads()) {
      const double difference = double(memory_.rebuilt[i]) - double(memory_.image[i]);
      apart += difference * difference;
    }
    for (int k = thread_index(); k < count; k += block_threads()) {
      double back = -probe(k);
      for (int i = 0; i < m_; ++i) back += static_cast<double>(q(i, k)) * double(memory_.combined[i]);
      lost += back * back;
    }
    errors_.of_product = block_sum(apart, memory_.partial);
    errors_.of_q = block_sum(lost, memory_.partial);
    return errors_.residual(n_, count);
  }

 private:
  // Columns that a warp takes at a time.
  static constexpr int at_once = 4;

  __device__ static int component(int e) { return e * warp_size + lane_index(); }

  // Components of column j from `from` on, zeros elsewhere.
  __device__ __forceinline__ void load(int j, int from, T (&x)[E]) const {
#pragma unroll
    for (int e = 0; e < E; ++e) {
      const int i = component(e);
      x[e] = i >= from && i < m_ ? T(memory_.columns[j * stride_ + i]) : T(0);
    }
  }

  __device__ __forceinline__ static void reflect(const T (&v)[E], T tau, T (&x)[at_once][E]) {
    T sums[at_once];
#pragma unroll
    for (int c = 0; c < at_once; ++c) {
      sums[c] = 0;
#pragma unroll
      for (int e = 0; e < E; ++e) sums[c] += v[e] * x[c][e];
    }
    sum_all(sums);
#pragma unroll
    for (int c = 0; c < at_once; ++c) {
      const T share = tau * sums[c];
#pragma unroll
      for (int e = 0; e < E; ++e) x[c][e] -= share * v[e];
    }
  }

  // Columns first, ..., first + 3 of Q.
  __device__ __forceinline__ void form(int first, T (&x)[at_once][E]) const {
#pragma unroll
    for (int c = 0; c < at_once; ++c) {
      const T own = first + c < l_ && sign_of(first + c) < 0 ? T(-1) : T(1);
#pragma unroll
      for (int e = 0; e < E; ++e) x[c][e] = component(e) == first + c ? own : T(0);
    }
    for (int k = std::min(first + at_once, l_) - 1; k >= 0; --k) {
      const T scale = memory_.scale[k], tau = memory_.tau[k];
      T v[E];
      load(k, k, v);
#pragma unroll
      for (int e = 0; e < E; ++e) v[e] = component(e) == k ? T(1) : v[e] * scale;
      reflect(v, tau, x);
    }
  }

  __device__ T sign_of(int k) const {
    const T own = memory_.diagonal[k];
    return own < 0 ? T(-1) : T(1);
  }
  // r_kj 2^-exponent, k <= j, k < l.
  __device__ double element_of_r(int k, int j) const {
    if (j == k) return std::abs(static_cast<double>(T(memory_.diagonal[k])));
    return static_cast<double>(sign_of(k) * T(memory_.columns[j * stride_ + k]));
  }

  QrMemory<T> memory_;
  int m_, n_, l_, stride_;
  int exponent_ = 0;
  QrErrors errors_;
};

template <typename T, int E>
__global__ void __launch_bounds__(qr_threads, E == 8 ? 1 : 2)
    qr_in_shared(BatchView<const T> a, BatchView<T> q, BatchView<T> r, Global<kr_report> reports) {
  const int64_t b = block_index();
  const int m = static_cast<int>(a.rows), n = static_cast<int>(a.cols);
  SharedArena arena;
  SharedQr<T, E> matrix(QrMemory<T>::take(arena, m, n), m, n);
  kr_report report = failed(KR_STATUS_NON_FINITE_INPUT);
  if (matrix.read(a[b])) {
    matrix.factor();
    report = answered(KR_METHOD_HOUSEHOLDER);
    report.condition = matrix.condition();
    if (r.data && !matrix.fits()) report = failed(KR_STATUS_OVERFLOW);
  }
  if (!is_failure(report) && r.data) matrix.write_r(r[b]);
  if (!is_failure(report) && q.data) report.residual = matrix.write_q(q[b], static_cast<bool>(r.data));
  if (reports && thread_index() == 0) reports[b] = report;
}

}  // namespace kronroot::cuda
