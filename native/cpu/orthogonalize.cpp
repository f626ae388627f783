// X near the polar factor U V^T of A = U S V^T
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "../core/check.hpp"
#include "../core/orthogonalize_schedule.hpp"
#include "../core/planner.hpp"
#include "../core/random.hpp"
#include "../core/report.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "gemm/bf16.hpp"
#include "orthogonalize/lanes.hpp"
#include "orthogonalize/newton_schulz.hpp"
#include "orthogonalize/newton_schulz_parts.hpp"
#include "orthogonalize/polar.hpp"
#include "orthogonalize/starting_point.hpp"
#include "scratch.hpp"
#include "symmetric_input.hpp"

namespace kronroot::cpu {
namespace {

// What is common to the matrices of a call.
struct Orthogonalization {
  const KernelSet& kernels;
  bool is_rounded;  // to bf16, where there is a unit for it
  const int32_t* cancel;
  kr_method method;
  bool scales_rows;  // by the rule of almost-orthogonal layers
  double safety;
  std::vector<Quintic> steps;
};

Orthogonalization plan(const kr_call& call, const kr_orthogonalize_options& options) {
  const auto method =
      options.method == KR_METHOD_AUTO ? KR_METHOD_NEWTON_SCHULZ : static_cast<kr_method>(options.method);
  const KernelSet& kernels = *call.device->kernels;
  const bool is_rounded = options.precision == KR_PRECISION_BF16;
  Orthogonalization plan{
      kernels, is_rounded, call.cancel, method, options.table == KR_TABLE_AOL, orthogonalize_safety(options), {}};
  plan.steps.resize(static_cast<size_t>(orthogonalize_schedule(options, nullptr, 0)));
  orthogonalize_schedule(options, plan.steps.data(), static_cast<int>(plan.steps.size()));
  return plan;
}

// The largest magnitude of A; infinite or NaN where an element is not finite.
template <typename T>
T largest_magnitude(const Kernels<T>& kernels, const Matrix<T>& a) {
  T largest = 0;
  for (int64_t i = 0; i < a.rows && std::isfinite(largest); ++i) {
    const T of_row = kernels.largest_magnitude(a.cols, &a(i, 0));
    largest = of_row <= largest ? largest : of_row;
  }
  return largest;
}

template <typename T>
void copy_rows(const Matrix<T>& from, T* to) {
  for (int64_t i = 0; i < from.rows; ++i) std::copy_n(&from(i, 0), from.cols, to + i * from.cols);
}

template <typename T>
void fill_rows(const Matrix<T>& x, T value) {
  for (int64_t i = 0; i < x.rows; ++i) std::fill_n(&x(i, 0), x.cols, value);
}

// |G^2 z - G z|_2 / |z|_2, G = X X^T, for a vector z of random signs; X m x n. Infinite or NaN where an element of X
// is.
template <typename T>
double partial_isometry_residual(const Kernels<T>& kernels, const Matrix<T>& x) {
  const int64_t m = x.rows, n = x.cols;
  // A few rows of X serve the end of G z and the beginning of G (G z) while they are in the cache.
  constexpr int64_t kRows = 8;
  Scratch scratch;
  double* z = scratch.take<double>(m);
  double* once = scratch.take<double>(m);
  double* row = scratch.take<double>(n);
  double* next_row = scratch.take<double>(n);
  for (int64_t i = 0; i < m; ++i) z[i] = random_sign(probe_stream, static_cast<uint64_t>(i));
  std::fill_n(row, n, 0.0);
  kernels.axpy_rows_wide(m, n, z, x.data, x.stride, row);
  std::fill_n(next_row, n, 0.0);
  for (int64_t i = 0; i < m; i += kRows) {
    const int64_t count = std::min(kRows, m - i);
    kernels.dot_rows_wide(count, n, &x(i, 0), x.stride, row, once + i);
    kernels.axpy_rows_wide(count, n, once + i, &x(i, 0), x.stride, next_row);
  }
  double* twice = z;
  kernels.dot_rows_wide(m, n, x.data, x.stride, next_row, twice);
  double squares = 0;
  for (int64_t i = 0; i < m; ++i) squares += (twice[i] - once[i]) * (twice[i] - once[i]);
  return std::sqrt(squares / static_cast<double>(m));
}

kr_report iterated(const Orthogonalization& op) {
  kr_report report = answered(op.method);
  report.iterations = static_cast<int32_t>(op.steps.size());
  return report;
}

// Overwrites X (m x n, stride n, m <= n, largest magnitude in [1/2, 1)) with its image.
template <typename T>
kr_report run_newton_schulz(const Orthogonalization& op, int64_t m, int64_t n, T* x) {
  const Kernels<T>& kernels = kernels_of<T>(op.kernels);
  if (op.scales_rows) {
    divide_by_row_sums(kernels, op.safety, m, n, x);
  } else {
    divide_by_norm(kernels, op.safety, m, n, x);
  }
  const bool finished = op.method == KR_METHOD_GRAM_NEWTON_SCHULZ
                            ? gram_newton_schulz<T>(kernels, op.steps, m, n, x, op.cancel)
                            : newton_schulz<T>(kernels, op.steps, m, n, x, op.cancel);
  return finished ? iterated(op) : failed(KR_STATUS_CANCELLED);
}

template <typename T>
kr_report run_polar(const Orthogonalization& op, int64_t m, int64_t n, T* x) {
  Scratch scratch;
  double* a = scratch.take<double>(m * n);
  double* factor = scratch.take<double>(m * n);
  std::copy_n(x, m * n, a);
  const Polar result = polar(op.kernels, static_cast<double>(n) * ulp_of<T>, m, n, a, factor);
  if (!result.converged) return failed(KR_STATUS_NOT_CONVERGED);
  std::transform(factor, factor + m * n, x, [](double each) { return static_cast<T>(each); });
  kr_report report = answered(KR_METHOD_POLAR);
  report.iterations = static_cast<int32_t>(result.sweeps);
  report.condition = result.condition;
  return result.rank < m ? rank_deficient(report, result.rank) : report;
}

// X (m x n, stride n) = A or, where that is tall, A^T; times a power of two that cancels in the result and brings its
// largest magnitude into [1/2, 1): no square over- or underflows.
template <typename T>
void read_wide(const Kernels<T>& kernels, const Matrix<T>& a, T largest, T* x) {
  if (a.rows > a.cols) {
    kernels.transpose(a.rows, a.cols, a.data, a.stride, x, a.rows);
  } else {
    copy_rows(a, x);
  }
  int exponent = 0;
  std::frexp(largest, &exponent);
  scale_by_power_of_two(a.rows * a.cols, x, -exponent);
}

// Into how many bf16 parts operands of the iteration are split on the matrix unit; 0: it is not used. One rounds them.
template <typename T>
int parts_of(const Orthogonalization& op, const Matrix<T>& a) {
  const Kernels<T>& kernels = kernels_of<T>(op.kernels);
  if (kernels.bf16 == nullptr || op.method != KR_METHOD_NEWTON_SCHULZ) return 0;
  if (op.is_rounded) return 1;
  return std::min(a.rows, a.cols) >= kernels.split_order ? 3 : 0;
}

// X (m x n) = the image of A or, where that is tall, A^T, by products on the matrix unit. With one part X may be A, and
// after a failure it is as it was.
kr_report run_parts(const Orthogonalization& op, int parts, const Matrix<float>& a, double squares,
                    const Matrix<float>& x) {
  const Kernels<float>& kernels = op.kernels.f32;
  Bf16Source source{.rows = x.rows, .cols = x.cols};
  Scratch scratch;
  if (op.scales_rows) {
    float* scaled = scratch.take<float>(x.rows * x.cols);
    read_wide(kernels, a, largest_magnitude(kernels, a), scaled);
    divide_by_row_sums(kernels, op.safety, x.rows, x.cols, scaled);
    source.s = scaled;
    source.stride = x.cols;
  } else {
    source.factor = static_cast<float>(std::frexp(1 / (op.safety * std::sqrt(squares)), &source.exponent));
    source.s = a.data;
    source.stride = a.stride;
    source.transpose = a.rows > a.cols;
  }
  const kr_status status = newton_schulz_parts(*kernels.bf16, parts, op.steps, source, x, op.cancel);
  if (status != KR_STATUS_OK) return failed(status);
  const bool is_finite = parts == 1 || std::isfinite(largest_magnitude(kernels, x));
  return is_finite ? iterated(op) : failed(KR_STATUS_OVERFLOW);
}

// What tells whether A has a polar factor, not finite where an element is not and 0 only for A = 0: the largest
// magnitude; for products on the matrix unit |A|_F^2, which cannot over- or underflow in f64.
template <typename T>
double size_of(const Orthogonalization& op, const Matrix<T>& a) {
  const Kernels<T>& kernels = kernels_of<T>(op.kernels);
  if (parts_of(op, a) == 0) return static_cast<double>(largest_magnitude(kernels, a));
  double squares = 0;
  for (int64_t i = 0; i < a.rows; ++i) squares += kernels.dot(a.cols, &a(i, 0), &a(i, 0));
  return squares;
}

// X (m x n, without gaps) = the image of A or, where that is tall, A^T, in the precision of T.
template <typename T>
kr_report run_full(const Orthogonalization& op, const Matrix<T>& a, T largest, const Matrix<T>& x) {
  const Kernels<T>& kernels = kernels_of<T>(op.kernels);
  read_wide(kernels, a, largest, x.data);
  const kr_report report = op.method == KR_METHOD_POLAR ? run_polar(op, x.rows, x.cols, x.data)
                                                        : run_newton_schulz(op, x.rows, x.cols, x.data);
  if (is_failure(report)) return report;
  return std::isfinite(largest_magnitude(kernels, x)) ? report : failed(KR_STATUS_OVERFLOW);
}

template <typename T>
kr_report run(const Orthogonalization& op, const Matrix<T>& a, double size, const Matrix<T>& x) {
  if constexpr (std::is_same_v<T, float>) {
    if (const int parts = parts_of(op, a)) return run_parts(op, parts, a, size, x);
  }
  return run_full(op, a, static_cast<T>(size), x);
}

template <typename T>
kr_report orthogonalize_one(const Orthogonalization& op, const Matrix<T>& a, const Matrix<T>& out) {
  if (a.rows == 0 || a.cols == 0) return answered(KR_METHOD_DIRECT);
  const double size = size_of(op, a);
  if (!std::isfinite(size)) return failed(KR_STATUS_NON_FINITE_INPUT);
  if (size == 0) {
    fill_rows(out, T{0});
    kr_report report = rank_deficient(answered(KR_METHOD_DIRECT), 0);
    report.residual = 0;
    return report;
  }
  const Kernels<T>& kernels = kernels_of<T>(op.kernels);
  const bool tall = a.rows > a.cols;
  const int64_t m = std::min(a.rows, a.cols), n = std::max(a.rows, a.cols);
  // The output is touched only by what cannot fail any more.
  const bool is_in_place = !tall && parts_of(op, a) == 1;
  Scratch scratch;
  const Matrix<T> x = is_in_place ? out : Matrix<T>{scratch.take<T>(m * n), m, n, n};
  kr_report report = run(op, a, size, x);
  if (is_failure(report)) return report;
  report.residual = partial_isometry_residual(kernels, x);
  if (tall) {
    kernels.transpose(m, n, x.data, x.stride, out.data, out.stride);
  } else if (!is_in_place) {
    for (int64_t i = 0; i < m; ++i) std::copy_n(&x(i, 0), n, &out(i, 0));
  }
  return report;
}

double flops_each(const Orthogonalization& op, const kr_batch& a) {
  const auto m = static_cast<double>(std::min(a.rows, a.cols)), n = static_cast<double>(std::max(a.rows, a.cols));
  if (op.method == KR_METHOD_POLAR) return 9 * m * m * m + 8 * m * m * n;
  return static_cast<double>(op.steps.size()) * (3 * m * m * n + m * m * m);
}

// A group, one matrix to a lane.
template <typename T>
void orthogonalize_group(const Orthogonalization& op, const double* signs, const kr_batch& a, const kr_batch& x,
                         int64_t first, int count, kr_report* reports) {
  const Kernels<T>& kernels = kernels_of<T>(op.kernels);
  NewtonSchulzLanes<T> group{};
  const LaneGroup<T> from = lane_group<T>(a, first, count);
  group.a = {from.data, from.rows, from.cols, from.row_stride, from.matrix_stride, count};
  group.x = lane_group<T>(x, first, count);
  group.steps = op.steps.data();
  group.step_count = static_cast<int>(op.steps.size());
  group.safety = op.safety;
  group.signs = signs;
  Scratch scratch;
  kernels.newton_schulz_lanes(group, scratch.take<T>(kernels.newton_schulz_lanes_workspace(a.rows, a.cols)));
  for (int l = 0; l < count; ++l) {
    if (group.status[l] >= KR_FIRST_FAILURE) {
      reports[l] = failed(group.status[l]);
    } else if (group.status[l] == KR_STATUS_RANK_DEFICIENT) {
      reports[l] = rank_deficient(answered(KR_METHOD_DIRECT), 0);
      reports[l].residual = 0;
    } else {
      reports[l] = answered(op.method);
      reports[l].iterations = group.step_count;
      reports[l].residual = group.residual[l];
    }
  }
}

bool takes_lanes(const kr_call& call, const Orthogonalization& op, const kr_batch& a) {
  if (op.method != KR_METHOD_NEWTON_SCHULZ || op.scales_rows || a.rows == 0 || a.cols == 0) return false;
  return plan_lanes(*call.device->crossovers, LaneOp::orthogonalize, a.dtype, std::max(a.rows, a.cols), a.batch);
}

template <typename T>
kr_code orthogonalize_batch(const kr_call* call, const Orthogonalization& op, const kr_batch& a, const kr_batch& x,
                            kr_report* reports) {
  if (takes_lanes(*call, op, a)) {
    std::vector<double> signs;
    for (int64_t i = 0; i < std::min(a.rows, a.cols); ++i) {
      signs.push_back(random_sign(probe_stream, static_cast<uint64_t>(i)));
    }
    return report_groups(call, a.batch, kernels_of<T>(op.kernels).lanes, flops_each(op, a), reports,
                         [&](int64_t first, int count, kr_report* of_group) {
                           orthogonalize_group<T>(op, signs.data(), a, x, first, count, of_group);
                         });
  }
  return report_each(call, a.batch, flops_each(op, a), reports, [&](int64_t index) {
    return orthogonalize_one(op, matrix_of<T>(a, index), matrix_of<T>(x, index));
  });
}

}  // namespace

kr_code orthogonalize(const kr_call* call, const kr_orthogonalize_options* given, const kr_batch* a, const kr_batch* x,
                      kr_report* reports) {
  if (const kr_code code = check_orthogonalize(call, given, a, x); code != KR_OK) return code;
  const Orthogonalization op = plan(*call, given != nullptr ? *given : kr_orthogonalize_options{});
  return a->dtype == KR_F32 ? orthogonalize_batch<float>(call, op, *a, *x, reports)
                            : orthogonalize_batch<double>(call, op, *a, *x, reports);
}

}  // namespace kronroot::cpu
