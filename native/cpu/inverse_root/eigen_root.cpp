#include "eigen_root.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "../eigh.hpp"
#include "../gram_of_rows.hpp"
#include "../scratch.hpp"
#include "spectrum.hpp"

namespace kronroot::cpu {
namespace {

// V diag(f) V^T = W W^T with W = V diag(f)^{1/2}: half the work of a general product, and exactly symmetric. V is
// overwritten by W.
template <typename Work>
void recompose(const Kernels<Work>& kernels, int64_t n, const double* images, Work* v, Work* x) {
  Scratch scratch;
  Work* roots = scratch.take<Work>(n);
  for (int64_t j = 0; j < n; ++j) roots[j] = static_cast<Work>(std::sqrt(images[j]));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) v[i * n + j] *= roots[j];
  }
  gram_of_rows(kernels, n, n, v, x);
}

template <typename Work>
NegativePart negative_part(int64_t n, const double* values, const Work* v) {
  NegativePart part;
  part.n = n;
  for (int64_t j = 0; j < n && values[j] < 0; ++j) {
    part.values.push_back(values[j]);
    for (int64_t i = 0; i < n; ++i) part.vectors.push_back(v[i * n + j]);
  }
  return part;
}

}  // namespace

template <typename Work, typename T>
RootAttempt eigen_root(const RootProblem<T>& problem, T* x) {
  const int64_t n = problem.n;
  RootAttempt attempt;
  Scratch scratch;
  Work* work = scratch.take<Work>(n * n);  // S, later X
  Work* v = scratch.take<Work>(n * n);
  Work* values = scratch.take<Work>(n);
  double* wide = scratch.take<double>(n);
  int64_t sweeps = 0;
  const bool is_known = std::is_same_v<Work, double> && problem.known != nullptr;
  if (is_known) {
    std::copy_n(problem.known->values, n, values);
    std::copy_n(problem.known->vectors, n * n, v);
    sweeps = problem.known->sweeps;
  } else {
    std::copy_n(problem.symmetric, n * n, work);
    sweeps = decompose_symmetric(problem.kernels, n, 0, work, values, v, {.cancel = problem.cancel});
  }
  if (sweeps == kCancelled) attempt.outcome = RootAttempt::Outcome::cancelled;
  if (sweeps < 0) return attempt;

  std::copy_n(values, n, wide);
  const Spectrum spectrum(problem, wide);
  attempt.report = spectrum.report();
  attempt.outcome = is_failure(attempt.report) ? RootAttempt::Outcome::refused : RootAttempt::Outcome::answered;
  if (is_failure(attempt.report)) return attempt;
  attempt.report.method = KR_METHOD_EIGH;
  attempt.report.iterations = static_cast<int32_t>(sweeps);
  attempt.epsilon = spectrum.epsilon();
  attempt.negative = negative_part(n, wide, v);
  for (int64_t j = 0; j < n; ++j) wide[j] = spectrum.image(wide[j]);
  recompose(kernels_of<Work>(problem.kernels), n, wide, v, work);
  std::transform(work, work + n * n, x, [](Work each) { return static_cast<T>(each); });
  return attempt;
}

template <typename T>
RootAttempt diagonal_root(const RootProblem<T>& problem, T* x) {
  const int64_t n = problem.n;
  RootAttempt attempt;
  Scratch scratch;
  double* values = scratch.take<double>(n);
  for (int64_t i = 0; i < n; ++i) values[i] = problem.symmetric[i * n + i];
  const Spectrum spectrum(problem, values);
  attempt.report = spectrum.report();
  attempt.outcome = is_failure(attempt.report) ? RootAttempt::Outcome::refused : RootAttempt::Outcome::answered;
  if (is_failure(attempt.report)) return attempt;
  attempt.report.method = KR_METHOD_DIRECT;
  attempt.epsilon = spectrum.epsilon();
  attempt.negative.n = n;
  std::fill_n(x, n * n, T{0});
  for (int64_t i = 0; i < n; ++i) {
    x[i * n + i] = static_cast<T>(spectrum.image(values[i]));
    if (values[i] >= 0) continue;
    attempt.negative.values.push_back(values[i]);
    attempt.negative.vectors.resize(attempt.negative.values.size() * static_cast<size_t>(n));
    attempt.negative.vectors[(attempt.negative.values.size() - 1) * static_cast<size_t>(n) + static_cast<size_t>(i)] =
        1;
  }
  return attempt;
}

template RootAttempt eigen_root<float, float>(const RootProblem<float>&, float*);
template RootAttempt eigen_root<double, float>(const RootProblem<float>&, float*);
template RootAttempt eigen_root<double, double>(const RootProblem<double>&, double*);
template RootAttempt diagonal_root<float>(const RootProblem<float>&, float*);
template RootAttempt diagonal_root<double>(const RootProblem<double>&, double*);

}  // namespace kronroot::cpu
