// A = U diag(s) V^T
//
// B, the wide one of A and A^T (m x n), is written B = J^T diag(s) Q^T: J from the eigenvectors of B B^T
// (left_vectors.hpp), refined until the rows of W = J B are orthogonal (svd/refine.hpp), and W^T = Q diag(s) by QR with
// the rows of W sorted by length, which also completes the columns of Q that vanished rows leave open. A B that is much
// wider than high is first reduced to a square: B^T = Q_0 R, and then R^T takes its place.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "../core/planner.hpp"
#include "../core/random.hpp"
#include "../core/report.hpp"
#include "batch_loop.hpp"
#include "cancel.hpp"
#include "device.hpp"
#include "eigh.hpp"
#include "factor_probe.hpp"
#include "gram_of_rows.hpp"
#include "householder.hpp"
#include "left_vectors.hpp"
#include "svd/lanes.hpp"
#include "svd/refine.hpp"

namespace kronroot::cpu {
namespace {

// From this ratio of the sides on a QR comes first.
constexpr int64_t kMuchWider = 2;
// Rows shorter than this fraction of the longest are rounding, for left_vectors.
template <typename T>
constexpr double kCutoff = ulp_of<T> / 64;

template <typename T>
bool is_zero(int64_t count, const T* x) {
  return std::all_of(x, x + count, [](T each) { return each == 0; });
}

// J, with the longest rows of W = J B first, and W. Returns refinement steps, or kNotConverged or kCancelled.
template <typename T>
int64_t orthogonal_rows(const KernelSet& set, int64_t m, int64_t n, const T* b, T* j, T* w, const int32_t* cancel) {
  const Kernels<T>& kernels = kernels_of<T>(set);
  Scratch scratch;
  T* v = scratch.take<T>(m * m);
  T* rows = scratch.take<T>(m * n);
  T* turned = scratch.take<T>(m * m);
  if (is_zero(m * n, b)) {
    std::fill_n(v, m * m, T{0});
    for (int64_t i = 0; i < m; ++i) v[i * (m + 1)] = 1;
  } else if (left_vectors(set, kCutoff<T>, m, n, b, v) < 0) {
    return kNotConverged;
  }
  if (is_cancelled(cancel)) return kCancelled;
  kernels.transpose(m, m, v, m, turned, m);
  project(kernels, m, m, n, v, m, b, rows);
  const int64_t steps = refine_rows(kernels, m, n, b, turned, rows, cancel);
  if (steps < 0) return steps;
  std::vector<double> squares(static_cast<size_t>(m));
  for (int64_t i = 0; i < m; ++i) squares[static_cast<size_t>(i)] = kernels.dot(n, rows + i * n, rows + i * n);
  std::vector<int64_t> order(static_cast<size_t>(m));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t x, int64_t y) {
    return squares[static_cast<size_t>(x)] > squares[static_cast<size_t>(y)];
  });
  for (int64_t k = 0; k < m; ++k) {
    const int64_t from = order[static_cast<size_t>(k)];
    std::copy_n(rows + from * n, n, w + k * n);
    std::copy_n(turned + from * m, m, j + k * m);
  }
  return steps;
}

// B = J^T diag(s) Q^T with the columns of Q as rows of q (m x n); b is destroyed. As orthogonal_rows.
template <typename T>
int64_t decompose(const KernelSet& set, int64_t m, int64_t n, T* b, T* j, T* s, T* q, const int32_t* cancel) {
  const Kernels<T>& kernels = kernels_of<T>(set);
  Scratch scratch;
  if (n >= kMuchWider * m && m > 1) {
    HouseholderQr<T> outer(kernels, n, m, b, scratch);
    T* r = scratch.take<T>(m * m);
    T* inner = scratch.take<T>(m * m);
    T* of_inner = scratch.take<T>(m * m);
    T* of_outer = scratch.take<T>(m * n);
    outer.factor(r, m, m);
    kernels.transpose(m, m, r, m, inner, m);
    const int64_t steps = decompose(set, m, m, inner, j, s, of_inner, cancel);
    if (steps < 0) return steps;
    outer.form(m, of_outer);
    multiply<T>(
        kernels,
        {.m = m, .n = n, .k = m, .a = of_inner, .a_stride = m, .b = of_outer, .b_stride = n, .c = q, .c_stride = n});
    return steps;
  }
  T* w = scratch.take<T>(m * n);
  T* r = scratch.take<T>(m * m);
  const int64_t steps = orthogonal_rows(set, m, n, b, j, w, cancel);
  if (steps < 0) return steps;
  HouseholderQr<T> columns(kernels, n, m, w, scratch);
  columns.factor(r, m, m);
  columns.form(m, q);
  // Rounding may disturb the order of equals: none may exceed the one before it.
  for (int64_t k = 0; k < m; ++k) s[k] = k == 0 ? r[0] : std::min(r[k * (m + 1)], s[k - 1]);
  return steps;
}

// s alone. f32: the roots of the eigenvalues of B B^T in f64, exact to sqrt(ulp of f64) s_1. f64: the lengths of the
// orthogonal rows. As orthogonal_rows.
template <typename T>
int64_t singular_values(const KernelSet& set, int64_t m, int64_t n, const T* b, T* s, const int32_t* cancel) {
  Scratch scratch;
  if constexpr (sizeof(T) == 4) {
    double* squares = scratch.take<double>(m);
    double* wide = scratch.take<double>(m * n);
    double* gram = scratch.take<double>(m * m);
    std::copy_n(b, m * n, wide);
    gram_of_rows(set.f64, m, n, wide, gram);
    if (decompose_symmetric<double>(set, m, 0, gram, squares, nullptr) < 0) return kNotConverged;
    for (int64_t k = 0; k < m; ++k) s[k] = static_cast<T>(std::sqrt(std::max(0.0, squares[m - 1 - k])));
    return 0;
  } else {
    T* j = scratch.take<T>(m * m);
    T* w = scratch.take<T>(m * n);
    const int64_t steps = orthogonal_rows(set, m, n, b, j, w, cancel);
    for (int64_t k = 0; k < m && steps >= 0; ++k) s[k] = std::sqrt(set.f64.dot(n, w + k * n, w + k * n));
    return steps;
  }
}

// The component of largest magnitude of every row of j, the first of equals, becomes positive; rows of q follow.
template <typename T>
void fix_signs(int64_t m, int64_t n, T* j, T* q) {
  for (int64_t k = 0; k < m; ++k) {
    T peak = 0;
    for (int64_t i = 0; i < m; ++i) peak = std::abs(j[k * m + i]) > std::abs(peak) ? j[k * m + i] : peak;
    if (peak > 0) continue;
    for (int64_t i = 0; i < m; ++i) j[k * m + i] = -j[k * m + i];
    for (int64_t i = 0; i < n; ++i) q[k * n + i] = -q[k * n + i];
  }
}

// One matrix; u.data and v.data are null for values only.
template <typename T>
kr_report decompose_one(const kr_call* call, const Matrix<T>& a, const Matrix<T>& s_out, const Matrix<T>& u,
                        const Matrix<T>& v) {
  const KernelSet& set = *call->device->kernels;
  const Kernels<T>& kernels = kernels_of<T>(set);
  const bool tall = a.rows > a.cols;
  const int64_t m = std::min(a.rows, a.cols), n = std::max(a.rows, a.cols);
  if (m == 0) return answered(KR_METHOD_DIRECT);
  Scratch scratch;
  T* b = scratch.take<T>(m * n);
  T* s = scratch.take<T>(m);
  int exponent = 0;
  if (!read_scaled(kernels, a, tall, b, &exponent)) return failed(KR_STATUS_NON_FINITE_INPUT);
  kr_report report = answered(KR_METHOD_JACOBI);
  const bool wants_vectors = u.data != nullptr;
  T* j = wants_vectors ? scratch.take<T>(m * m) : nullptr;
  T* q = wants_vectors ? scratch.take<T>(m * n) : nullptr;
  FactorProbe<T> probe(kernels, n, wants_vectors ? m : 0, b, scratch);
  const int64_t steps =
      wants_vectors ? decompose(set, m, n, b, j, s, q, call->cancel) : singular_values(set, m, n, b, s, call->cancel);
  if (steps < 0) return failed(steps == kCancelled ? KR_STATUS_CANCELLED : KR_STATUS_NOT_CONVERGED);
  report.iterations = static_cast<int32_t>(steps);
  if (wants_vectors) {
    fix_signs(m, n, j, q);
    double* coordinates = scratch.take<double>(m);
    for (int64_t k = 0; k < m; ++k) coordinates[k] = s[k] * kernels.dot_wide(m, j + k * m, probe.signs());
    report.residual = std::max({probe.residual(m, q, coordinates), lost_orthonormality(kernels, m, m, j),
                                lost_orthonormality(kernels, m, n, q)});
  }
  report.condition = s[0] == 0 ? not_measured : static_cast<double>(s[0]) / static_cast<double>(s[m - 1]);
  if (!scale_to_range(kernels, m, s, exponent)) return failed(KR_STATUS_OVERFLOW);
  for (int64_t k = 0; k < m; ++k) s_out(k, 0) = s[k];
  if (!wants_vectors) return report;
  const Matrix<T>&shorter = tall ? v : u, &longer = tall ? u : v;
  kernels.transpose(m, m, j, m, shorter.data, shorter.stride);
  kernels.transpose(m, n, q, n, longer.data, longer.stride);
  return report;
}

// A group, one matrix to a lane.
template <typename T>
void decompose_group(const Kernels<T>& kernels, const double* signs, const kr_batch& a, const kr_batch& s,
                     const kr_batch* u, const kr_batch* v, int64_t first, int count, kr_report* reports) {
  SvdLanes<T> op{};
  op.a = lane_group<const T>(a, first, count);
  op.s = lane_group<T>(s, first, count);
  if (u != nullptr) {
    op.u = lane_group<T>(*u, first, count);
    op.v = lane_group<T>(*v, first, count);
  }
  op.signs = signs;
  Scratch scratch;
  kernels.svd_lanes(op, scratch.take<T>(kernels.svd_lanes_workspace(a.rows, a.cols, u != nullptr)));
  for (int lane = 0; lane < count; ++lane) {
    if (op.status[lane] != KR_STATUS_OK) {
      reports[lane] = failed(op.status[lane]);
      continue;
    }
    reports[lane] = answered(KR_METHOD_JACOBI);
    reports[lane].iterations = op.sweeps[lane];
    reports[lane].condition = op.condition[lane];
    if (u != nullptr) reports[lane].residual = op.residual[lane];
  }
}

template <typename T>
kr_code run(const kr_call* call, const kr_batch& a, const kr_batch& s, const kr_batch* u, const kr_batch* v,
            kr_report* reports) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const int64_t shorter = std::min(a.rows, a.cols), longer = std::max(a.rows, a.cols);
  const double m = static_cast<double>(shorter), n = static_cast<double>(longer);
  const double flops = 9 * m * m * m + 12 * m * m * n;
  if (shorter > 0 && plan_lanes(*call->device->crossovers, LaneOp::svd, a.dtype, longer, a.batch)) {
    std::vector<double> signs(static_cast<size_t>(shorter));
    for (size_t i = 0; i < signs.size(); ++i) signs[i] = random_sign(probe_stream, i);
    return report_groups(call, a.batch, kernels.lanes, flops, reports,
                         [&](int64_t first, int count, kr_report* of_group) {
                           decompose_group(kernels, signs.data(), a, s, u, v, first, count, of_group);
                         });
  }
  return report_each(call, a.batch, flops, reports, [&](int64_t index) {
    return decompose_one(call, matrix_of<T>(a, index), matrix_of<T>(s, index),
                         u != nullptr ? matrix_of<T>(*u, index) : Matrix<T>{},
                         v != nullptr ? matrix_of<T>(*v, index) : Matrix<T>{});
  });
}

}  // namespace

kr_code svd(const kr_call* call, const kr_svd_options* given, const kr_batch* a, const kr_batch* s, const kr_batch* u,
            const kr_batch* v, kr_report* reports) {
  if (const kr_code code = check_svd(call, given, a, s, u, v)) return code;
  return a->dtype == KR_F32 ? run<float>(call, *a, *s, u, v, reports) : run<double>(call, *a, *s, u, v, reports);
}

}  // namespace kronroot::cpu
