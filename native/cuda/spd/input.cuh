// What cholesky, spd_inverse and spd_solve do with A before they factorise it: the lower triangle is screened, scaled
// where its elements are very large or very small, and a ridge is added to its diagonal.
#pragma once

#include <algorithm>
#include <limits>

#include "../../core/report.hpp"
#include "../../core/ridge.hpp"
#include "../batch.cuh"

namespace kronroot::cuda {

template <typename T>
inline constexpr int32_t dtype_of = sizeof(T) == 4 ? KR_F32 : KR_F64;

// The ridge of a call. lambda_max: upper bounds for the batch, scaled as the matrices are, under KR_RIDGE_RELATIVE.
struct SpdRidge {
  int32_t mode;
  double value;
  Global<const double> lambda_max;
};

// KR_RIDGE_DEFAULT means none here.
inline SpdRidge ridge_of(const kr_cholesky_options& options, const double* lambda_max) {
  const int32_t mode = options.ridge == KR_RIDGE_DEFAULT ? static_cast<int32_t>(KR_RIDGE_NONE) : options.ridge;
  return {mode, options.ridge_value, Global<const double>(lambda_max)};
}

// The matrix that is factorised is (A + ridge) 2^-exponent. The exponent is even, and 0 unless A is very large or very
// small: products of two elements of L, down to an ulp of them, have to stay normal numbers. An absolute ridge counts,
// since beside a large one a small A is not worth scaling up.
template <typename T>
struct SpdScale {
  int exponent;
  double half;  // 2^(-exponent / 2)

  __device__ __forceinline__ static SpdScale of(double largest) {
    constexpr int harmless = sizeof(T) == 4 ? 40 : 400;
    int exponent = 0;
    frexp(largest, &exponent);
    if (exponent <= harmless && exponent >= -harmless) return {0, 1};
    exponent = exponent / 2 * 2;
    return {exponent, ldexp(1.0, -exponent / 2)};
  }
  __device__ __forceinline__ static SpdScale of(double largest, const SpdRidge& ridge) {
    return of(ridge.mode == KR_RIDGE_ABSOLUTE && ridge.value > largest ? ridge.value : largest);
  }
  // x 2^-exponent.
  __device__ __forceinline__ double down(double x) const { return x * half * half; }
  // x 2^exponent.
  __device__ __forceinline__ double up(double x) const { return x / half / half; }
};

// epsilon 2^-exponent of matrix b; the trace is that of the scaled matrix.
template <typename T>
__device__ __forceinline__ double scaled_epsilon(const SpdRidge& ridge, int64_t b, const SpdScale<T>& scale,
                                                 double trace, int64_t n) {
  const double value = ridge.mode == KR_RIDGE_ABSOLUTE ? scale.down(ridge.value) : ridge.value;
  const double lambda_max = ridge.mode == KR_RIDGE_RELATIVE && ridge.lambda_max ? ridge.lambda_max[b] : 0;
  return ridge_epsilon(ridge.mode, value, lambda_max, trace, n, dtype_of<T>);
}

template <typename T>
__device__ __forceinline__ bool is_finite(T x) {
  return x - x == 0;
}

// The report of a matrix that was factorised; the residual is still to come. pivot: of the failing one, or -1.
__device__ __forceinline__ kr_report factorised(int pivot, double most, double least) {
  if (pivot >= 0) return failed(KR_STATUS_NOT_POSITIVE_DEFINITE, pivot);
  kr_report report = answered(KR_METHOD_CHOLESKY);
  report.condition = (most / least) * (most / least);
  return report;
}

}  // namespace kronroot::cuda
