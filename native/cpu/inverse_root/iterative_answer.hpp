// What every method without eigenvalues does with its result.
#pragma once

#include <algorithm>
#include <cmath>

#include "../../core/report.hpp"
#include "definiteness.hpp"
#include "lanczos.hpp"
#include "problem.hpp"

namespace kronroot::cpu {

// Condition of S + epsilon I from R = (unit (S + epsilon I))^{-1/a}, whose largest eigenvalue belongs to lambda_min;
// one digit is asked for.
template <typename Work>
double condition_from_root(const Kernels<Work>& kernels, int64_t n, const Definiteness& found, int a, double unit,
                           const Work* root) {
  const double largest = largest_eigenvalue(kernels, n, root, 1e-4).value;
  const double smallest = std::pow(largest, -a) / unit;
  if (!(smallest > found.lambda_min_bound)) return found.condition_bound();
  return std::max(1.0, (found.lambda_max + found.epsilon) / smallest);
}

// x = scale result, with the report that goes with it.
template <typename Work, typename T>
RootAttempt iterative_answer(const RootProblem<T>& problem, const Definiteness& found, kr_method method, int iterations,
                             double condition, const Work* result, double scale, T* x) {
  const int64_t n = problem.n;
  for (int64_t i = 0; i < n * n; ++i) x[i] = static_cast<T>(static_cast<double>(result[i]) * scale);
  RootAttempt attempt;
  attempt.outcome = RootAttempt::Outcome::answered;
  attempt.epsilon = found.epsilon;
  attempt.report = answered(method);
  attempt.report.iterations = iterations;
  attempt.report.condition = condition;
  if (found.rank < n) attempt.report = rank_deficient(attempt.report, found.rank);
  return attempt;
}

}  // namespace kronroot::cpu
