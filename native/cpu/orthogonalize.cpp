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
#include "orthogonalize/polar.hpp"
#include "orthogonalize/starting_point.hpp"
#include "scratch.hpp"
#include "symmetric_input.hpp"

namespace kronroot::cpu {
namespace {

// What is common to the matrices of a call.
struct Orthogonalization {
  const KernelSet& kernels;
  const KernelSet& products;  // of the iteration, where they are rounded
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
  const KernelSet* rounded = options.precision == KR_PRECISION_BF16 ? bf16_kernels(kernels) : nullptr;
  Orthogonalization plan{kernels, rounded == nullptr ? kernels : *rounded, call.cancel,
                         method,  options.table == KR_TABLE_AOL,           orthogonalize_safety(options),
                         {}};
  plan.steps.resize(static_cast<size_t>(orthogonalize_schedule(options, nullptr, 0)));
  orthogonalize_schedule(options, plan.steps.data(), static_cast<int>(plan.steps.size()));
  return plan;
}

// The largest magnitude of A; infinite or NaN where an element is not finite. Magnitudes are compared as integers, in
// whose order infinities and NaN come last.
template <typename T>
T largest_magnitude(const Matrix<T>& a) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  Bits largest = 0;
  for (int64_t i = 0; i < a.rows; ++i) {
    const T* row = &a(i, 0);
    for (int64_t j = 0; j < a.cols; ++j) largest = std::max(largest, std::bit_cast<Bits>(row[j]) & (~Bits{0} >> 1));
  }
  return std::bit_cast<T>(largest);
}

template <typename T>
void copy_rows(const Matrix<T>& from, T* to) {
  for (int64_t i = 0; i < from.rows; ++i) std::copy_n(&from(i, 0), from.cols, to + i * from.cols);
}

template <typename T>
void fill_rows(const Matrix<T>& x, T value) {
  for (int64_t i = 0; i < x.rows; ++i) std::fill_n(&x(i, 0), x.cols, value);
}

// |G^2 z - G z|_2 / |z|_2, G = X X^T, for a vector z of random signs; X m x n with stride n.
template <typename T>
double partial_isometry_residual(const Kernels<T>& kernels, int64_t m, int64_t n, const T* x) {
  Scratch scratch;
  double* once = scratch.take<double>(m);
  double* twice = scratch.take<double>(m);
  double* row = scratch.take<double>(n);
  const auto apply_gram = [&](const double* z, double* y) {
    std::fill_n(row, n, 0.0);
    for (int64_t i = 0; i < m; ++i) kernels.axpy_wide(n, z[i], x + i * n, row);
    for (int64_t i = 0; i < m; ++i) y[i] = kernels.dot_wide(n, x + i * n, row);
  };
  for (int64_t i = 0; i < m; ++i) twice[i] = random_sign(probe_stream, static_cast<uint64_t>(i));
  apply_gram(twice, once);
  apply_gram(once, twice);
  double squares = 0;
  for (int64_t i = 0; i < m; ++i) squares += (twice[i] - once[i]) * (twice[i] - once[i]);
  return std::sqrt(squares / static_cast<double>(m));
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
  const Kernels<T>& products = kernels_of<T>(op.products);
  const bool finished = op.method == KR_METHOD_GRAM_NEWTON_SCHULZ
                            ? gram_newton_schulz<T>(products, op.steps, m, n, x, op.cancel)
                            : newton_schulz<T>(products, op.steps, m, n, x, op.cancel);
  if (!finished) return failed(KR_STATUS_CANCELLED);
  kr_report report = answered(op.method);
  report.iterations = static_cast<int32_t>(op.steps.size());
  return report;
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

template <typename T>
kr_report orthogonalize_one(const Orthogonalization& op, const Matrix<T>& a, const Matrix<T>& out) {
  if (a.rows == 0 || a.cols == 0) return answered(KR_METHOD_DIRECT);
  const T largest = largest_magnitude(a);
  if (!std::isfinite(largest)) return failed(KR_STATUS_NON_FINITE_INPUT);
  if (largest == 0) {
    fill_rows(out, T{0});
    kr_report report = rank_deficient(answered(KR_METHOD_DIRECT), 0);
    report.residual = 0;
    return report;
  }
  const Kernels<T>& kernels = kernels_of<T>(op.kernels);
  const bool tall = a.rows > a.cols;
  const int64_t m = std::min(a.rows, a.cols), n = std::max(a.rows, a.cols);
  Scratch scratch;
  T* x = scratch.take<T>(m * n);
  if (tall) {
    kernels.transpose(a.rows, a.cols, a.data, a.stride, x, n);
  } else {
    copy_rows(a, x);
  }
  // A power of two cancels in the result; with it no square over- or underflows.
  int exponent = 0;
  std::frexp(largest, &exponent);
  scale_by_power_of_two(m * n, x, -exponent);

  kr_report report = op.method == KR_METHOD_POLAR ? run_polar(op, m, n, x) : run_newton_schulz(op, m, n, x);
  if (is_failure(report)) return report;
  if (!std::isfinite(largest_magnitude(Matrix<T>{x, m, n, n}))) return failed(KR_STATUS_OVERFLOW);
  report.residual = partial_isometry_residual(kernels, m, n, x);
  if (tall) {
    kernels.transpose(m, n, x, n, out.data, out.stride);
  } else {
    for (int64_t i = 0; i < m; ++i) std::copy_n(x + i * n, n, &out(i, 0));
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
