#include "spd_factor.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "../core/report.hpp"
#include "../core/ridge.hpp"
#include "eigh.hpp"
#include "lambda_max.hpp"
#include "spd/lanes.hpp"
#include "triangular.hpp"

namespace kronroot::cpu {
namespace {

// Elements of this magnitude and its inverse are factorised as they are: products of two elements of U, down to an ulp
// of them, stay normal numbers.
template <typename T>
constexpr int kHarmlessExponent = sizeof(T) == 4 ? 40 : 400;

// max |a_ij| over the lower triangle, infinite or NaN when an element is.
template <typename T>
T largest_magnitude(const Kernels<T>& kernels, const Matrix<T>& a) {
  T largest = 0;
  for (int64_t i = 0; i < a.rows; ++i) {
    const T of_row = kernels.largest_magnitude(i + 1, &a(i, 0));
    if (!(of_row <= largest)) largest = of_row;
    if (!std::isfinite(largest)) break;
  }
  return largest;
}

// Rows of U lie further apart than n where n would put them all into the same cache sets.
template <typename T>
int64_t stride_of(int64_t n) {
  constexpr int64_t kLine = 64 / int64_t{sizeof(T)};
  return n % (4 * kLine) == 0 && n > 4 * kLine ? n + kLine : n;
}

// The upper triangle from the lower one, diagonal included; what is left below the diagonal is garbage.
template <typename T>
void transpose_lower(const Kernels<T>& kernels, const Matrix<T>& a, const Matrix<T>& u) {
  constexpr int64_t kBand = 64;
  for (int64_t i = 0; i < a.rows; i += kBand) {
    const int64_t rows = std::min(a.rows - i, kBand);
    kernels.transpose(rows, i + rows, &a(i, 0), a.stride, &u(0, i), u.stride);
  }
}

// An upper bound of lambda_max(A), at most 5 % above, for the symmetric s. s may be destroyed.
//
// lambda_max_bound bounds the spectral radius rho, which is larger where -lambda_min is. Below a relative ridge of 0.9
// that makes no difference: such a matrix is not positive definite with either, since 0.9 * 1.05 rho < -lambda_min.
// Above, the eigenvalues are computed.
template <typename T>
double lambda_max_of(const KernelSet& kernels, double relative_ridge, const Matrix<T>& s) {
  const int64_t n = s.rows;
  if (relative_ridge < kLargeRelativeRidge) return lambda_max_bound(kernels, n, s.data, s.stride);
  Scratch scratch;
  T* copy = scratch.take<T>(n * n);
  T* values = scratch.take<T>(n);
  T largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      copy[i * n + j] = s(i, j);
      largest = std::max(largest, std::abs(s(i, j)));
    }
  }
  int exponent = 0;
  std::frexp(largest, &exponent);
  if (decompose_symmetric<T>(kernels, n, exponent, copy, values, nullptr) < 0) return not_measured;
  return values[n - 1] * (1 + static_cast<double>(n) * ulp_of<T>);
}

// epsilon for the matrix whose upper triangle is in u and whose lower triangle is in a; NaN where an eigenvalue was
// needed and not found. KR_RIDGE_DEFAULT means none here.
template <typename T>
double epsilon_of(const KernelSet& kernels, const kr_cholesky_options& options, const Matrix<T>& a,
                  const Matrix<T>& u) {
  double trace = 0, lambda_max = 0;
  for (int64_t i = 0; i < a.rows; ++i) trace += a(i, i);
  if (options.ridge == KR_RIDGE_DEFAULT) return 0;
  if (options.ridge == KR_RIDGE_RELATIVE && options.ridge_value > 0) {
    for (int64_t i = 0; i < a.rows; ++i) std::copy_n(&a(i, 0), i + 1, &u(i, 0));
    lambda_max = lambda_max_of(kernels, options.ridge_value, u);
  }
  const int32_t dtype = std::is_same_v<T, float> ? KR_F32 : KR_F64;
  return ridge_epsilon(options.ridge, options.ridge_value, lambda_max, trace, a.rows, dtype);
}

}  // namespace

template <typename T>
SpdFactor<T> factorize_spd(const KernelSet& set, const kr_cholesky_options& options, const Matrix<T>& a,
                           Scratch& scratch) {
  const Kernels<T>& kernels = kernels_of<T>(set);
  const int64_t n = a.rows;
  SpdFactor<T> factor;
  factor.a = a;
  if (n == 0) {
    factor.report = answered(KR_METHOD_DIRECT);
    return factor;
  }
  const T largest = largest_magnitude(kernels, a);
  if (!std::isfinite(largest)) {
    factor.report = failed(KR_STATUS_NON_FINITE_INPUT);
    return factor;
  }
  // An absolute ridge counts: beside a large one a small A is not worth scaling up.
  const bool absolute = options.ridge == KR_RIDGE_ABSOLUTE;
  int exponent = 0;
  std::frexp(std::max<double>(largest, absolute ? options.ridge_value : 0), &exponent);
  if (std::abs(exponent) > kHarmlessExponent<T>) {
    factor.exponent = exponent / 2 * 2;
    factor.a = {scratch.take<T>(n * n), n, n, n};
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j <= i; ++j) factor.a(i, j) = std::ldexp(a(i, j), -factor.exponent);
    }
  }
  const int64_t stride = stride_of<T>(n);
  factor.u = {scratch.take<T>(n * stride), n, n, stride};
  transpose_lower(kernels, factor.a, factor.u);
  kr_cholesky_options scaled = options;
  if (absolute) scaled.ridge_value = std::ldexp(options.ridge_value, -factor.exponent);
  factor.epsilon = epsilon_of(set, scaled, factor.a, factor.u);
  if (std::isnan(factor.epsilon)) {
    factor.report = failed(KR_STATUS_NOT_CONVERGED);
    return factor;
  }
  for (int64_t i = 0; i < n; ++i) {
    factor.u(i, i) = static_cast<T>(static_cast<double>(factor.a(i, i)) + factor.epsilon);
    if (std::isinf(factor.u(i, i))) {
      factor.report = failed(KR_STATUS_OVERFLOW);
      return factor;
    }
  }
  const int64_t pivot = factorize(kernels, n, factor.u.data, stride);
  if (pivot >= 0) {
    factor.report = failed(KR_STATUS_NOT_POSITIVE_DEFINITE, static_cast<int32_t>(pivot));
    return factor;
  }
  double most = 0, least = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < n; ++i) {
    most = std::max<double>(most, factor.u(i, i));
    least = std::min<double>(least, factor.u(i, i));
  }
  factor.report = answered(KR_METHOD_CHOLESKY);
  factor.report.condition = (most / least) * (most / least);
  return factor;
}

template <typename T>
void multiply_spd(const Kernels<T>& kernels, const SpdFactor<T>& factor, const double* x, double* y) {
  for (int64_t i = 0; i < factor.a.rows; ++i) {
    const T* row = &factor.a(i, 0);
    kernels.axpy_wide(i, x[i], row, y);
    y[i] = kernels.dot_wide(i + 1, row, x) + factor.epsilon * x[i];
  }
}

template <typename T>
double frobenius_norm(const Kernels<T>& kernels, const SpdFactor<T>& factor) {
  double squares = 0;
  for (int64_t i = 0; i < factor.a.rows; ++i) {
    const double diagonal = static_cast<double>(factor.a(i, i)) + factor.epsilon;
    squares += 2 * kernels.dot(i, &factor.a(i, 0), &factor.a(i, 0)) + diagonal * diagonal;
  }
  return std::sqrt(squares);
}

template <typename T>
bool scale_back(const Kernels<T>& kernels, const Matrix<T>& x, int exponent) {
  bool finite = true;
  for (int64_t i = 0; i < x.rows; ++i) {
    T* row = &x(i, 0);
    if (exponent != 0) {
      for (int64_t j = 0; j < x.cols; ++j) row[j] = std::ldexp(row[j], exponent);
    }
    finite = finite && std::isfinite(kernels.largest_magnitude(x.cols, row));
  }
  return finite;
}

template SpdFactor<float> factorize_spd(const KernelSet&, const kr_cholesky_options&, const Matrix<float>&, Scratch&);
template SpdFactor<double> factorize_spd(const KernelSet&, const kr_cholesky_options&, const Matrix<double>&, Scratch&);
template void multiply_spd(const Kernels<float>&, const SpdFactor<float>&, const double*, double*);
template void multiply_spd(const Kernels<double>&, const SpdFactor<double>&, const double*, double*);
template double frobenius_norm(const Kernels<float>&, const SpdFactor<float>&);
template double frobenius_norm(const Kernels<double>&, const SpdFactor<double>&);
template bool scale_back(const Kernels<float>&, const Matrix<float>&, int);
template bool scale_back(const Kernels<double>&, const Matrix<double>&, int);

}  // namespace kronroot::cpu
