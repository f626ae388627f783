#include "root_lanes.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "../../core/planner.hpp"
#include "../../core/random.hpp"
#include "../../core/report.hpp"
#include "../device.hpp"
#include "../scratch.hpp"
#include "definiteness.hpp"
#include "ladder.hpp"

namespace kronroot::cpu {
namespace {

using Steps = std::vector<MinimaxStep>;

// The polynomials hold on (0, 1]: room for the rounding of lambda_max.
constexpr double kRoom = 1 + 1e-9;
// |t - 1| of the last minimax step, as a fraction of ulp.
constexpr double kMinimaxTolerance = 0.25;
// Beyond it rounding decides the smallest eigenvalues of the result.
template <typename T>
constexpr double kLargestCondition = 1 / ulp_of<T>;
// X is near the size of 1 (condition^{1/p} at most) and is scaled by 2^exponent at the end: so far that is exact.
constexpr int kLargestExponent = 60;
static_assert(kFractionGroup == fraction_group);

constexpr int64_t kMinimaxLargestN = 64, kFractionsLargestN = 128;
constexpr int kMinimaxLargestRoot = 16;

bool is_fit_for_minimax(const Root& root, int64_t n) {
  return root.b == 1 && root.a >= 2 && root.a <= kMinimaxLargestRoot && n <= kMinimaxLargestN;
}
// 2^power of a normal number: what std::ldexp takes long for.
double power_of_two(int power) { return std::bit_cast<double>(static_cast<uint64_t>(power + 1023) << 52); }

// x 2^power
double scaled(double x, int power) { return std::abs(power) < 1000 ? x * power_of_two(power) : std::ldexp(x, power); }

// The least power of two above x, x > 0 normal.
int exponent_above(double x) { return static_cast<int>(std::bit_cast<uint64_t>(x) >> 52) - 1022; }

// Coefficients of a lane in `steps` steps, its own first; the last of them brings the scale of X.
void fill_coefficients(const Steps* steps, double scale, int l, int count, double* coefficients) {
  const int own = steps == nullptr ? 0 : static_cast<int>(steps->size());
  for (int k = 0; k < count; ++k, coefficients += 3 * kMostLanes) {
    const MinimaxStep step = k < own ? (*steps)[static_cast<size_t>(k)] : MinimaxStep{1, 0, 0};
    const double factor = k + 1 == own ? scale : 1;
    coefficients[l] = factor * step.c0;
    coefficients[kMostLanes + l] = factor * step.c1;
    coefficients[2 * kMostLanes + l] = factor * step.c2;
  }
}

}  // namespace

std::optional<kr_method> root_lanes_method(const kr_call* call, const kr_inverse_root_options& options,
                                           const kr_batch& a) {
  const Root root = root_of(options);
  if (!root.inverse || options.ridge == KR_RIDGE_PSEUDO_INVERSE || options.full_residual != 0 || a.rows < 2) return {};
  if (!plan_lanes(*call->device->crossovers, LaneOp::inverse_root, a.dtype, a.rows, a.batch)) return {};
  switch (options.method) {
    case KR_METHOD_AUTO:
    case KR_METHOD_PARTIAL_FRACTIONS:
      if (is_fit_for_fractions(root, a.dtype) && a.rows <= kFractionsLargestN) return KR_METHOD_PARTIAL_FRACTIONS;
      return {};
    case KR_METHOD_MINIMAX:
      if (is_fit_for_minimax(root, a.rows)) return KR_METHOD_MINIMAX;
      return {};
    default:
      return {};
  }
}

// What one lane makes of its spectrum.
template <typename T>
struct RootLanes<T>::Plan {
  LaneOutcome outcome = LaneOutcome::left;  // answered: if the result passes its certificate
  double epsilon = 0;
  double condition = 1;
  double unit = 0, shift = 1;  // M = unit (S + epsilon I), I where nothing is wanted
  double scale = 0;            // of X
  int exponent = 0;            // of the result, 2^{exponent + remainder / a}
  int remainder = 0;
  const Steps* steps = nullptr;                 // MINIMAX
  const PartialFractions* fractions = nullptr;  // PARTIAL_FRACTIONS

  bool is_wanted() const { return outcome == LaneOutcome::answered; }
};

template <typename T>
RootLanes<T>::RootLanes(const kr_call* call, const kr_inverse_root_options& options, kr_method method, int64_t n)
    : call_(call),
      options_(options),
      kernels_(kernels_of<T>(*call->device->kernels)),
      root_(root_of(options)),
      reciprocal_(1.0 / root_.a),
      method_(method),
      minimax_(root_.a, kMinimaxTolerance * ulp_of<T>),
      fractions_(-root_.exponent(), fraction_tolerance<T>),
      n_(n),
      signs_(static_cast<size_t>(n)) {
  for (size_t i = 0; i < signs_.size(); ++i) signs_[i] = random_sign(probe_stream, i);
  for (int i = 0; i < root_.a; ++i) roots_of_two_[static_cast<size_t>(i)] = std::exp2(static_cast<double>(i) / root_.a);
}

// numerator / a rounded down, |numerator| < 2^20: half a unit above a multiple no rounding goes astray.
template <typename T>
int RootLanes<T>::divide(int numerator) const {
  return static_cast<int>(std::floor((numerator + 0.5) * reciprocal_));
}

// 2^{numerator / a}
template <typename T>
double RootLanes<T>::root_of_two(int numerator) const {
  const int whole = divide(numerator);
  return power_of_two(whole) * roots_of_two_[static_cast<size_t>(numerator - whole * root_.a)];
}

// As the defined answers (ops.h) and RootProblem have it.
template <typename T>
void RootLanes<T>::make_plan(const LaneSpectra& found, int l, Plan& plan) {
  const double largest = found.lambda_max[l], smallest = found.lambda_min[l];
  if (found.input.status[l] != KR_STATUS_OK || found.is_diagonal[l] != 0) return;
  const bool is_found = found.is_found[l] != 0;
  if (!is_found || !(largest > 0)) {
    if (!is_found) plan.outcome = LaneOutcome::needs_eigenvalues;
    return;
  }
  double ridge = options_.ridge_value;
  if (options_.ridge == KR_RIDGE_ABSOLUTE) {
    ridge = scaled(ridge, -found.input.exponent[l]);
    // Where the ridge is the larger one it sets the scale (inverse_root.cpp).
    if (ridge > found.input.largest[l]) return;
  }
  plan.epsilon = ridge_epsilon(options_.ridge, ridge, largest, found.trace[l], n_, dtype_of<T>);
  const bool full_rank = smallest > null_threshold(largest, n_, dtype_of<T>);
  const bool invertible = full_rank || (plan.epsilon > 0 && smallest >= -tolerated_negative(plan.epsilon, n_));
  const double top = largest + plan.epsilon, bottom = smallest + plan.epsilon;
  plan.condition = std::max(1.0, top / bottom);
  if (!invertible || plan.condition > kLargestCondition<T>) {
    plan.outcome = LaneOutcome::needs_eigenvalues;
    return;
  }
  const int power = -found.input.exponent[l] * root_.b;
  plan.exponent = divide(power);
  plan.remainder = power - plan.exponent * root_.a;
  if (std::abs(plan.exponent) > kLargestExponent) return;
  plan.outcome = LaneOutcome::answered;
  if (method_ == KR_METHOD_MINIMAX) {
    const double size = kRoom * top;
    plan.unit = 1 / size;
    plan.steps = &minimax_.of(kRoom * plan.condition);
    plan.scale = std::pow(size, root_.exponent()) * root_of_two(plan.remainder);
  } else {
    const int exponent = exponent_above(top);
    plan.unit = power_of_two(-exponent);
    // bottom >= 2^{exponent_above(bottom) - 1}
    plan.fractions = &fractions_.of_power(exponent - exponent_above(bottom) + 1);
    plan.scale = root_of_two(plan.remainder - exponent * root_.b);
  }
  plan.shift = plan.epsilon * plan.unit;
}

template <typename T>
void RootLanes<T>::run_minimax(const Plan* plans, const LaneCertificate& certificate, const T* s, const LaneGroup<T>& x,
                               T* workspace, LaneRoots& roots) {
  LaneSchedules given{};
  given.certificate = &certificate;
  given.steps = 1;
  for (int l = 0; l < kernels_.lanes; ++l) {
    given.unit[l] = plans[l].unit;
    given.shift[l] = plans[l].shift;
    if (plans[l].is_wanted()) given.steps = std::max(given.steps, static_cast<int>(plans[l].steps->size()));
  }
  Scratch scratch;
  double* const coefficients = scratch.take<double>(int64_t{3} * kMostLanes * given.steps);
  for (int l = 0; l < kernels_.lanes; ++l)
    fill_coefficients(plans[l].steps, plans[l].scale, l, given.steps, coefficients);
  given.coefficients = coefficients;
  given.wide_steps = sizeof(T) == sizeof(double) ? given.steps : minimax_wide_steps_in_lanes(x.rows, given.steps);
  kernels_.minimax_root_lanes(given, s, x, workspace, roots);
}

template <typename T>
void RootLanes<T>::run_fractions(const Plan* plans, const LaneCertificate& certificate, const T* s,
                                 const LaneGroup<T>& x, T* workspace, LaneRoots& roots) {
  LaneFractions given;
  given.certificate = &certificate;
  int most = 1;
  for (int l = 0; l < kernels_.lanes; ++l) {
    const Plan& plan = plans[l];
    given.unit[l] = plan.unit;
    given.shift[l] = plan.shift;
    given.scale[l] = plan.scale;
    given.count[l] = plan.is_wanted() ? static_cast<int>(plan.fractions->poles.size()) : 0;
    given.poles[l] = plan.is_wanted() ? plan.fractions->poles.data() : nullptr;
    given.weights[l] = plan.is_wanted() ? plan.fractions->weights.data() : nullptr;
    most = std::max(most, given.count[l]);
  }
  given.terms = (most + kFractionGroup - 1) / kFractionGroup * kFractionGroup;
  kernels_.partial_fraction_root_lanes(given, s, x, workspace, roots);
}

template <typename T>
void RootLanes<T>::answer(const LaneGroup<const T>& a, const LaneGroup<T>& x, kr_report* reports,
                          LaneOutcome* outcomes) {
  const bool is_minimax = method_ == KR_METHOD_MINIMAX;
  Scratch scratch;
  T* const s = scratch.take<T>(kernels_.root_lanes_matrix(n_));
  T* const workspace = scratch.take<T>(is_minimax ? kernels_.minimax_root_lanes_workspace(n_)
                                                  : kernels_.partial_fraction_root_lanes_workspace(n_));
  LaneSpectra found;
  kernels_.examine_root_lanes(a, s, workspace, found);

  LaneCertificate certificate;
  certificate.a = root_.a;
  certificate.b = root_.b;
  certificate.signs = signs_.data();
  certificate.residual_bound = residual_bound_of(options_);
  LaneRoots roots;
  Plan plans[kMostLanes];
  bool is_any_wanted = false;
  for (int l = 0; l < kernels_.lanes; ++l) {
    if (l < a.count) make_plan(found, l, plans[l]);
    roots.wanted[l] = plans[l].is_wanted();
    is_any_wanted |= roots.wanted[l];
    certificate.epsilon[l] = plans[l].epsilon;
    certificate.product_unit[l] = power_of_two(-plans[l].remainder);
    certificate.exponent[l] = plans[l].exponent;
  }
  if (is_any_wanted) {
    is_minimax ? run_minimax(plans, certificate, s, x, workspace, roots)
               : run_fractions(plans, certificate, s, x, workspace, roots);
  }
  for (int l = 0; l < a.count; ++l) {
    outcomes[l] = plans[l].is_wanted() && !roots.wanted[l] ? LaneOutcome::left : plans[l].outcome;
    if (outcomes[l] != LaneOutcome::answered) continue;
    kr_report report = kronroot::answered(method_);
    report.iterations = static_cast<int32_t>(is_minimax ? plans[l].steps->size() : plans[l].fractions->poles.size());
    report.condition = plans[l].condition;
    report.residual = roots.residual[l];
    reports[l] = found.rank[l] < n_ ? rank_deficient(report, found.rank[l]) : report;
  }
}

template class RootLanes<float>;
template class RootLanes<double>;

}  // namespace kronroot::cpu
