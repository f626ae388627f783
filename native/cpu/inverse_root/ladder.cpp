#include "ladder.hpp"

#include "../../core/planner.hpp"
#include "../../core/report.hpp"
#include "certificate.hpp"
#include "definiteness.hpp"
#include "eigen_root.hpp"
#include "iterative_root.hpp"

namespace kronroot::cpu {
namespace {

constexpr double kResidualBound = 0.05;

template <typename T>
bool is_diagonal(int64_t n, const T* a) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j)
      if (a[i * n + j] != 0) return false;
  }
  return true;
}

// The least that the bound of the condition can come out at: for a matrix of full rank, whose smallest eigenvalue
// is known to be above n ulp lambda_max, and the ridge.
template <typename T>
double least_condition_bound(const RootProblem<T>& problem) {
  const int32_t ridge = problem.options.ridge;
  if (ridge == KR_RIDGE_ABSOLUTE || ridge == KR_RIDGE_TRACE) return 1;
  const double relative = problem.epsilon(1);
  return (1 + relative) / (null_threshold(1.0, problem.n, dtype_of<T>) + relative);
}

// In f64 where that is known already.
template <typename T>
RootAttempt by_eigenvalues(const RootProblem<T>& problem, T* x) {
  return problem.known != nullptr ? eigen_root<double>(problem, x) : eigen_root<T>(problem, x);
}

// What the planner finds unsuitable is answered by eigh on the same rung.
template <typename T>
RootAttempt partial_fractions_or_eigh(const RootProblem<T>& problem, T* x) {
  const RootAttempt attempt = partial_fraction_root(problem, x);
  return attempt.outcome == RootAttempt::Outcome::unsuitable ? eigen_root<T>(problem, x) : attempt;
}

// The first rung: closed form, the method asked for, or the planner's choice. Methods without eigenvalues leave
// pseudo-inverses, and matrices with eigenvalues that have to be set to 0, to the next rung.
template <typename T>
RootAttempt chosen(const RootProblem<T>& problem, T* x) {
  if (is_diagonal(problem.n, problem.symmetric)) return diagonal_root(problem, x);
  const auto planned = [&](double condition) {
    return plan_inverse_root(problem.crossovers, problem.n, problem.root, condition, dtype_of<T>);
  };
  const bool is_planned = problem.options.method == KR_METHOD_AUTO;
  auto method = is_planned ? planned(least_condition_bound(problem)) : static_cast<kr_method>(problem.options.method);
  if (is_planned && problem.pseudo_inverse()) method = KR_METHOD_EIGH;
  if (method == KR_METHOD_EIGH || (is_planned && problem.known != nullptr)) return by_eigenvalues(problem, x);
  if (problem.pseudo_inverse() || problem.known != nullptr) return {};
  if (method == KR_METHOD_PARTIAL_FRACTIONS) {
    if (is_planned) return partial_fractions_or_eigh(problem, x);
    return is_fit_for_fractions(problem.root, dtype_of<T>) ? partial_fraction_root(problem, x) : RootAttempt{};
  }
  const Definiteness found = examine(problem);
  if (is_planned) method = found.invertible ? planned(found.condition_bound()) : KR_METHOD_EIGH;
  if (method == KR_METHOD_EIGH) return eigen_root<T>(problem, x);
  if (!found.invertible) return {};
  if (method == KR_METHOD_PARTIAL_FRACTIONS) return partial_fractions_or_eigh(problem, x);
  if (method == KR_METHOD_CHOLESKY) return cholesky_root(problem, found, x);
  switch (method) {
    case KR_METHOD_MINIMAX:
      return minimax_root(problem, found, x);
    case KR_METHOD_HIGHER_ORDER:
      return higher_order_root(problem, found, x);
    case KR_METHOD_NEWTON_DB:
      return newton_db_root(problem, found, x);
    case KR_METHOD_CANS:
      return cans_root(problem, found, x);
    case KR_METHOD_CHEBYSHEV:
      return chebyshev_root(problem, found, x);
    case KR_METHOD_RATIONAL:
      return rational_root(problem, found, x);
    default:
      return newton_root(problem, found, x);
  }
}

}  // namespace

double residual_bound_of(const kr_inverse_root_options& options) {
  return options.residual_bound == 0 ? kResidualBound : options.residual_bound;
}

template <typename T>
kr_report climb(const RootProblem<T>& problem, T* x) {
  const double bound = residual_bound_of(problem.options);
  bool tried_eigh = false;
  for (const kr_rung rung : {KR_RUNG_CHOSEN, KR_RUNG_EIGH, KR_RUNG_EIGH_F64}) {
    if (rung == KR_RUNG_EIGH && tried_eigh) continue;
    if (rung == KR_RUNG_EIGH_F64 && sizeof(T) == sizeof(double)) continue;
    RootAttempt attempt = rung == KR_RUNG_CHOSEN ? chosen(problem, x)
                          : rung == KR_RUNG_EIGH ? by_eigenvalues(problem, x)
                                                 : eigen_root<double>(problem, x);
    if (attempt.outcome == RootAttempt::Outcome::cancelled) return failed(KR_STATUS_CANCELLED);
    if (attempt.outcome == RootAttempt::Outcome::refused) return attempt.report;
    if (attempt.outcome == RootAttempt::Outcome::unsuitable) continue;
    tried_eigh = tried_eigh || attempt.report.method == KR_METHOD_EIGH;
    attempt.report.residual = balanced_residual(problem, attempt.epsilon, attempt.negative, x);
    attempt.report.rung = rung;
    if (attempt.report.residual <= bound) return attempt.report;
  }
  return failed(KR_STATUS_NOT_CONVERGED);
}

template kr_report climb<float>(const RootProblem<float>&, float*);
template kr_report climb<double>(const RootProblem<double>&, double*);

}  // namespace kronroot::cpu
