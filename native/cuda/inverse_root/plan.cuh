// What the ends of the spectrum decide about a matrix: the defined answers of ops.h, and where the iteration starts.
#pragma once

#include "power.cuh"
#include "problem.cuh"
#include "schedules.hpp"
#include "spectrum_ends.cuh"

namespace kronroot::cuda {

// The schedules, as kernels read them.
struct Schedules {
  Global<const int32_t> first;
  Global<const MinimaxStep> steps;

  static Schedules of(const MinimaxTable* table) {
    return {Global<const int32_t>(table == nullptr ? nullptr : table->first),
            Global<const MinimaxStep>(table == nullptr ? nullptr : table->steps)};
  }
};

// How far below 0 an eigenvalue may be left as it is under a ridge of epsilon. One of -epsilon / 64 moves the result by
// 1.6 %/p in its direction, where the rounding of eigh in f32 moves it by several per cent under the default ridge; up
// to order 32, where eigh is sometimes lucky in the few directions there are, nothing that the element type can show is
// left.
__device__ inline double tolerated_negative(double epsilon, int n, int32_t dtype) {
  return n <= 32 ? ulp_of_dtype(dtype) / 2 * epsilon : epsilon / 64;
}

// Power of two between S and A.
template <typename Input>
__device__ int scale_exponent(const RootRequest& request, const Input& input) {
  int exponent = input.exponent;
  if (request.ridge == KR_RIDGE_ABSOLUTE && request.ridge_value > input.largest) frexp(request.ridge_value, &exponent);
  return exponent;
}

__device__ inline double epsilon_of(const RootRequest& request, int exponent, double lambda_max, double trace, int n) {
  const bool is_absolute = request.ridge == KR_RIDGE_ABSOLUTE;
  const double value = is_absolute ? ldexp(request.ridge_value, -exponent) : request.ridge_value;
  return ridge_epsilon(request.ridge, value, lambda_max, trace, n, request.dtype);
}

// A series that does not change from step to step, P = c0 I + c1 M + c2 M^2, for a start with eigenvalues in
// (0, largest].
struct Series {
  double c0, c1, c2;
  double largest;
};

// Newton: converges for eigenvalues of M_0 in (0, p + 1); half of that costs an iteration and keeps the accuracy of the
// largest ones. Third order: the first terms of (I - R)^{-1/p}, R = I - M, in powers of M.
// Source: Guo and Higham, SIAM J. Matrix Anal. Appl. 28 (2006), algorithm 3.3; Iannazzo, ibid.
__device__ inline Series series_of(int32_t method, int p) {
  const double b1 = 1.0 / p, b2 = b1 * (1.0 + p) / (2.0 * p);
  if (method == KR_METHOD_HIGHER_ORDER) return {1 + b1 + b2, -(b1 + 2 * b2), b2, 1};
  return {(p + 1.0) / p, -1.0 / p, 0, (p + 1) / 2.0};
}

// The plan, with the report of a matrix that has no answer. count_above(x): how many eigenvalues are above x. `room` is
// left above lambda_max for the rounding of M_0.
template <typename Count>
__attribute__((noinline)) __device__ RootPlan plan_root(const RootRequest& request, const Schedules& schedules,
                                                        int exponent, int n, double trace, const SpectrumEnds& ends,
                                                        const Count& count_above, double room, kr_report* refused) {
  RootPlan plan{};
  plan.stage = root_is_next;
  plan.scale = RootScale::of(request.root, exponent);
  plan.epsilon = epsilon_of(request, exponent, ends.largest, trace, n);
  const double null = null_threshold(ends.largest, n, request.dtype);
  plan.rank = ends.smallest > null ? n : count_above(null);
  const bool is_indefinite = ends.smallest < -negative_tolerance(plan.epsilon, ends.largest, n, request.dtype);
  if (is_indefinite || (plan.rank < n && plan.epsilon == 0)) {
    *refused = failed(KR_STATUS_NOT_POSITIVE_DEFINITE);
    plan.stage = root_is_settled;
    return plan;
  }
  const bool is_invertible =
      plan.rank == n || (plan.epsilon > 0 && ends.smallest >= -tolerated_negative(plan.epsilon, n, request.dtype));
  const double top = ends.largest + plan.epsilon, bottom = ends.smallest + plan.epsilon;
  plan.condition = std::max(1.0, top / bottom);
  if (!is_invertible || !(plan.condition <= largest_condition(request.dtype))) return plan;
  plan.stage = root_is_iterated;
  plan.method = request.method;
  double largest = 1;
  if (request.method == KR_METHOD_MINIMAX) {
    const int bucket = minimax_bucket(log10(room * plan.condition));
    plan.first_step = schedules.first[bucket];
    plan.steps = schedules.first[bucket + 1] - plan.first_step;
  } else {
    largest = series_of(request.method, request.root.a).largest;
    plan.steps = request.most_iterations;
  }
  plan.unit = largest / (room * top);
  const double remainder = exp2(static_cast<double>(plan.scale.remainder) / request.root.a);
  plan.multiplier = pow(plan.unit, -request.root.exponent()) * remainder;
  return plan;
}

// What the defined answers make of a list of eigenvalues of S.
struct Spectrum {
  double epsilon = 0;
  double null = 0;  // eigenvalues not above count as 0, or contribute nothing
  bool is_pseudo_inverse = false;
  RootScale scale{};
  int rank = 0;

  // The eigenvalue that is inverted; 0 where the direction contributes nothing.
  __device__ double effective(double value) const {
    if (is_pseudo_inverse) return value > null ? value : 0;
    return std::max(value, 0.0) + epsilon;
  }
  // Of the result, in units of 2^scale.result.
  __device__ double image(const Root& root, double value) const {
    const double inverted = effective(value);
    return inverted > 0 ? root_power(inverted, scale.exponent, root, scale.result) : 0;
  }
};

// value(i), i < n: all eigenvalues of S in any order. The report has status, rank and condition.
template <typename Team, typename Value>
__attribute__((noinline)) __device__ Spectrum spectrum_of(const Team& team, const RootRequest& request, int exponent,
                                                          int n, const Value& value, kr_report* report) {
  Spectrum spectrum;
  double most = -1e300, least = 1e300, trace = 0;
  for (int i = team.rank(); i < n; i += team.size()) {
    const double each = value(i);
    most = std::max(most, each);
    least = std::min(least, each);
    trace += each;
  }
  const double largest = team.max(most), smallest = -team.max(-least);
  trace = team.sum(trace);
  spectrum.scale = RootScale::of(request.root, exponent);
  spectrum.is_pseudo_inverse = request.is_pseudo_inverse();
  spectrum.epsilon = epsilon_of(request, exponent, largest, trace, n);
  spectrum.null = spectrum.is_pseudo_inverse ? pseudo_inverse_cutoff(request.ridge_value, largest, n, request.dtype)
                                             : null_threshold(largest, n, request.dtype);
  double above = 0;
  most = 0;
  least = 1e300;
  for (int i = team.rank(); i < n; i += team.size()) {
    const double each = value(i), inverted = spectrum.effective(each);
    above += each > spectrum.null ? 1 : 0;
    most = std::max(most, inverted);
    if (inverted > 0) least = std::min(least, inverted);
  }
  spectrum.rank = static_cast<int>(team.sum(above));
  most = team.max(most);
  least = -team.max(-least);
  const bool is_indefinite = smallest < -negative_tolerance(spectrum.epsilon, largest, n, request.dtype);
  const bool is_singular = spectrum.rank < n && spectrum.epsilon == 0 && !spectrum.is_pseudo_inverse;
  if (is_indefinite || is_singular) {
    *report = failed(KR_STATUS_NOT_POSITIVE_DEFINITE);
    return spectrum;
  }
  *report = answered(KR_METHOD_AUTO);
  if (spectrum.rank < n) *report = rank_deficient(*report, spectrum.rank);
  if (most > 0) report->condition = most / least;
  return spectrum;
}

}  // namespace kronroot::cuda
