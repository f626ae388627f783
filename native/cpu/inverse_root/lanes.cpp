#include "lanes.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "../../core/minimax.hpp"
#include "../../core/planner.hpp"
#include "../../core/random.hpp"
#include "../../core/report.hpp"
#include "../device.hpp"
#include "../scratch.hpp"
#include "ladder.hpp"

namespace kronroot::cpu {
namespace {

using Steps = std::vector<MinimaxStep>;

// The polynomials hold on (0, 1]: room for the rounding of lambda_max.
constexpr double kRoom = 1 + 1e-9;
// |t - 1| of the last step, as a fraction of ulp.
constexpr double kTolerance = 0.25;
// Beyond it rounding decides the smallest eigenvalues of the result.
template <typename T>
constexpr double kLargestCondition = 1 / ulp_of<T>;
// X is near the size of 1 (condition^{1/p} at most) and is scaled by 2^exponent at the end: so far that is exact.
constexpr int kLargestExponent = 60;

// What one lane makes of its spectrum.
struct LanePlan {
  const Steps* steps = nullptr;  // none: the lane is left to the ladder
  double epsilon = 0;
  double size = 1;   // M_0 = (S + epsilon I) / size
  double scale = 1;  // of X
  double condition = 1;
};

template <typename T>
LanePlan plan_lane(const RootProblem<T>& problem, MinimaxSchedules& minimax, const LaneSpectra& found, int l) {
  const double largest = found.lambda_max[l], smallest = found.lambda_min[l];
  LanePlan plan;
  if (found.input.status[l] != KR_STATUS_OK || found.is_diagonal[l] || !found.is_found[l] || !(largest > 0))
    return plan;
  plan.epsilon = problem.epsilon(largest);
  const bool full_rank = smallest > null_threshold(largest, problem.n, dtype_of<T>);
  const bool invertible = full_rank || (smallest > 0 && plan.epsilon > 0);
  if (!invertible || std::abs(problem.result_exponent()) > kLargestExponent) return plan;
  plan.condition = std::max(1.0, (largest + plan.epsilon) / (smallest + plan.epsilon));
  if (plan.condition > kLargestCondition<T>) return plan;
  plan.size = kRoom * (largest + plan.epsilon);
  plan.scale = std::pow(std::ldexp(plan.size, -problem.result_remainder()), problem.root.exponent());
  plan.steps = &minimax.of(kRoom * plan.condition);
  return plan;
}

// Coefficients of a lane in `steps` steps, its own first; the last of them brings the scale of X.
void fill_coefficients(const LanePlan& plan, int l, int steps, double* coefficients) {
  const int own = plan.steps == nullptr ? 0 : static_cast<int>(plan.steps->size());
  for (int k = 0; k < steps; ++k, coefficients += 3 * kMostLanes) {
    const MinimaxStep step = k < own ? (*plan.steps)[static_cast<size_t>(k)] : MinimaxStep{1, 0, 0};
    const double scale = k + 1 == own ? plan.scale : 1;
    coefficients[l] = scale * step.c0;
    coefficients[kMostLanes + l] = scale * step.c1;
    coefficients[2 * kMostLanes + l] = scale * step.c2;
  }
}

template <typename T>
kr_report report_of(const LanePlan& plan, const LaneSpectra& found, double residual, int64_t n, int l) {
  kr_report report = answered(KR_METHOD_MINIMAX);
  report.iterations = static_cast<int32_t>(plan.steps->size());
  report.condition = plan.condition;
  report.residual = residual;
  return found.rank[l] < n ? rank_deficient(report, found.rank[l]) : report;
}

}  // namespace

bool takes_root_lanes(const kr_call* call, const kr_inverse_root_options& options, const kr_batch& a) {
  const Root root = root_of(options);
  const bool is_minimax = options.method == KR_METHOD_AUTO || options.method == KR_METHOD_MINIMAX;
  if (!is_minimax || options.ridge == KR_RIDGE_PSEUDO_INVERSE || options.full_residual != 0) return false;
  if (!root.inverse || root.b != 1 || root.a < 2 || root.a > 16 || a.rows < 2 || a.rows > 64) return false;
  return plan_lanes(*call->device->crossovers, LaneOp::inverse_root, a.dtype, a.rows, a.batch);
}

template <typename T>
MinimaxSchedules lane_schedules(const kr_inverse_root_options& options) {
  return {root_of(options).a, kTolerance * ulp_of<T>};
}

template <typename T>
void answer_root_lanes(const kr_call* call, const kr_inverse_root_options& options, MinimaxSchedules& minimax,
                       const LaneGroup<const T>& a, const LaneGroup<T>& x, kr_report* reports, bool* answered) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const int64_t n = a.rows;
  const Root root = root_of(options);
  Scratch scratch;
  T* const s = scratch.take<T>(kernels.root_lanes_matrix(n));
  T* const workspace = scratch.take<T>(kernels.root_lanes_workspace(n));
  LaneSpectra found;
  kernels.examine_root_lanes(a, s, workspace, found);

  LaneSchedules schedules{};
  LaneRoots roots{};
  LanePlan plans[kMostLanes];
  schedules.root = root.a;
  schedules.steps = 1;
  for (int l = 0; l < kernels.lanes; ++l) {
    const int exponent = found.input.exponent[l];
    kr_inverse_root_options of_lane = options;
    of_lane.ridge_value =
        options.ridge == KR_RIDGE_ABSOLUTE ? std::ldexp(options.ridge_value, -exponent) : options.ridge_value;
    const RootProblem<T> problem{
        *call->device->kernels, *call->device->crossovers, of_lane, call->cancel, root, n, s, exponent, found.trace[l]};
    // Where the ridge is the larger one it sets the scale (inverse_root.cpp).
    const bool is_mostly_ridge = options.ridge == KR_RIDGE_ABSOLUTE && options.ridge_value > found.input.largest[l];
    if (l < a.count && !is_mostly_ridge) plans[l] = plan_lane(problem, minimax, found, l);
    roots.wanted[l] = plans[l].steps != nullptr;
    schedules.unit[l] = roots.wanted[l] ? 1 / plans[l].size : 0;
    schedules.shift[l] = roots.wanted[l] ? plans[l].epsilon / plans[l].size : 1;
    schedules.epsilon[l] = plans[l].epsilon;
    schedules.product_unit[l] = std::ldexp(1.0, -problem.result_remainder());
    schedules.exponent[l] = roots.wanted[l] ? problem.result_exponent() : 0;
    if (roots.wanted[l]) schedules.steps = std::max(schedules.steps, static_cast<int>(plans[l].steps->size()));
  }
  const bool has_work = std::any_of(roots.wanted, roots.wanted + a.count, [](bool each) { return each; });
  if (has_work) {
    double* const coefficients = scratch.take<double>(int64_t{3} * kMostLanes * schedules.steps);
    double* const signs = scratch.take<double>(n);
    for (int l = 0; l < kernels.lanes; ++l) fill_coefficients(plans[l], l, schedules.steps, coefficients);
    for (int64_t i = 0; i < n; ++i) signs[i] = random_sign(probe_stream, static_cast<uint64_t>(i));
    schedules.coefficients = coefficients;
    schedules.signs = signs;
    schedules.residual_bound = residual_bound_of(options);
    schedules.wide_steps =
        sizeof(T) == sizeof(double) ? schedules.steps : minimax_wide_steps_in_lanes(n, schedules.steps);
    kernels.minimax_root_lanes(schedules, s, x, workspace, roots);
  }
  for (int l = 0; l < a.count; ++l) {
    answered[l] = roots.wanted[l];
    if (answered[l]) reports[l] = report_of<T>(plans[l], found, roots.residual[l], n, l);
  }
}

template MinimaxSchedules lane_schedules<float>(const kr_inverse_root_options&);
template MinimaxSchedules lane_schedules<double>(const kr_inverse_root_options&);
template void answer_root_lanes<float>(const kr_call*, const kr_inverse_root_options&, MinimaxSchedules&,
                                       const LaneGroup<const float>&, const LaneGroup<float>&, kr_report*, bool*);
template void answer_root_lanes<double>(const kr_call*, const kr_inverse_root_options&, MinimaxSchedules&,
                                        const LaneGroup<const double>&, const LaneGroup<double>&, kr_report*, bool*);

}  // namespace kronroot::cpu
