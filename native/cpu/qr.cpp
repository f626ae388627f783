// A = Q R
#include <algorithm>
#include <limits>
#include <vector>

#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "../core/planner.hpp"
#include "../core/random.hpp"
#include "../core/report.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "factor_probe.hpp"
#include "householder.hpp"
#include "qr/lanes.hpp"

namespace kronroot::cpu {
namespace {

// max r_ii / min r_ii
template <typename T>
double condition_of(const Matrix<T>& r) {
  const int64_t count = std::min(r.rows, r.cols);
  double largest = 0, smallest = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < count; ++i) {
    largest = std::max<double>(largest, r(i, i));
    smallest = std::min<double>(smallest, r(i, i));
  }
  return largest == 0 ? not_measured : largest / smallest;
}

// One matrix; q.data and r.data are null where they are not wanted.
template <typename T>
kr_report factor(const Kernels<T>& kernels, const Matrix<T>& a, const Matrix<T>& q, const Matrix<T>& r) {
  const int64_t m = a.rows, n = a.cols, columns = q.data != nullptr ? q.cols : r.rows;
  if (columns == 0 || (q.data == nullptr && n == 0)) return answered(KR_METHOD_DIRECT);
  Scratch scratch;
  T* b = scratch.take<T>(m * n);
  int exponent = 0;
  if (!read_scaled(kernels, a, true, b, &exponent)) return failed(KR_STATUS_NON_FINITE_INPUT);
  kr_report report = answered(KR_METHOD_HOUSEHOLDER);
  FactorProbe<T> probe(kernels, m, n, b, scratch);
  Matrix<T> scaled{scratch.take<T>(columns * n), columns, n, n};
  HouseholderQr<T> factorization(kernels, m, n, b, scratch);
  factorization.factor(scaled.data, columns, n);
  report.condition = condition_of(scaled);
  T* columns_of_q = q.data != nullptr ? scratch.take<T>(columns * m) : nullptr;
  if (q.data != nullptr) {
    factorization.form(columns, columns_of_q);
    report.residual = lost_orthonormality(kernels, columns, m, columns_of_q);
  }
  if (q.data != nullptr && r.data != nullptr) {
    double* coordinates = scratch.take<double>(columns);
    for (int64_t i = 0; i < columns; ++i) coordinates[i] = kernels.dot_wide(n, scaled.data + i * n, probe.signs());
    report.residual = std::max(report.residual, probe.residual(columns, columns_of_q, coordinates));
  }
  if (r.data != nullptr && !scale_to_range(kernels, columns * n, scaled.data, exponent)) {
    return failed(KR_STATUS_OVERFLOW);
  }
  if (q.data != nullptr) kernels.transpose(columns, m, columns_of_q, m, q.data, q.stride);
  for (int64_t i = 0; i < r.rows && r.data != nullptr; ++i) std::copy_n(scaled.data + i * n, n, r.data + i * r.stride);
  return report;
}

// A group, one matrix to a lane.
template <typename T>
void factor_group(const Kernels<T>& kernels, const double* signs, const kr_batch& a, const kr_batch* q,
                  const kr_batch* r, int64_t first, int count, kr_report* reports) {
  QrLanes<T> op{};
  op.a = lane_group<const T>(a, first, count);
  if (q != nullptr) op.q = lane_group<T>(*q, first, count);
  if (r != nullptr) op.r = lane_group<T>(*r, first, count);
  op.signs = signs;
  Scratch scratch;
  kernels.qr_lanes(op, scratch.take<T>(kernels.qr_lanes_workspace(a.rows, a.cols)));
  for (int lane = 0; lane < count; ++lane) {
    if (op.status[lane] != KR_STATUS_OK) {
      reports[lane] = failed(op.status[lane]);
      continue;
    }
    reports[lane] = answered(KR_METHOD_HOUSEHOLDER);
    if (q != nullptr) reports[lane].residual = op.residual[lane];
    reports[lane].condition = op.condition[lane];
  }
}

template <typename T>
kr_code run(const kr_call* call, const kr_batch& a, const kr_batch* q, const kr_batch* r, kr_report* reports) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const auto longer = static_cast<double>(std::max(a.rows, a.cols));
  const auto shorter = static_cast<double>(std::min(a.rows, a.cols));
  const double flops = 4 * shorter * shorter * longer;
  const bool is_empty = a.rows == 0 || a.cols == 0;
  if (!is_empty && plan_lanes(*call->device->crossovers, LaneOp::qr, a.dtype, std::max(a.rows, a.cols), a.batch)) {
    std::vector<double> signs(static_cast<size_t>(std::max(a.rows, a.cols)));
    for (size_t i = 0; i < signs.size(); ++i) signs[i] = random_sign(probe_stream, i);
    return report_groups(call, a.batch, kernels.lanes, flops, reports,
                         [&](int64_t first, int count, kr_report* of_group) {
                           factor_group(kernels, signs.data(), a, q, r, first, count, of_group);
                         });
  }
  return report_each(call, a.batch, flops, reports, [&](int64_t index) {
    return factor(kernels, matrix_of<T>(a, index), q != nullptr ? matrix_of<T>(*q, index) : Matrix<T>{},
                  r != nullptr ? matrix_of<T>(*r, index) : Matrix<T>{});
  });
}

}  // namespace

kr_code qr(const kr_call* call, const kr_qr_options* given, const kr_batch* a, const kr_batch* q, const kr_batch* r,
           kr_report* reports) {
  if (const kr_code code = check_qr(call, given, a, q, r)) return code;
  return a->dtype == KR_F32 ? run<float>(call, *a, q, r, reports) : run<double>(call, *a, q, r, reports);
}

}  // namespace kronroot::cpu
