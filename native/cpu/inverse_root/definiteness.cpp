#include "definiteness.hpp"

#include "../../core/planner.hpp"
#include "inertia.hpp"
#include "lanczos.hpp"

namespace kronroot::cpu {
namespace {

// Largest error of lambda_max, relative: the result feels it through a relative ridge, by at most 1/p of it. The
// residual of the Ritz pair is the square root of that, since the error of the value goes with its square.
template <typename T>
constexpr double kError = sizeof(T) == 4 ? 1e-6 : 1e-12;
template <typename T>
constexpr double kResidual = sizeof(T) == 4 ? 1e-4 : 1e-7;

// Of the ridge: an eigenvalue of -epsilon / 64 that is not set to 0 moves the result by 1.6 %/p in its direction, where
// the rounding of eigh in f32 moves it by several per cent under the default ridge.
constexpr double kTolerated = 1.0 / 64;

}  // namespace

double tolerated_negative(double epsilon, int64_t n) { return n <= wide_root_order ? 0 : kTolerated * epsilon; }

template <typename T>
Definiteness examine(const RootProblem<T>& problem) {
  const int64_t n = problem.n;
  Definiteness found;
  const LargestEigenvalue largest =
      largest_eigenvalue(kernels_of<T>(problem.kernels), n, problem.symmetric, kResidual<T>, [&](double value) {
        return value > 0 && all_below(problem.kernels, n, problem.symmetric, value * (1 + kError<T>));
      });
  if (!largest.converged) return found;
  found.lambda_max = largest.value;
  found.epsilon = problem.epsilon(largest.value);
  const double null = null_threshold(largest.value, n, dtype_of<T>);
  if (all_above(problem.kernels, n, problem.symmetric, null)) {
    found.rank = n;
    found.lambda_min_bound = null + found.epsilon;
    found.invertible = true;
    return found;
  }
  const double tolerated = tolerated_negative(found.epsilon, n);
  if (found.epsilon == 0 || !all_above(problem.kernels, n, problem.symmetric, -tolerated)) return found;
  found.rank = count_above(problem.kernels, n, problem.symmetric, null);
  found.lambda_min_bound = found.epsilon - tolerated;
  found.invertible = true;
  return found;
}

template Definiteness examine<float>(const RootProblem<float>&);
template Definiteness examine<double>(const RootProblem<double>&);

}  // namespace kronroot::cpu
