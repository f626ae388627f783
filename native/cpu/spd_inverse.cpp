// X = (A + epsilon I)^{-1} = M^T M, M = U^{-T}
#include <algorithm>
#include <cmath>
#include <limits>

#include "../core/check.hpp"
#include "../core/random.hpp"
#include "../core/report.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "spd/lanes.hpp"
#include "spd_factor.hpp"
#include "triangular.hpp"

namespace kronroot::cpu {
namespace {

// |(A + epsilon I) X z - z|_2 / |z|_2 for random signs z. x is still scaled as the factor is.
template <typename T>
double residual_of(const Kernels<T>& kernels, const SpdFactor<T>& factor, const Matrix<T>& x) {
  const int64_t n = x.rows;
  Scratch scratch;
  double* z = scratch.take<double>(n);
  double* solution = scratch.take<double>(n);
  double* back = scratch.take<double>(n);
  for (int64_t i = 0; i < n; ++i) z[i] = random_sign(probe_stream, static_cast<uint64_t>(i));
  for (int64_t i = 0; i < n; ++i) solution[i] = kernels.dot_wide(n, &x(i, 0), z);
  multiply_spd(kernels, factor, solution, back);
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += (back[i] - z[i]) * (back[i] - z[i]);
  return std::sqrt(squares / static_cast<double>(n));
}

template <typename T>
kr_report invert(const KernelSet& set, const kr_spd_inverse_options& options, const Matrix<T>& a,
                 const Matrix<T>& out) {
  const Kernels<T>& kernels = kernels_of<T>(set);
  const int64_t n = a.rows;
  Scratch scratch;
  SpdFactor<T> factor = factorize_spd(set, options, a, scratch);
  if (is_failure(factor.report) || n == 0) return factor.report;
  const int64_t stride = factor.u.stride;
  T* inverse_factor = scratch.take<T>(n * stride);
  invert_transposed(kernels, n, factor.u.data, stride, inverse_factor, stride);
  // |x_ij| <= |M|_F^2: mostly that tells that X is finite, and X can be written where it belongs at once.
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T* row = inverse_factor + i * stride;
    squares += kernels.dot(i + 1, row, row);
  }
  const bool is_finite = factor.exponent == 0 && squares < std::numeric_limits<T>::max() / 2;
  // Otherwise U has served, and X takes its place.
  const Matrix<T> x = is_finite && out.data != a.data ? out : factor.u;
  multiply_lower_by_transpose(kernels, n, inverse_factor, stride, x.data, x.stride);
  const double residual = residual_of(kernels, factor, x);
  if (!is_finite && !scale_back(kernels, x, -factor.exponent)) return failed(KR_STATUS_OVERFLOW);
  factor.report.residual = residual;
  if (x.data != out.data) {
    for (int64_t i = 0; i < n; ++i) std::copy_n(&x(i, 0), n, &out(i, 0));
  }
  return factor.report;
}

template <typename T>
kr_code run_lanes(const kr_call* call, const kr_spd_inverse_options& options, const kr_batch& a, const kr_batch& x,
                  kr_report* reports) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const double n = static_cast<double>(a.rows);
  return report_groups(
      call, a.batch, kernels.lanes, n * n * n, reports, [&](int64_t first, int count, kr_report* of_group) {
        Scratch scratch;
        double* signs = scratch.take<double>(a.rows);
        fill_probe_signs(a.rows, signs);
        SpdLanesAnswer answer;
        kernels.spd_inverse_lanes({options, signs}, lane_group<const T>(a, first, count),
                                  lane_group<T>(x, first, count),
                                  scratch.take<T>(kernels.spd_inverse_lanes_workspace(a.rows, options.ridge)), answer);
        for (int lane = 0; lane < count; ++lane) of_group[lane] = report_of(answer, lane);
      });
}

template <typename T>
kr_code run(const kr_call* call, const kr_spd_inverse_options& options, const kr_batch& a, const kr_batch& x,
            kr_report* reports) {
  if (takes_spd_lanes(call, LaneOp::spd_inverse, options, a)) return run_lanes<T>(call, options, a, x, reports);
  const double n = static_cast<double>(a.rows);
  return report_each(call, a.batch, n * n * n, reports, [&](int64_t b) {
    return invert(*call->device->kernels, options, matrix_of<T>(a, b), matrix_of<T>(x, b));
  });
}

}  // namespace

kr_code spd_inverse(const kr_call* call, const kr_spd_inverse_options* given, const kr_batch* a, const kr_batch* x,
                    kr_report* reports) {
  if (const kr_code code = check_spd_inverse(call, given, a, x)) return code;
  const kr_spd_inverse_options options = given == nullptr ? kr_spd_inverse_options{} : *given;
  return a->dtype == KR_F32 ? run<float>(call, options, *a, *x, reports) : run<double>(call, options, *a, *x, reports);
}

}  // namespace kronroot::cpu
