#include "factorization.hpp"

#include <algorithm>
#include <cmath>

#include "../core/report.hpp"
#include "../core/ridge.hpp"
#include "symmetric_eigen.hpp"

namespace kronroot::reference {
namespace {

Dense mirrored_lower(const Dense& a) {
  Dense s = a;
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = 0; j < i; ++j) s(j, i) = a(i, j);
  }
  return s;
}

// KR_RIDGE_DEFAULT means none here. NaN where an eigenvalue is needed and was not found.
double epsilon_of(const Dense& a, const kr_cholesky_options& options, int32_t dtype) {
  if (options.ridge == KR_RIDGE_DEFAULT) return 0;
  double trace = 0, lambda_max = 0;
  for (int64_t i = 0; i < a.rows(); ++i) trace += a(i, i);
  if (options.ridge == KR_RIDGE_RELATIVE) {
    const SymmetricEigen eigen = symmetric_eigen(a);
    if (!eigen.converged) return not_measured;
    lambda_max = std::ldexp(eigen.values.back(), eigen.exponent);
  }
  return ridge_epsilon(options.ridge, options.ridge_value, lambda_max, trace, a.rows(), dtype);
}

}  // namespace

// Column by column: l_jj = sqrt(a_jj - sum_k l_jk^2), l_ij = (a_ij - sum_k l_ik l_jk) / l_jj.
// Source: Golub and Van Loan, algorithm 4.2.1.
Factorization factorize(const Dense& a, const kr_cholesky_options& options, int32_t dtype) {
  const int64_t n = a.rows();
  Factorization result;
  result.condition = not_measured;
  result.ridged = mirrored_lower(a);
  result.lower = Dense(n, n);
  if (n == 0) return result;
  if (!is_finite(result.ridged)) {
    result.status = KR_STATUS_NON_FINITE_INPUT;
    return result;
  }
  const double epsilon = epsilon_of(result.ridged, options, dtype);
  if (std::isnan(epsilon)) {
    result.status = KR_STATUS_NOT_CONVERGED;
    return result;
  }
  for (int64_t i = 0; i < n; ++i) result.ridged(i, i) += epsilon;

  Dense& l = result.lower;
  double largest = 0, smallest = HUGE_VAL;
  for (int64_t j = 0; j < n; ++j) {
    double pivot = result.ridged(j, j);
    for (int64_t k = 0; k < j; ++k) pivot -= l(j, k) * l(j, k);
    if (!(pivot > 0)) {
      result.status = KR_STATUS_NOT_POSITIVE_DEFINITE;
      result.failing_pivot = static_cast<int32_t>(j);
      return result;
    }
    l(j, j) = std::sqrt(pivot);
    largest = std::max(largest, l(j, j));
    smallest = std::min(smallest, l(j, j));
    for (int64_t i = j + 1; i < n; ++i) {
      double sum = result.ridged(i, j);
      for (int64_t k = 0; k < j; ++k) sum -= l(i, k) * l(j, k);
      l(i, j) = sum / l(j, j);
    }
  }
  result.condition = (largest / smallest) * (largest / smallest);
  return result;
}

Vector solve_lower(const Dense& l, Vector b) {
  for (int64_t i = 0; i < l.rows(); ++i) {
    for (int64_t k = 0; k < i; ++k) b[static_cast<size_t>(i)] -= l(i, k) * b[static_cast<size_t>(k)];
    b[static_cast<size_t>(i)] /= l(i, i);
  }
  return b;
}

Vector solve_lower_transposed(const Dense& l, Vector b) {
  for (int64_t i = l.rows() - 1; i >= 0; --i) {
    for (int64_t k = i + 1; k < l.rows(); ++k) b[static_cast<size_t>(i)] -= l(k, i) * b[static_cast<size_t>(k)];
    b[static_cast<size_t>(i)] /= l(i, i);
  }
  return b;
}

}  // namespace kronroot::reference
