// epsilon of A + epsilon I, and the thresholds of inverse_root's defined answers (ops.h, kr_ridge and inverse_root).
#pragma once

#include <algorithm>
#include <cstdint>

#include "../include/kronroot/ops.h"
#include "matrix.hpp"

namespace kronroot {

constexpr double ulp_of_dtype(int32_t dtype) { return dtype == KR_F32 ? ulp_of<float> : ulp_of<double>; }

// The relative ridge of KR_RIDGE_DEFAULT. One decade above the f32 rounding of an accumulated gram matrix, and
// the same distance in digits from f64's.
constexpr double default_relative_ridge(int32_t dtype) { return dtype == KR_F32 ? 1e-6 : 1e-12; }

// epsilon of a ridge. lambda_max and trace belong to the symmetrised A; negative ones count as 0, because epsilon >= 0.
// Modes that use neither do not read them. Real is double; the reference passes long double, whose range
// holds eigenvalues that double does not.
template <typename Real>
constexpr Real ridge_epsilon(int32_t mode, double value, Real lambda_max, Real trace, int64_t n, int32_t dtype) {
  switch (mode) {
    case KR_RIDGE_DEFAULT:
      return static_cast<Real>(default_relative_ridge(dtype)) * std::max<Real>(lambda_max, 0);
    case KR_RIDGE_ABSOLUTE:
      return static_cast<Real>(value);
    case KR_RIDGE_RELATIVE:
      return static_cast<Real>(value) * std::max<Real>(lambda_max, 0);
    case KR_RIDGE_TRACE:
      return n == 0 ? Real(0) : static_cast<Real>(value) * std::max<Real>(trace, 0) / static_cast<Real>(n);
    default:  // KR_RIDGE_NONE, KR_RIDGE_PSEUDO_INVERSE
      return 0;
  }
}

// Eigenvalues of A not above this are rounding: the direction counts as null space (RANK_DEFICIENT).
template <typename Real>
constexpr Real null_threshold(Real lambda_max, int64_t n, int32_t dtype) {
  return static_cast<Real>(n) * static_cast<Real>(ulp_of_dtype(dtype)) * std::max<Real>(lambda_max, 0);
}

// Under KR_RIDGE_PSEUDO_INVERSE eigenvalues not above this contribute nothing.
template <typename Real>
constexpr Real pseudo_inverse_cutoff(double value, Real lambda_max, int64_t n, int32_t dtype) {
  return std::max(null_threshold(lambda_max, n, dtype), static_cast<Real>(value) * std::max<Real>(lambda_max, 0));
}

// tau: eigenvalues in [-tau, 0) count as 0, smaller ones make the matrix not positive definite.
template <typename Real>
constexpr Real negative_tolerance(Real epsilon, Real lambda_max, int64_t n, int32_t dtype) {
  return std::max<Real>(epsilon, 8 * null_threshold(lambda_max, n, dtype));
}

}  // namespace kronroot
