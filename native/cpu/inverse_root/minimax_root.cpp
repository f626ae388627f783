#include <algorithm>
#include <cmath>

#include "../../core/minimax.hpp"
#include "../../core/planner.hpp"
#include "../cancel.hpp"
#include "coupled_pair.hpp"
#include "iterative_answer.hpp"
#include "iterative_root.hpp"
#include "powers.hpp"

namespace kronroot::cpu {
namespace {

using Steps = std::vector<MinimaxStep>;

// Room above the Ritz value for the eigenvalue itself: the polynomials hold on (0, 1] only.
constexpr double kRoom = 1.01;
// |t - 1| of the last step, as a fraction of ulp.
constexpr double kTolerance = 0.25;

// Steps [first, last) of the schedule; false when cancelled.
template <typename Work, typename T>
bool run(const RootProblem<T>& problem, const Steps& steps, size_t first, size_t last, CoupledPair<Work>& pair) {
  for (size_t k = first; k < last; ++k) {
    if (is_cancelled(problem.cancel)) return false;
    pair.set_factor(steps[k].c0, steps[k].c1, steps[k].c2);
    if (k == 0) {
      pair.start_x();
    } else {
      pair.advance_x();
    }
    if (k + 1 < steps.size()) pair.advance_m();
  }
  return true;
}

}  // namespace

template <typename T>
RootAttempt minimax_root(const RootProblem<T>& problem, const Definiteness& found, T* x) {
  const int64_t n = problem.n;
  const Root& root = problem.root;
  const double size = kRoom * (found.lambda_max + found.epsilon);
  const Steps& steps = minimax_schedule(root.a, kRoom * found.condition_bound(), kTolerance * ulp_of<T>);
  const double scale = std::pow(size, root.exponent()) * problem.root_scale();
  const auto iterations = static_cast<int>(steps.size());

  Scratch scratch;
  CoupledPair<double> wide(problem.kernels.f64, n, root.a, scratch);
  for (int64_t i = 0; i < n * n; ++i) wide.m()[i] = problem.symmetric[i] / size;
  add_to_diagonal(n, found.epsilon / size, wide.m());
  double* base = nullptr;  // B, for positive powers
  if (!root.inverse) {
    base = scratch.take<double>(n * n);
    std::copy_n(wide.m(), n * n, base);
  }
  // Positive powers magnify the error of the inverse root in directions that count little for it, and b-th powers
  // multiply it by b.
  const bool is_power = !root.inverse || root.b > 1;
  const bool all_wide = sizeof(T) == sizeof(double) || is_power;
  const size_t wide_steps =
      all_wide ? steps.size() : std::min(steps.size(), static_cast<size_t>(minimax_wide_steps(n, iterations)));
  RootAttempt cancelled;
  cancelled.outcome = RootAttempt::Outcome::cancelled;
  if (!run(problem, steps, 0, wide_steps, wide)) return cancelled;
  if (wide_steps == steps.size()) {
    const double condition = condition_from_root(problem.kernels.f64, n, found, root.a, 1 / size, wide.x());
    raise_to_root(problem.kernels.f64, n, root, base, wide.x());
    return iterative_answer(problem, found, KR_METHOD_MINIMAX, iterations, condition, wide.x(), scale, x);
  }
  CoupledPair<T> narrow(kernels_of<T>(problem.kernels), n, root.a, scratch);
  std::transform(wide.m(), wide.m() + n * n, narrow.m(), [](double each) { return static_cast<T>(each); });
  std::transform(wide.x(), wide.x() + n * n, narrow.x(), [](double each) { return static_cast<T>(each); });
  if (!run(problem, steps, wide_steps, steps.size(), narrow)) return cancelled;
  const Kernels<T>& kernels = kernels_of<T>(problem.kernels);
  const double condition = condition_from_root(kernels, n, found, root.a, 1 / size, narrow.x());
  return iterative_answer(problem, found, KR_METHOD_MINIMAX, iterations, condition, narrow.x(), scale, x);
}

template RootAttempt minimax_root<float>(const RootProblem<float>&, const Definiteness&, float*);
template RootAttempt minimax_root<double>(const RootProblem<double>&, const Definiteness&, double*);

}  // namespace kronroot::cpu
