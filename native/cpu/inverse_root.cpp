// X = (A + epsilon I)^{-1/p}
#include <algorithm>
#include <cmath>

#include "../core/check.hpp"
#include "../core/planner.hpp"
#include "../core/report.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "eigen/lanes.hpp"
#include "inverse_root/ladder.hpp"
#include "inverse_root/root_lanes.hpp"
#include "scratch.hpp"
#include "symmetric_input.hpp"

namespace kronroot::cpu {
namespace {

template <typename T>
bool all_finite(int64_t count, const T* x) {
  return std::all_of(x, x + count, [](T each) { return std::isfinite(each); });
}

template <typename T>
kr_report answer_one(const kr_call& call, const kr_inverse_root_options& given, const Matrix<T>& a,
                     const Matrix<T>& out, const KnownEigen* known = nullptr) {
  const int64_t n = a.rows;
  if (n == 0) return answered(KR_METHOD_DIRECT);
  Scratch scratch;
  T* symmetric = scratch.take<T>(n * n);
  T* x = scratch.take<T>(n * n);
  const SymmetricInput input = read_symmetric(a, symmetric);
  if (input.status != KR_STATUS_OK) return failed(input.status);

  // Everything runs on S = A 2^-exponent, whose size is near 1 or, where that is larger, near the absolute ridge.
  kr_inverse_root_options options = given;
  int exponent = input.exponent;
  if (options.ridge == KR_RIDGE_ABSOLUTE && options.ridge_value > input.largest) {
    std::frexp(options.ridge_value, &exponent);
  }
  scale_by_power_of_two(n * n, symmetric, -exponent);
  if (options.ridge == KR_RIDGE_ABSOLUTE) options.ridge_value = std::ldexp(options.ridge_value, -exponent);
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += symmetric[i * n + i];

  const RootProblem<T> problem{*call.device->kernels,
                               *call.device->crossovers,
                               options,
                               call.cancel,
                               root_of(options),
                               n,
                               symmetric,
                               exponent,
                               trace,
                               known};
  const kr_report report = climb(problem, x);
  if (is_failure(report)) return report;
  scale_by_power_of_two(n * n, x, problem.result_exponent());
  if (!all_finite(n * n, x)) return failed(KR_STATUS_OVERFLOW);
  for (int64_t i = 0; i < n; ++i) std::copy_n(x + i * n, n, &out(i, 0));
  return report;
}

// Matrices of a group whose eigenvalues have to decide: decomposed in f64 one to a
// lane (in f32 a null space would often fail its certificate), answered one by one. `lanes`: which
// `count` of the group they are. A matrix does not depend on how many they are.
template <typename T>
void answer_by_eigenvalues(const kr_call* call, const kr_inverse_root_options& options, const double* signs,
                           const kr_batch& a, const kr_batch& x, int64_t first, const int* lanes, int count,
                           kr_report* reports) {
  const Kernels<double>& kernels = call->device->kernels->f64;
  const int64_t n = a.rows, size = n * n;
  Scratch scratch;
  T* symmetric = scratch.take<T>(size);
  double* wide = scratch.take<double>(kernels.lanes * size);
  double* values = scratch.take<double>(kernels.lanes * n);
  double* vectors = scratch.take<double>(kernels.lanes * size);
  for (int from = 0; from < count; from += kernels.lanes) {
    EighLanes<double> op{};
    const int taken = std::min(kernels.lanes, count - from);
    for (int k = 0; k < taken; ++k) {
      const SymmetricInput input = read_symmetric(matrix_of<T>(a, first + lanes[from + k]), symmetric);
      scale_by_power_of_two(size, symmetric, -input.exponent);
      std::copy_n(symmetric, size, wide + k * size);
    }
    op.a = {wide, n, n, n, size, taken};
    op.values = {values, n, 1, 1, n, taken};
    op.vectors = {vectors, n, n, n, size, taken};
    op.signs = signs;
    {
      Scratch workspace;
      kernels.eigh_lanes(op, workspace.take<double>(kernels.eigh_lanes_workspace(n, true)));
    }
    for (int k = 0; k < taken; ++k) {
      const int lane = lanes[from + k];
      const KnownEigen known{values + k * n, vectors + k * size, op.sweeps[k]};
      reports[lane] = answer_one(*call, options, matrix_of<T>(a, first + lane), matrix_of<T>(x, first + lane),
                                 op.answered[k] ? &known : nullptr);
    }
  }
}

template <typename T>
kr_code run_lanes(const kr_call* call, const kr_inverse_root_options& options, kr_method method, const kr_batch& a,
                  const kr_batch& x, kr_report* reports) {
  const auto n = static_cast<double>(a.rows);
  RootLanes<T> lanes(call, options, method, a.rows);
  // Of the smallest matrices the plan and the ends of the spectrum take the most.
  const double flops = 10.0 / 3 * n * n * n + 200 * n;
  return report_groups(
      call, a.batch, kernels_of<T>(*call->device->kernels).lanes, flops, reports,
      [&](int64_t first, int count, kr_report* of_group) {
        LaneOutcome outcomes[kMostLanes];
        int undecided[kMostLanes], found = 0;
        lanes.answer(lane_group<const T>(a, first, count), lane_group<T>(x, first, count), of_group, outcomes);
        for (int l = 0; l < count; ++l) {
          if (outcomes[l] == LaneOutcome::answered) continue;
          if (outcomes[l] == LaneOutcome::needs_eigenvalues && a.rows <= wide_root_order) {
            undecided[found++] = l;
            continue;
          }
          of_group[l] = answer_one(*call, options, matrix_of<T>(a, first + l), matrix_of<T>(x, first + l));
        }
        if (found > 0) {
          answer_by_eigenvalues<T>(call, options, lanes.signs(), a, x, first, undecided, found, of_group);
        }
      });
}

template <typename T>
kr_code run(const kr_call* call, const kr_inverse_root_options& options, const kr_batch& a, const kr_batch& x,
            kr_report* reports) {
  if (const std::optional<kr_method> method = root_lanes_method(call, options, a)) {
    return run_lanes<T>(call, options, *method, a, x, reports);
  }
  const auto n = static_cast<double>(a.rows);
  return report_each(call, a.batch, 10 * n * n * n, reports,
                     [&](int64_t b) { return answer_one(*call, options, matrix_of<T>(a, b), matrix_of<T>(x, b)); });
}

}  // namespace

kr_code inverse_root(const kr_call* call, const kr_inverse_root_options* given, const kr_batch* a, const kr_batch* x,
                     kr_report* reports) {
  if (const kr_code code = check_inverse_root(call, given, a, x); code != KR_OK) return code;
  const kr_inverse_root_options options = given == nullptr ? kr_inverse_root_options{} : *given;
  return a->dtype == KR_F32 ? run<float>(call, options, *a, *x, reports) : run<double>(call, options, *a, *x, reports);
}

}  // namespace kronroot::cpu
