// One matrix of inverse_root, read and scaled, as every method takes it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../../core/crossovers.hpp"
#include "../../core/matrix.hpp"
#include "../../core/partial_fractions.hpp"
#include "../../core/rational.hpp"
#include "../../core/report.hpp"
#include "../../core/ridge.hpp"
#include "../kernels.hpp"

namespace kronroot::cpu {

template <typename T>
inline constexpr int32_t dtype_of = sizeof(T) == 4 ? KR_F32 : KR_F64;

// Relative error of a sum of partial fractions.
template <typename T>
inline constexpr double fraction_tolerance = std::max(ulp_of<T>, least_fraction_tolerance);

// S = V diag(values) V^T in f64, ascending, eigenvector j in column j.
struct KnownEigen {
  const double* values;
  const double* vectors;  // n x n with stride n
  int64_t sweeps;
};

// S = (A + A^T) / 2 times 2^-exponent, largest magnitude in [1/2, 1). Methods answer with
//   root_scale (S + epsilon I)^{-1/p},   which is (A + epsilon' I)^{-1/p} times a power of two, 2^-result_exponent.
template <typename T>
struct RootProblem {
  const KernelSet& kernels;
  const Crossovers& crossovers;
  const kr_inverse_root_options& options;  // ridge_value in units of S under KR_RIDGE_ABSOLUTE
  const int32_t* cancel;
  Root root;
  int64_t n;
  const T* symmetric;  // S, n x n with stride n
  int exponent;
  double trace;  // of S
  // Where the lanes found that eigenvalues have to decide, they computed them; else null.
  const KnownEigen* known = nullptr;

  bool pseudo_inverse() const { return options.ridge == KR_RIDGE_PSEUDO_INVERSE; }
  double epsilon(double lambda_max) const {
    return ridge_epsilon(options.ridge, options.ridge_value, lambda_max, trace, n, dtype_of<T>);
  }

  // (2^exponent)^{-b/a} = 2^result_exponent 2^{result_remainder / a} with 0 <= result_remainder < a
  int result_exponent() const {
    const int power = (root.inverse ? -1 : 1) * exponent * root.b;
    return (power - (power % root.a + root.a) % root.a) / root.a;  // rounded down
  }
  int result_remainder() const { return (root.inverse ? -1 : 1) * exponent * root.b - result_exponent() * root.a; }
  double root_scale() const { return std::exp2(static_cast<double>(result_remainder()) / root.a); }
};

// - sum of lambda v v^T over the negative eigenvalues, which count as 0: added to S it is the matrix that was inverted.
struct NegativePart {
  int64_t n = 0;
  std::vector<double> values;   // lambda < 0
  std::vector<double> vectors;  // v, one after the other

  // y += part x
  void add_to(const double* x, double* y) const {
    for (size_t k = 0; k < values.size(); ++k) {
      const double* v = vectors.data() + static_cast<int64_t>(k) * n;
      double along = 0;
      for (int64_t i = 0; i < n; ++i) along += v[i] * x[i];
      for (int64_t i = 0; i < n; ++i) y[i] -= values[k] * along * v[i];
    }
  }
};

// What a method makes of a problem.
struct RootAttempt {
  enum class Outcome {
    answered,
    unsuitable,  // this method cannot answer, another may
    refused,     // the matrix has no answer: report.status says why
    cancelled,
  };
  Outcome outcome = Outcome::unsuitable;
  kr_report report{};  // without residual
  double epsilon = 0;  // in units of S
  NegativePart negative;
};

}  // namespace kronroot::cpu
