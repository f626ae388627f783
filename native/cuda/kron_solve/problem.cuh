// What the kernels of kron_solve share: the problem, its scale and its quotients.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "../../core/matrix.hpp"
#include "../../core/random.hpp"
#include "../../core/report.hpp"
#include "../../core/ridge.hpp"
#include "../batch.cuh"
#include "../decay.cuh"

namespace kronroot::cuda {

// The operands and numbers of a call; operands that it lacks have no data.
template <typename T>
struct KronProblem {
  BatchView<const T> x, a, a_values, b, b_values, scale;
  BatchView<T> statistics, y;
  Global<kr_report> reports;
  bool is_root;  // power 1/2
  int32_t damping;
  double damping_value, factor, epsilon;
  bool reads_statistics;  // beta is not 0
  Decay<T> decay;
  T weight;

  __device__ __forceinline__ bool has_scale() const { return scale.data || statistics.data; }
  __device__ __forceinline__ T blended(T old, T z) const {
    const T square = weight * z * z;  // z z alone may overflow where this does not
    return reads_statistics ? decay.plus(old, square) : square;
  }
};

template <typename T>
inline constexpr int32_t dtype_of_kron = sizeof(T) == 4 ? KR_F32 : KR_F64;

template <typename T>
__device__ __forceinline__ bool is_finite(T x) {
  return x - x == 0;
}

__device__ __forceinline__ double probe_sign(int64_t index) {
  return random_sign(probe_stream, static_cast<uint64_t>(index));
}

__device__ __forceinline__ int32_t detail_of(int64_t index) {
  return index > std::numeric_limits<int32_t>::max() ? -1 : static_cast<int32_t>(index);
}

// Of values or scales: KR_STATUS_OK and the largest one; or what is wrong, and the index of the first one that is
// negative beyond rounding.
struct Spectrum {
  int32_t status = KR_STATUS_OK;
  int64_t negative = -1;
  double largest = 0;
};

// The extremes of some of the elements of a scale.
struct Extremes {
  bool is_finite = true;
  double smallest = 0, largest = 0;

  template <typename T>
  __device__ __forceinline__ void add(T s) {
    const auto x = static_cast<double>(s);
    if (!cuda::is_finite(s)) {
      is_finite = false;
    } else {
      smallest = x < smallest ? x : smallest;
      largest = x > largest ? x : largest;
    }
  }
  // Over the block, the same in every thread.
  __device__ __forceinline__ Extremes over_block(Shared<double> partial) const {
    return {block_max(is_finite ? 0.0 : 1.0, partial) == 0, -block_max(-smallest, partial),
            block_max(largest, partial)};
  }
  // Elements below it are negative beyond rounding (ops.h); `order` is the larger side of the matrix.
  template <typename T>
  __device__ __forceinline__ double lowest(int64_t order) const {
    const double magnitude = largest > -smallest ? largest : -smallest;
    return -8 * static_cast<double>(order) * ulp_of<T> * magnitude;
  }
};

// The smallest index that a thread of the block brings, the same in every thread; none where all bring `none`.
__device__ __forceinline__ int64_t first_of_block(int64_t index, Shared<double> partial) {
  return static_cast<int64_t>(-block_max(-static_cast<double>(index), partial));
}

// By a whole block; at(i) is element i of count.
template <typename T, typename At>
__device__ Spectrum spectrum_of(int64_t count, int64_t order, const At& at, Shared<double> partial) {
  Extremes own;
  for (int64_t i = thread_index(); i < count; i += block_threads()) own.add(T(at(i)));
  const Extremes all = own.over_block(partial);
  if (!all.is_finite) return {KR_STATUS_NON_FINITE_INPUT, -1, 0};
  const double lowest = all.lowest<T>(order);
  if (all.smallest >= lowest) return {KR_STATUS_OK, -1, all.largest};
  int64_t first = count;
  for (int64_t i = thread_index(); i < count && first == count; i += block_threads()) {
    if (static_cast<double>(T(at(i))) < lowest) first = i;
  }
  return {KR_STATUS_NOT_POSITIVE_DEFINITE, first_of_block(first, partial), 0};
}

template <typename T>
__device__ __forceinline__ Spectrum spectrum_of_values(const BatchView<const T>& values, int64_t b,
                                                       Shared<double> partial) {
  if (!values.data) return {KR_STATUS_OK, -1, 1};
  const MatrixView<const T> each = values[b];
  return spectrum_of<T>(
      each.rows, each.rows, [&each](int64_t i) { return each(i, 0); }, partial);
}

// Of the products a_i b_j; ones where there are no values. By a whole block.
template <typename T>
__device__ Spectrum spectrum_of_values(const KronProblem<T>& problem, int64_t b, Shared<double> partial) {
  const Spectrum of_a = spectrum_of_values(problem.a_values, b, partial);
  if (of_a.status != KR_STATUS_OK) return of_a;
  const Spectrum of_b = spectrum_of_values(problem.b_values, b, partial);
  if (of_b.status != KR_STATUS_OK) return of_b;
  return {KR_STATUS_OK, -1, of_a.largest * of_b.largest};
}

template <typename T>
__device__ __forceinline__ double value_of(const BatchView<const T>& values, int64_t b, int64_t i) {
  if (!values.data) return 1;
  const auto value = static_cast<double>(values[b](i, 0));
  return value > 0 ? value : 0;
}

// factor s + damping of the elements that were not dropped, and how many these are.
struct DivisorRange {
  double smallest = std::numeric_limits<double>::infinity();
  double largest = 0;
  double kept = 0;

  __device__ __forceinline__ DivisorRange over_block(Shared<double> partial) const {
    return {-block_max(-smallest, partial), block_max(largest, partial), block_sum(kept, partial)};
  }
  // Of a matrix of `count` elements.
  __device__ __forceinline__ void report_to(kr_report& report, int64_t count) const {
    report.condition = kept == 0 ? not_measured : largest / smallest;
    if (kept < static_cast<double>(count)) report = rank_deficient(report, static_cast<int64_t>(kept));
  }
};

// z / ((factor s + damping)^power + epsilon) in f64, and 0 where that divides by 0. Negative s count as 0.
struct Divisor {
  double factor, damping, epsilon;
  bool is_root;

  __device__ __forceinline__ double quotient(double z, double s, DivisorRange& range) const {
    const double damped = std::fma(s > 0 ? s : 0.0, factor, damping);
    const double divisor = (is_root ? std::sqrt(damped) : damped) + epsilon;
    if (!(divisor > 0)) return 0;
    range.smallest = damped < range.smallest ? damped : range.smallest;
    range.largest = damped > range.largest ? damped : range.largest;
    range.kept += 1;
    return z / divisor;
  }
};

// `largest` is that of s, to which a damping may be relative.
template <typename T>
__device__ __forceinline__ Divisor divisor_of(const KronProblem<T>& problem, double largest) {
  const double damping =
      ridge_epsilon<double>(problem.damping, problem.damping_value, problem.factor * largest, 0, 1, dtype_of_kron<T>);
  return {problem.factor, damping, problem.epsilon, problem.is_root};
}

// |error|_2 / |result|_F from their squares; 0 where there is no error.
__device__ __forceinline__ double relative(double error_square, double norm_square) {
  return error_square == 0 ? 0 : std::sqrt(error_square / norm_square);
}

}  // namespace kronroot::cuda
