// X = (A + epsilon I)^{-1/p}
#include <algorithm>
#include <cmath>

#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
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
                     const Matrix<T>& out) {
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
                               trace};
  const kr_report report = climb(problem, x);
  if (is_failure(report)) return report;
  scale_by_power_of_two(n * n, x, problem.result_exponent());
  if (!all_finite(n * n, x)) return failed(KR_STATUS_OVERFLOW);
  for (int64_t i = 0; i < n; ++i) std::copy_n(x + i * n, n, &out(i, 0));
  return report;
}

template <typename T>
kr_code run_lanes(const kr_call* call, const kr_inverse_root_options& options, kr_method method, const kr_batch& a,
                  const kr_batch& x, kr_report* reports) {
  const auto n = static_cast<double>(a.rows);
  RootLanes<T> lanes(call, options, method);
  // Of the smallest matrices the plan and the ends of the spectrum take the most.
  const double flops = 10.0 / 3 * n * n * n + 200 * n;
  return report_groups(
      call, a.batch, kernels_of<T>(*call->device->kernels).lanes, flops, reports,
      [&](int64_t first, int count, kr_report* of_group) {
        bool answered[kMostLanes];
        lanes.answer(lane_group<const T>(a, first, count), lane_group<T>(x, first, count), of_group, answered);
        for (int l = 0; l < count; ++l) {
          if (answered[l]) continue;
          of_group[l] = answer_one(*call, options, matrix_of<T>(a, first + l), matrix_of<T>(x, first + l));
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
