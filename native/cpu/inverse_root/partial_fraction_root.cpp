#include <algorithm>
#include <cmath>

#include "../../core/partial_fractions.hpp"
#include "../../core/planner.hpp"
#include "../../core/report.hpp"
#include "../scratch.hpp"
#include "../symmetric_input.hpp"
#include "fractions.hpp"
#include "iterative_root.hpp"

namespace kronroot::cpu {
namespace {

// s: S as Work, overwritten; x likewise.
template <typename Work, typename T>
RootAttempt reduce_and_sum(const RootProblem<T>& problem, Work* s, Work* x) {
  const int64_t n = problem.n;
  const Kernels<Work>& kernels = kernels_of<Work>(problem.kernels);
  RootAttempt attempt;
  Scratch scratch;
  Work* const workspace = scratch.take<Work>(kernels.partial_fraction_root_workspace(n));
  const auto cancelled = [&] {
    attempt.outcome = RootAttempt::Outcome::cancelled;
    return attempt;
  };
  // Beside a large absolute ridge S is small; the reduction wants it near 1.
  int lift = 0;
  std::frexp(static_cast<double>(kernels.largest_magnitude(n * n, s)), &lift);
  scale_by_power_of_two(n * n, s, -lift);
  const double unit = std::ldexp(1.0, lift);
  RootSpectrum found{};
  found.null_ulp = ulp_of<T>;
  if (!kernels.examine_root(n, s, workspace, problem.cancel, found)) return cancelled();
  const double largest = found.lambda_max * unit, smallest = found.lambda_min * unit;
  if (!found.is_found || !(largest > 0)) return attempt;
  const double epsilon = problem.epsilon(largest);
  const double top = largest + epsilon, bottom = smallest + epsilon;
  const bool invertible = found.rank == n || (epsilon > 0 && smallest >= -tolerated_negative(epsilon, n));
  if (!invertible || !(bottom > 0) || top / bottom > 1 / ulp_of<T>) return attempt;

  const double size = std::exp2(std::ilogb(top) + 1);
  PowerFractions kept(-problem.root.exponent(), fraction_tolerance<T>);
  const PartialFractions& sum = kept.of(size / bottom);
  const int terms = static_cast<int>(sum.poles.size());
  const double scale = std::pow(size, problem.root.exponent()) * problem.root_scale();
  const RootFractions given = {terms, sum.poles.data(), sum.weights.data(), unit / size, epsilon / size, scale};
  if (!kernels.partial_fraction_root(given, n, x, workspace, problem.cancel)) return cancelled();
  attempt.outcome = RootAttempt::Outcome::answered;
  attempt.epsilon = epsilon;
  attempt.report = answered(KR_METHOD_PARTIAL_FRACTIONS);
  attempt.report.iterations = terms;
  attempt.report.condition = std::max(1.0, top / bottom);
  if (found.rank < n) attempt.report = rank_deficient(attempt.report, found.rank);
  return attempt;
}

template <typename Work, typename T>
RootAttempt reduce_in(const RootProblem<T>& problem, T* x) {
  const int64_t size = problem.n * problem.n;
  Scratch scratch;
  Work* const s = scratch.take<Work>(size);
  std::copy_n(problem.symmetric, size, s);
  if constexpr (sizeof(Work) == sizeof(T)) {
    return reduce_and_sum(problem, s, x);
  } else {
    Work* const wide = scratch.take<Work>(size);
    const RootAttempt attempt = reduce_and_sum(problem, s, wide);
    if (attempt.outcome == RootAttempt::Outcome::answered) {
      std::transform(wide, wide + size, x, [](Work each) { return static_cast<T>(each); });
    }
    return attempt;
  }
}

}  // namespace

template <typename T>
RootAttempt partial_fraction_root(const RootProblem<T>& problem, T* x) {
  return problem.n <= wide_root_order ? reduce_in<double>(problem, x) : reduce_in<T>(problem, x);
}

template RootAttempt partial_fraction_root<float>(const RootProblem<float>&, float*);
template RootAttempt partial_fraction_root<double>(const RootProblem<double>&, double*);

}  // namespace kronroot::cpu
