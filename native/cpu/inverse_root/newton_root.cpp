#include <algorithm>
#include <cmath>

#include "../cancel.hpp"
#include "coupled_pair.hpp"
#include "iterative_answer.hpp"
#include "iterative_root.hpp"
#include "powers.hpp"

namespace kronroot::cpu {
namespace {

constexpr int kMostIterations = 100;
// Room for the difference between the Ritz value and lambda_max.
constexpr double kRoom = 1.01;

// |M - I|_F
template <typename T>
double distance_to_identity(int64_t n, const T* m) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const double each = static_cast<double>(m[i * n + j]) - (i == j ? 1 : 0);
      squares += each * each;
    }
  }
  return std::sqrt(squares);
}

}  // namespace

template <typename T>
RootAttempt newton_root(const RootProblem<T>& problem, const Definiteness& found, T* x) {
  const int64_t n = problem.n;
  const Root& root = problem.root;
  const int p = root.a;
  const Kernels<T>& kernels = kernels_of<T>(problem.kernels);
  Scratch scratch;
  CoupledPair<T> pair(kernels, n, p, scratch);
  // Converges for eigenvalues of M_0 in (0, p + 1). Guo and Higham's choice, half of it, costs an iteration; nearer to
  // p + 1 the largest eigenvalues would be thrown to the bottom of the spectrum, and their accuracy with them.
  const double z = (p + 1) / (2 * kRoom * (found.lambda_max + found.epsilon));
  for (int64_t i = 0; i < n * n; ++i) {
    const double shift = i % (n + 1) == 0 ? found.epsilon : 0;
    pair.m()[i] = static_cast<T>(z * (static_cast<double>(problem.symmetric[i]) + shift));
  }
  T* base = scratch.take<T>(n * n);
  std::copy_n(pair.m(), n * n, base);

  RootAttempt unfinished;
  const int most = problem.options.max_iterations > 0 ? problem.options.max_iterations : kMostIterations;
  double distance = distance_to_identity(n, pair.m());
  for (int iteration = 1; iteration <= most; ++iteration) {
    if (is_cancelled(problem.cancel)) {
      unfinished.outcome = RootAttempt::Outcome::cancelled;
      return unfinished;
    }
    for (int64_t i = 0; i < n * n; ++i) pair.factor()[i] = -pair.m()[i] / static_cast<T>(p);
    add_to_diagonal(n, static_cast<T>((p + 1.0) / p), pair.factor());
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
    const double condition = condition_from_root(kernels, n, found, p, z, pair.x());
    raise_to_root<T>(kernels, n, root, base, pair.x());
    const double scale = std::pow(z, -root.exponent()) * problem.root_scale();
    return iterative_answer(problem, found, KR_METHOD_COUPLED_NEWTON, iteration, condition, pair.x(), scale, x);
  }
  return unfinished;
}

template RootAttempt newton_root<float>(const RootProblem<float>&, const Definiteness&, float*);
template RootAttempt newton_root<double>(const RootProblem<double>&, const Definiteness&, double*);

}  // namespace kronroot::cpu
