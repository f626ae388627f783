// A norm of every matrix.
#include <algorithm>
#include <cmath>
#include <limits>

#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "../core/planner.hpp"
#include "../core/report.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "factor_probe.hpp"
#include "gram_of_rows.hpp"
#include "lambda_max.hpp"
#include "norm/lanes.hpp"
#include "scratch.hpp"
#include "symmetric_input.hpp"

namespace kronroot::cpu {
namespace {

constexpr int kIterations = 4;

template <typename T>
T largest_element(const Kernels<T>& kernels, const Matrix<T>& a) {
  T largest = 0;
  for (int64_t i = 0; i < a.rows; ++i) {
    const T of_row = kernels.largest_magnitude(a.cols, &a(i, 0));
    if (!(of_row <= largest)) largest = of_row;
    if (!std::isfinite(largest)) break;
  }
  return largest;
}

// Sums of squares in f64 need no scaling in f32; in f64 the matrix is scaled, since their range is that of its
// elements.
template <typename T>
double frobenius(const Kernels<T>& kernels, const Matrix<T>& a, int exponent) {
  Scratch scratch;
  T* row = sizeof(T) == 8 && exponent != 0 ? scratch.take<T>(a.cols) : nullptr;
  double squares = 0;
  for (int64_t i = 0; i < a.rows; ++i) {
    const T* data = &a(i, 0);
    if (row != nullptr) {
      std::copy_n(data, a.cols, row);
      scale_by_power_of_two(a.cols, row, -exponent);
      data = row;
    }
    squares += kernels.dot(a.cols, data, data);
  }
  return row != nullptr ? std::ldexp(std::sqrt(squares), exponent) : std::sqrt(squares);
}

template <typename T>
double largest_row_sum(const Kernels<T>& kernels, const Matrix<T>& a) {
  double largest = 0;
  for (int64_t i = 0; i < a.rows; ++i) largest = std::max(largest, kernels.magnitude_sum(a.cols, &a(i, 0)));
  return largest;
}

template <typename T>
double largest_column_sum(const Kernels<T>& kernels, const Matrix<T>& a) {
  Scratch scratch;
  double* sums = scratch.take<double>(a.cols);
  std::fill_n(sums, a.cols, 0.0);
  for (int64_t i = 0; i < a.rows; ++i) kernels.add_magnitudes(a.cols, &a(i, 0), sums);
  return *std::max_element(sums, sums + a.cols);
}

// sigma_max^2 is the largest eigenvalue of the Gram matrix of the short side.
template <typename T>
double spectral(const KernelSet& set, const Matrix<T>& a) {
  const Kernels<T>& kernels = kernels_of<T>(set);
  const bool tall = a.rows > a.cols;
  const int64_t m = std::min(a.rows, a.cols), n = std::max(a.rows, a.cols);
  Scratch scratch;
  T* b = scratch.take<T>(m * n);
  T* gram = scratch.take<T>(m * m);
  int exponent = 0;
  read_scaled(kernels, a, tall, b, &exponent);
  gram_of_rows(kernels, m, n, b, gram);
  const double bound = std::sqrt(lambda_max_bound<T>(set, m, gram, m));
  return std::ldexp(bound * (1 + static_cast<double>(n) * ulp_of<T>), exponent);
}

// x <- A^T (A x) / |..|, |A x| / |x|; vectors in f64.
template <typename T>
double spectral_lower(const KernelSet& set, const Matrix<T>& a, int iterations) {
  const Kernels<T>& kernels = kernels_of<T>(set);
  const int64_t m = a.rows, n = a.cols;
  Scratch scratch;
  T* b = scratch.take<T>(m * n);
  double* x = scratch.take<double>(n);
  double* y = scratch.take<double>(m);
  int exponent = 0;
  read_scaled(kernels, a, false, b, &exponent);
  double longest = -1;
  const T* start = b;
  for (int64_t i = 0; i < m; ++i) {
    const double squares = kernels.dot(n, b + i * n, b + i * n);
    if (squares > longest) start = b + i * n;
    longest = std::max(longest, squares);
  }
  std::copy_n(start, n, x);
  double found = 0;
  for (int step = 0;; ++step) {
    const double length = std::sqrt(set.f64.dot(n, x, x));
    if (length == 0) return 0;  // A = 0
    kernels.dot_rows_wide(m, n, b, n, x, y);
    found = std::max(found, std::sqrt(set.f64.dot(m, y, y)) / length);
    if (step == iterations) return std::ldexp(found, exponent);
    std::fill_n(x, n, 0.0);
    for (int64_t i = 0; i < m; ++i) kernels.axpy_wide(n, y[i] / length, b + i * n, x);
  }
}

// Steps of SPECTRAL_LOWER, 0 for other kinds.
int steps_of(const kr_norm_estimate_options& options) {
  if (options.kind != KR_NORM_SPECTRAL_LOWER) return 0;
  return options.iterations == 0 ? kIterations : options.iterations;
}

template <typename T>
kr_report stored(double norm, const kr_report& report, const Matrix<T>& value) {
  const T rounded = static_cast<T>(norm);
  if (!std::isfinite(rounded)) return failed(KR_STATUS_OVERFLOW);
  value(0, 0) = rounded;
  return report;
}

template <typename T>
kr_report measure(const KernelSet& set, const kr_norm_estimate_options& options, const Matrix<T>& a,
                  const Matrix<T>& value) {
  const Kernels<T>& kernels = kernels_of<T>(set);
  kr_report report = answered(KR_METHOD_DIRECT);
  if (a.rows == 0 || a.cols == 0) {
    value(0, 0) = 0;
    return report;
  }
  const double largest = largest_element(kernels, a);
  if (!std::isfinite(largest)) return failed(KR_STATUS_NON_FINITE_INPUT);
  int exponent = 0;
  std::frexp(largest, &exponent);
  double norm = largest;
  switch (options.kind) {
    case KR_NORM_FROBENIUS:
      norm = frobenius(kernels, a, exponent);
      break;
    case KR_NORM_ONE:
      norm = largest_column_sum(kernels, a);
      break;
    case KR_NORM_INFINITY:
      norm = largest_row_sum(kernels, a);
      break;
    case KR_NORM_MAX:
      break;
    case KR_NORM_SPECTRAL_LOWER:
      report.iterations = steps_of(options);
      norm = spectral_lower(set, a, report.iterations);
      break;
    default:
      norm = largest == 0 ? 0 : spectral(set, a);
  }
  return stored(norm, report, value);
}

// A group, one matrix to a lane.
template <typename T>
void measure_group(const Kernels<T>& kernels, const kr_norm_estimate_options& options, const kr_batch& a,
                   const kr_batch& values, int64_t first, int count, kr_report* reports) {
  NormLanes<T> op{};
  op.kind = options.kind;
  op.iterations = steps_of(options);
  op.a = lane_group<const T>(a, first, count);
  Scratch scratch;
  kernels.norm_lanes(op, scratch.take<T>(kernels.norm_lanes_workspace(a.rows, a.cols, op.kind)));
  for (int lane = 0; lane < count; ++lane) {
    kr_report report = answered(KR_METHOD_DIRECT);
    report.iterations = op.iterations;
    reports[lane] = op.status[lane] == KR_STATUS_OK ? stored(op.norm[lane], report, matrix_of<T>(values, first + lane))
                                                    : failed(op.status[lane]);
  }
}

template <typename T>
kr_code run(const kr_call* call, const kr_norm_estimate_options& options, const kr_batch& a, const kr_batch& values,
            kr_report* reports) {
  const double m = static_cast<double>(a.rows), n = static_cast<double>(a.cols), shorter = std::min(m, n);
  const double flops = options.kind == KR_NORM_SPECTRAL ? m * n * shorter + 4 * shorter * shorter * shorter
                       : options.kind == KR_NORM_SPECTRAL_LOWER
                           ? 4 * m * n * std::max<double>(kIterations, options.iterations)
                           : 2 * m * n;
  const bool is_spectral = options.kind == KR_NORM_SPECTRAL || options.kind == KR_NORM_SPECTRAL_LOWER;
  const LaneOp op = is_spectral ? LaneOp::spectral_norm : LaneOp::exact_norm;
  const bool is_empty = a.rows == 0 || a.cols == 0;
  if (!is_empty && plan_lanes(*call->device->crossovers, op, a.dtype, std::max(a.rows, a.cols), a.batch)) {
    const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
    return report_groups(call, a.batch, kernels.lanes, flops, reports,
                         [&](int64_t first, int count, kr_report* of_group) {
                           measure_group(kernels, options, a, values, first, count, of_group);
                         });
  }
  return report_each(call, a.batch, flops, reports, [&](int64_t index) {
    return measure(*call->device->kernels, options, matrix_of<T>(a, index), matrix_of<T>(values, index));
  });
}

}  // namespace

kr_code norm_estimate(const kr_call* call, const kr_norm_estimate_options* given, const kr_batch* a,
                      const kr_batch* values, kr_report* reports) {
  if (const kr_code code = check_norm_estimate(call, given, a, values)) return code;
  const kr_norm_estimate_options options = given == nullptr ? kr_norm_estimate_options{} : *given;
  return a->dtype == KR_F32 ? run<float>(call, options, *a, *values, reports)
                            : run<double>(call, options, *a, *values, reports);
}

}  // namespace kronroot::cpu
