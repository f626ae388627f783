// (A + epsilon I) X = B by U^T Y = B, U X = Y
#include <algorithm>
#include <cmath>

#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "product.hpp"
#include "spd/lanes.hpp"
#include "spd_factor.hpp"
#include "triangular.hpp"

namespace kronroot::cpu {
namespace {

template <typename T>
bool is_finite(const Kernels<T>& kernels, const Matrix<T>& x) {
  bool finite = true;
  for (int64_t i = 0; i < x.rows; ++i) finite = finite && std::isfinite(kernels.largest_magnitude(x.cols, &x(i, 0)));
  return finite;
}

// errors -= (A + epsilon I) 2^-exponent solutions, all of them in f64 and without gaps: one gemm, whatever T is.
template <typename T>
void subtract_product(const KernelSet& set, const SpdFactor<T>& factor, int64_t columns, const double* solutions,
                      double* errors) {
  const int64_t n = factor.a.rows;
  Scratch scratch;
  double* matrix = scratch.take<double>(n * n);
  constexpr int64_t kBand = 32;
  for (int64_t i = 0; i < n; i += kBand) {
    const int64_t end = std::min(n, i + kBand);
    for (int64_t r = i; r < end; ++r) {
      std::copy_n(&factor.a(r, 0), r + 1, matrix + r * n);
      matrix[r * n + r] += factor.epsilon;
      for (int64_t j = i; j < r; ++j) matrix[j * n + r] = matrix[r * n + j];
    }
    set.f64.transpose(end - i, i, matrix + i * n, n, matrix + i, n);
  }
  Product<double> product;
  product.m = product.k = n;
  product.n = columns;
  product.alpha = -1;
  product.a = matrix;
  product.a_stride = n;
  product.b = solutions;
  product.b_stride = columns;
  product.beta = 1;
  product.c = errors;
  product.c_stride = columns;
  multiply(set.f64, product);
}

// max over columns of |A x - b|_2 / (|A|_F |x|_2 + |b|_2) with A after the ridge; 0 for b = 0. x and A are scaled as
// the factor is, which leaves A x as it was.
template <typename T>
double residual_of(const KernelSet& set, const SpdFactor<T>& factor, const Matrix<T>& x, const Matrix<T>& b) {
  const int64_t n = x.rows, columns = x.cols;
  Scratch scratch;
  double* solutions = scratch.take<double>(n * columns);
  double* errors = scratch.take<double>(n * columns);
  for (int64_t i = 0; i < n; ++i) {
    std::copy_n(&x(i, 0), columns, solutions + i * columns);
    std::copy_n(&b(i, 0), columns, errors + i * columns);
  }
  if (columns == 1) {
    double* product = scratch.take<double>(n);
    multiply_spd(kernels_of<T>(set), factor, solutions, product);
    for (int64_t i = 0; i < n; ++i) errors[i] -= product[i];
  } else {
    subtract_product(set, factor, columns, solutions, errors);
  }

  double* error_squares = scratch.take<double>(columns);
  double* solution_squares = scratch.take<double>(columns);
  double* right_squares = scratch.take<double>(columns);
  for (double* squares : {error_squares, solution_squares, right_squares}) std::fill_n(squares, columns, 0.0);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      const double error = errors[i * columns + j], solution = solutions[i * columns + j], right = b(i, j);
      error_squares[j] += error * error;
      solution_squares[j] += solution * solution;
      right_squares[j] += right * right;
    }
  }
  const double size = frobenius_norm(kernels_of<T>(set), factor);
  double largest = 0;
  for (int64_t j = 0; j < columns; ++j) {
    if (error_squares[j] == 0) continue;
    const double scale = size * std::sqrt(solution_squares[j]) + std::sqrt(right_squares[j]);
    largest = std::max(largest, std::sqrt(error_squares[j]) / scale);
  }
  return largest;
}

template <typename T>
kr_report solve(const KernelSet& set, const kr_spd_solve_options& options, const Matrix<T>& a, const Matrix<T>& b,
                const Matrix<T>& out) {
  const Kernels<T>& kernels = kernels_of<T>(set);
  const int64_t n = b.rows, columns = b.cols;
  if (!is_finite(kernels, b)) return failed(KR_STATUS_NON_FINITE_INPUT);
  Scratch scratch;
  SpdFactor<T> factor = factorize_spd(set, options, a, scratch);
  if (is_failure(factor.report) || n == 0) return factor.report;
  const Matrix<T> x = {scratch.take<T>(n * columns), n, columns, columns};
  for (int64_t i = 0; i < n; ++i) std::copy_n(&b(i, 0), columns, &x(i, 0));
  solve_forward(kernels, n, factor.u.data, factor.u.stride, columns, x.data, x.stride);
  solve_backward(kernels, n, factor.u.data, factor.u.stride, columns, x.data, x.stride);
  const double residual = residual_of(set, factor, x, b);
  if (!scale_back(kernels, x, -factor.exponent)) return failed(KR_STATUS_OVERFLOW);
  factor.report.residual = residual;
  for (int64_t i = 0; i < n; ++i) std::copy_n(&x(i, 0), columns, &out(i, 0));
  return factor.report;
}

template <typename T>
kr_code run_lanes(const kr_call* call, const kr_spd_solve_options& options, const kr_batch& a, const kr_batch& b,
                  const kr_batch& x, double flops, kr_report* reports) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  return report_groups(
      call, a.batch, kernels.lanes, flops, reports, [&](int64_t first, int count, kr_report* of_group) {
        Scratch scratch;
        double* signs = scratch.take<double>(a.rows);
        fill_probe_signs(a.rows, signs);
        SpdLanesAnswer answer;
        kernels.spd_solve_lanes({options, signs}, lane_group<const T>(a, first, count),
                                lane_group<const T>(b, first, count), lane_group<T>(x, first, count),
                                scratch.take<T>(kernels.spd_solve_lanes_workspace(a.rows, b.cols, options.ridge)),
                                answer);
        for (int lane = 0; lane < count; ++lane) of_group[lane] = report_of(answer, lane);
      });
}

template <typename T>
kr_code run(const kr_call* call, const kr_spd_solve_options& options, const kr_batch& a, const kr_batch& b,
            const kr_batch& x, kr_report* reports) {
  const double n = static_cast<double>(a.rows), columns = static_cast<double>(b.cols);
  const double flops = n * n * n / 3 + 4 * n * n * columns;
  if (takes_spd_lanes(call, LaneOp::spd_solve, options, a)) {
    return run_lanes<T>(call, options, a, b, x, flops, reports);
  }
  return report_each(call, a.batch, flops, reports, [&](int64_t index) {
    return solve(*call->device->kernels, options, matrix_of<T>(a, index), matrix_of<T>(b, index),
                 matrix_of<T>(x, index));
  });
}

}  // namespace

kr_code spd_solve(const kr_call* call, const kr_spd_solve_options* given, const kr_batch* a, const kr_batch* b,
                  const kr_batch* x, kr_report* reports) {
  if (const kr_code code = check_spd_solve(call, given, a, b, x)) return code;
  const kr_spd_solve_options options = given == nullptr ? kr_spd_solve_options{} : *given;
  return a->dtype == KR_F32 ? run<float>(call, options, *a, *b, *x, reports)
                            : run<double>(call, options, *a, *b, *x, reports);
}

}  // namespace kronroot::cpu
