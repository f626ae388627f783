#include <algorithm>
#include <cmath>

#include "../cancel.hpp"
#include "coupled_pair.hpp"
#include "iterates.hpp"
#include "iterative_answer.hpp"
#include "iterative_root.hpp"
#include "powers.hpp"

namespace kronroot::cpu {
namespace {

// A coupled iteration by a factor P = c0 I + c1 M + c2 M^2 that stays the same.
struct Series {
  kr_method method;
  double c0, c1, c2;
  double largest;  // the iteration starts with eigenvalues in (0, largest]
};

// T = sum of b_i (I - M)^i for i < 3 in powers of M.
Series higher_order(int p) {
  const double b1 = 1.0 / p, b2 = b1 * (1.0 + p) / (2.0 * p);
  return {KR_METHOD_HIGHER_ORDER, 1 + b1 + b2, -(b1 + 2 * b2), b2, 1};
}

// Newton converges for eigenvalues of M_0 in (0, p + 1). Guo and Higham's choice, half of it, costs an iteration;
// nearer to p + 1 the largest eigenvalues would be thrown to the bottom of the spectrum, and their accuracy with them.
Series newton(int p) { return {KR_METHOD_COUPLED_NEWTON, (p + 1.0) / p, -1.0 / p, 0, (p + 1) / 2.0}; }

template <typename T>
void set_factor(const Series& series, int64_t n, CoupledPair<T>& pair) {
  if (series.c2 != 0) {
    pair.set_factor(series.c0, series.c1, series.c2);
    return;
  }
  const T slope = static_cast<T>(series.c1);
  std::transform(pair.m(), pair.m() + n * n, pair.factor(), [slope](T each) { return slope * each; });
  add_to_diagonal(n, static_cast<T>(series.c0), pair.factor());
}

template <typename T>
RootAttempt run(const RootProblem<T>& problem, const Definiteness& found, const Series& series, T* x) {
  const int64_t n = problem.n;
  const Root& root = problem.root;
  const Kernels<T>& kernels = kernels_of<T>(problem.kernels);
  Scratch scratch;
  CoupledPair<T> pair(kernels, n, root.a, scratch);
  const double z = unit_for(found, series.largest);
  starting_matrix(problem, found, z, pair.m());
  T* base = scratch.take<T>(n * n);
  std::copy_n(pair.m(), n * n, base);

  RootAttempt unfinished;
  const int most = iteration_limit(problem);
  double distance = distance_to_identity(n, pair.m());
  for (int iteration = 1; iteration <= most; ++iteration) {
    if (is_cancelled(problem.cancel)) {
      unfinished.outcome = RootAttempt::Outcome::cancelled;
      return unfinished;
    }
    set_factor(series, n, pair);
    if (iteration == 1) {
      pair.start_x();
    } else {
      pair.advance_x();
    }
    bool done = distance * distance <= ulp_of<T>;
    if (!done) {
      pair.advance_m();
      const double previous = distance;
      distance = distance_to_identity(n, pair.m());
      done = previous < 0.5 && !(distance < previous);
    }
    if (!done) continue;
    const double condition = condition_from_root(kernels, n, found, root.a, z, pair.x());
    raise_to_root<T>(kernels, n, root, base, pair.x());
    const double scale = std::pow(z, -root.exponent()) * problem.root_scale();
    return iterative_answer(problem, found, series.method, iteration, condition, pair.x(), scale, x);
  }
  return unfinished;
}

}  // namespace

template <typename T>
RootAttempt newton_root(const RootProblem<T>& problem, const Definiteness& found, T* x) {
  return run(problem, found, newton(problem.root.a), x);
}

template <typename T>
RootAttempt higher_order_root(const RootProblem<T>& problem, const Definiteness& found, T* x) {
  return run(problem, found, higher_order(problem.root.a), x);
}

template RootAttempt newton_root<float>(const RootProblem<float>&, const Definiteness&, float*);
template RootAttempt newton_root<double>(const RootProblem<double>&, const Definiteness&, double*);
template RootAttempt higher_order_root<float>(const RootProblem<float>&, const Definiteness&, float*);
template RootAttempt higher_order_root<double>(const RootProblem<double>&, const Definiteness&, double*);

}  // namespace kronroot::cpu
