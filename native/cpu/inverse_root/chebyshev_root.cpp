#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "../../core/chebyshev.hpp"
#include "../cancel.hpp"
#include "../commuting.hpp"
#include "../scratch.hpp"
#include "iterates.hpp"
#include "iterative_answer.hpp"
#include "iterative_root.hpp"

namespace kronroot::cpu {
namespace {

// A degree costs a product; a table of coefficients of this degree holds for conditions up to about 1e3 (f32).
constexpr int kMostDegree = 256;
}  // namespace

// f(B) by Clenshaw's recurrence b_k = 2 S b_{k+1} - b_{k+2} + c_k I, X = S b_1 - b_2 + c_0 I, where S maps the spectrum
// of B to [-1, 1].
template <typename T>
RootAttempt chebyshev_root(const RootProblem<T>& problem, const Definiteness& found, T* x) {
  const int64_t n = problem.n;
  const Root& root = problem.root;
  const Kernels<T>& kernels = kernels_of<T>(problem.kernels);
  const double right = spectrum_room * (found.lambda_max + found.epsilon);
  const double left = std::min(found.lambda_min_bound, right / 2);
  const int most = problem.options.max_iterations > 0 ? problem.options.max_iterations : kMostDegree;
  const std::vector<double> c = chebyshev_power(root.exponent(), left, right, ulp_of<T>, std::min(most, kMostDegree));
  RootAttempt attempt;
  if (c.empty()) return attempt;

  Scratch scratch;
  T* s = scratch.take<T>(n * n);
  T* above = scratch.take<T>(n * n);      // b_{k+1}
  T* two_above = scratch.take<T>(n * n);  // b_{k+2}, then b_k
  const double slope = 2 / (right - left), shift = (slope * found.epsilon) - (right + left) / (right - left);
  for (int64_t i = 0; i < n * n; ++i) {
    s[i] = static_cast<T>(slope * static_cast<double>(problem.symmetric[i]) + (i % (n + 1) == 0 ? shift : 0));
  }
  std::fill_n(above, n * n, T{0});
  std::fill_n(two_above, n * n, T{0});
  for (size_t k = c.size(); k-- > 0;) {
    if (is_cancelled(problem.cancel)) {
      attempt.outcome = RootAttempt::Outcome::cancelled;
      return attempt;
    }
    const T constant = static_cast<T>(c[k]);
    if (k + 1 < c.size()) {
      multiply_commuting<T>(kernels, n, k == 0 ? 1 : 2, s, above, -1, two_above, constant, two_above);
    } else {
      add_to_diagonal(n, constant, two_above);
    }
    std::swap(above, two_above);
  }
  const double condition = (found.lambda_max + found.epsilon) / found.lambda_min_bound;
  return iterative_answer(problem, found, KR_METHOD_CHEBYSHEV, static_cast<int>(c.size()) - 1, condition, above,
                          problem.root_scale(), x);
}

template RootAttempt chebyshev_root<float>(const RootProblem<float>&, const Definiteness&, float*);
template RootAttempt chebyshev_root<double>(const RootProblem<double>&, const Definiteness&, double*);

}  // namespace kronroot::cpu
