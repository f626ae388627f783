#include <algorithm>
#include <cmath>

#include "../commuting.hpp"
#include "../triangular.hpp"
#include "iterative_answer.hpp"
#include "iterative_root.hpp"
#include "powers.hpp"

namespace kronroot::cpu {

template <typename T>
RootAttempt cholesky_root(const RootProblem<T>& problem, const Definiteness& found, T* x) {
  const int64_t n = problem.n;
  const Kernels<double>& kernels = problem.kernels.f64;
  Scratch scratch;
  double* factor = scratch.take<double>(n * n);  // U, later X
  double* inverse_factor = scratch.take<double>(n * n);
  std::copy_n(problem.symmetric, n * n, factor);
  add_to_diagonal(n, found.epsilon, factor);
  if (factorize(kernels, n, factor, n) >= 0) return {};
  invert_transposed(kernels, n, factor, n, inverse_factor, n);
  multiply_lower_by_transpose(kernels, n, inverse_factor, n, factor, n);
  const double condition = condition_from_root(kernels, n, found, 1, 1, factor);
  raise_to_root<double>(kernels, n, problem.root, nullptr, factor);
  return iterative_answer(problem, found, KR_METHOD_CHOLESKY, 0, condition, factor, problem.root_scale(), x);
}

template RootAttempt cholesky_root<float>(const RootProblem<float>&, const Definiteness&, float*);
template RootAttempt cholesky_root<double>(const RootProblem<double>&, const Definiteness&, double*);

}  // namespace kronroot::cpu
