#include <algorithm>
#include <cmath>

#include "../cancel.hpp"
#include "../triangular.hpp"
#include "coupled_pair.hpp"
#include "iterates.hpp"
#include "iterative_answer.hpp"
#include "iterative_root.hpp"
#include "powers.hpp"

namespace kronroot::cpu {
namespace {

// One step on t = m^{1/p}, m an eigenvalue of M, t in [alpha, 1]:
//   t W = p mu^{p-1} t / (t^p + (p - 1) mu^p)
// is 1 at t = mu and equal at both ends, which gives mu^p = (alpha - alpha^p) / ((p - 1) (1 - alpha)), the mean of
// alpha, alpha^2, ..., alpha^{p-1}.
struct Step {
  double shift;  // (p - 1) mu^p
  double scale;  // p mu^{p-1}
  double alpha;  // of the next step
};

Step step_at(int p, double alpha) {
  double power = 0;
  for (int i = 1; i < p; ++i) power = alpha * (power + 1.0 / (p - 1));
  const double scale = p * std::pow(power, (p - 1.0) / p), shift = (p - 1) * power;
  return {shift, scale, scale / (1 + shift)};
}

// to = scale (M + shift I)^{-1}, by Cholesky; false where a pivot is not positive.
template <typename T>
bool invert_shifted(const Kernels<T>& kernels, int64_t n, const Step& step, const T* m, T* to) {
  Scratch scratch;
  T* factor = scratch.take<T>(n * n);
  T* inverse_factor = scratch.take<T>(n * n);
  std::copy_n(m, n * n, factor);
  add_to_diagonal(n, static_cast<T>(step.shift), factor);
  if (factorize(kernels, n, factor, n) >= 0) return false;
  invert_transposed(kernels, n, factor, n, inverse_factor, n);
  multiply_lower_by_transpose(kernels, n, inverse_factor, n, to, n);
  const T scale = static_cast<T>(step.scale);
  std::transform(to, to + n * n, to, [scale](T each) { return scale * each; });
  return true;
}

// The smallest eigenvalue of M, a little below: from the largest one of M^{-1}. A floor far below it would cost
// accuracy, because the first step then throws the largest eigenvalues of M to the bottom of the spectrum. 0 where M
// cannot be inverted.
template <typename T>
double smallest_eigenvalue(const Kernels<T>& kernels, int64_t n, const T* m, T* inverse) {
  if (!invert_shifted(kernels, n, Step{0, 1, 0}, m, inverse)) return 0;
  const double largest = largest_eigenvalue(kernels, n, inverse, 1e-2).value;
  return 1 / (spectrum_room * largest);
}

}  // namespace

template <typename T>
RootAttempt rational_root(const RootProblem<T>& problem, const Definiteness& found, T* x) {
  const int64_t n = problem.n;
  const Root& root = problem.root;
  if (root.a == 1 && root.inverse) return cholesky_root(problem, found, x);
  // A positive power magnifies the relative error of the large directions, in which the first step costs most.
  if (!root.inverse) return {};
  const Kernels<T>& kernels = kernels_of<T>(problem.kernels);
  Scratch scratch;
  CoupledPair<T> pair(kernels, n, root.a, scratch);
  const double unit = unit_for(found, 1);
  starting_matrix(problem, found, unit, pair.m());
  T* base = scratch.take<T>(n * n);
  std::copy_n(pair.m(), n * n, base);

  RootAttempt unfinished;
  const int most = iteration_limit(problem);
  const double smallest = smallest_eigenvalue(kernels, n, pair.m(), pair.factor());
  double alpha = std::pow(std::max(smallest, unit * found.lambda_min_bound), 1.0 / root.a);
  for (int iteration = 1; iteration <= most; ++iteration) {
    if (is_cancelled(problem.cancel)) {
      unfinished.outcome = RootAttempt::Outcome::cancelled;
      return unfinished;
    }
    const Step step = step_at(root.a, alpha);
    if (!invert_shifted(kernels, n, step, pair.m(), pair.factor())) return unfinished;
    if (iteration == 1) {
      pair.start_x();
    } else {
      pair.advance_x();
    }
    alpha = step.alpha;
    if (1 - alpha > ulp_of<T>) {
      pair.advance_m();
      continue;
    }
    const double condition = condition_from_root(kernels, n, found, root.a, unit, pair.x());
    raise_to_root<T>(kernels, n, root, base, pair.x());
    const double scale = std::pow(unit, -root.exponent()) * problem.root_scale();
    return iterative_answer(problem, found, KR_METHOD_RATIONAL, iteration, condition, pair.x(), scale, x);
  }
  return unfinished;
}

template RootAttempt rational_root<float>(const RootProblem<float>&, const Definiteness&, float*);
template RootAttempt rational_root<double>(const RootProblem<double>&, const Definiteness&, double*);

}  // namespace kronroot::cpu
