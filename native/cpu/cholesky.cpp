// A + epsilon I = L L^T
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

namespace kronroot::cpu {
namespace {

// |A z - U^T U z|_2 / (|A|_F |z|_2) for random signs z, A after the ridge.
template <typename T>
double residual_of(const Kernels<T>& kernels, const SpdFactor<T>& factor) {
  const Matrix<T>& u = factor.u;
  const int64_t n = u.rows;
  Scratch scratch;
  double* z = scratch.take<double>(n);
  double* product = scratch.take<double>(n);
  double* back = scratch.take<double>(n);
  for (int64_t i = 0; i < n; ++i) z[i] = random_sign(probe_stream, static_cast<uint64_t>(i));
  multiply_spd(kernels, factor, z, product);
  std::fill_n(back, n, 0.0);
  for (int64_t i = 0; i < n; ++i) {
    const double coordinate = kernels.dot_wide(n - i, &u(i, i), z + i);
    kernels.axpy_wide(n - i, coordinate, &u(i, i), back + i);
  }
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += (product[i] - back[i]) * (product[i] - back[i]);
  return std::sqrt(squares) / (frobenius_norm(kernels, factor) * std::sqrt(static_cast<double>(n)));
}

// Is L = U^T 2^(exponent / 2) finite in T? Its elements are at most sqrt(max a_ii + epsilon).
template <typename T>
bool is_representable(const SpdFactor<T>& factor) {
  if (factor.exponent == 0) return true;
  double largest = 0;
  for (int64_t i = 0; i < factor.a.rows; ++i) largest = std::max<double>(largest, factor.a(i, i));
  return std::ldexp(std::sqrt(largest + factor.epsilon), factor.exponent / 2) <= std::numeric_limits<T>::max();
}

// L = U^T 2^(exponent / 2), zeros above the diagonal.
template <typename T>
void write_lower(const Kernels<T>& kernels, const SpdFactor<T>& factor, const Matrix<T>& l) {
  constexpr int64_t kBand = 64;
  const int64_t n = l.rows;
  for (int64_t i = 0; i < n; i += kBand) {
    const int64_t rows = std::min(n - i, kBand);
    kernels.transpose(i + rows, rows, &factor.u(0, i), factor.u.stride, &l(i, 0), l.stride);
  }
  for (int64_t i = 0; i < n; ++i) std::fill_n(&l(i, 0) + i + 1, n - i - 1, T{0});
  if (factor.exponent != 0) scale_back(kernels, l, factor.exponent / 2);
}

template <typename T>
kr_code run_lanes(const kr_call* call, const kr_cholesky_options& options, const kr_batch& a, const kr_batch& l,
                  kr_report* reports) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const double n = static_cast<double>(a.rows);
  return report_groups(
      call, a.batch, kernels.lanes, n * n * n / 3, reports, [&](int64_t first, int count, kr_report* of_group) {
        Scratch scratch;
        double* signs = scratch.take<double>(a.rows);
        fill_probe_signs(a.rows, signs);
        SpdLanesAnswer answer;
        kernels.cholesky_lanes({options, signs}, lane_group<const T>(a, first, count), lane_group<T>(l, first, count),
                               scratch.take<T>(kernels.cholesky_lanes_workspace(a.rows, options.ridge)), answer);
        for (int lane = 0; lane < count; ++lane) of_group[lane] = report_of(answer, lane);
      });
}

template <typename T>
kr_code run(const kr_call* call, const kr_cholesky_options& options, const kr_batch& a, const kr_batch& l,
            kr_report* reports) {
  if (takes_spd_lanes(call, LaneOp::cholesky, options, a)) return run_lanes<T>(call, options, a, l, reports);
  const KernelSet& set = *call->device->kernels;
  const Kernels<T>& kernels = kernels_of<T>(set);
  const double n = static_cast<double>(a.rows);
  return report_each(call, a.batch, n * n * n / 3, reports, [&](int64_t b) {
    Scratch scratch;
    SpdFactor<T> factor = factorize_spd(set, options, matrix_of<T>(a, b), scratch);
    if (is_failure(factor.report) || a.rows == 0) return factor.report;
    if (!is_representable(factor)) return failed(KR_STATUS_OVERFLOW);
    factor.report.residual = residual_of(kernels, factor);
    write_lower(kernels, factor, matrix_of<T>(l, b));
    return factor.report;
  });
}

}  // namespace

kr_code cholesky(const kr_call* call, const kr_cholesky_options* given, const kr_batch* a, const kr_batch* l,
                 kr_report* reports) {
  if (const kr_code code = check_cholesky(call, given, a, l)) return code;
  const kr_cholesky_options options = given == nullptr ? kr_cholesky_options{} : *given;
  return a->dtype == KR_F32 ? run<float>(call, options, *a, *l, reports) : run<double>(call, options, *a, *l, reports);
}

}  // namespace kronroot::cpu
