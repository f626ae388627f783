// Newton's square root in product form, and with accelerated coefficients, for p = 2, 4, 8, ...
#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "../cancel.hpp"
#include "../product.hpp"
#include "iterates.hpp"
#include "iterative_answer.hpp"
#include "iterative_root.hpp"
#include "powers.hpp"

namespace kronroot::cpu {
namespace {

// The factor of a step, E = constant I + slope Z Y.
struct Pair {
  double constant, slope;
};

constexpr Pair newton_pair = {1.5, -0.5};

// Chebyshev-type accelerated Newton-Schulz: each pair is best on the interval that the one before leaves. Coefficients:
// NVIDIA Emerging-Optimizers; theory: Grishina, Smirnov and Rakhuba, arXiv 2506.10935.
constexpr Pair cans_pairs[] = {
    {5.182503604966906, -5.126830178299687},  {2.586120737395915, -.641538812403133},
    {2.567364126726186, -.6391058222170474},  {2.520560084348265, -.6330225823828756},
    {2.410759275435182, -.6186815444268036},  {2.1883348130094173, -.5893091162177136},
    {1.8595760873874613, -.5449991062102938}, {1.589020160467417, -.5075811685214573},
    {1.5051653981684994, -.4957799077972079}, {1.4925557853149838, -.49259266842078675},
};

struct Method {
  kr_method name;
  const Pair* first;  // the steps before Newton's own
  int count;
};

template <typename T>
struct SquareRoots {
  T* y;  // B^{1/2}
  T* z;  // B^{-1/2}
  int iterations = 0;
  RootAttempt::Outcome outcome = RootAttempt::Outcome::unsuitable;
};

// P = Z Y, E = c I + s P, Y <- Y E, Z <- E Z from Y = B, Z = I: full products, since mirroring them would break the
// coupling of Y and Z in low precision. B: eigenvalues in (0, 1]; overwritten. Ends with the
// step that brings |P - I|_F below ulp, or when it no longer falls.
template <typename T>
SquareRoots<T> square_roots(const RootProblem<T>& problem, const Method& method, T* b, Scratch& scratch) {
  const int64_t n = problem.n;
  const Kernels<T>& kernels = kernels_of<T>(problem.kernels);
  const auto multiply_into = [&](const T* left, const T* right, T* to) {
    multiply<T>(kernels,
                {.m = n, .n = n, .k = n, .a = left, .a_stride = n, .b = right, .b_stride = n, .c = to, .c_stride = n});
  };
  SquareRoots<T> found;
  T* p = scratch.take<T>(n * n);
  T* spare = scratch.take<T>(n * n);
  found.y = b;
  found.z = scratch.take<T>(n * n);
  std::fill_n(found.z, n * n, T{0});
  for (int64_t i = 0; i < n; ++i) found.z[i * (n + 1)] = 1;
  const int most = iteration_limit(problem);
  double distance = INFINITY;
  for (int k = 0; k < most; ++k) {
    if (is_cancelled(problem.cancel)) {
      found.outcome = RootAttempt::Outcome::cancelled;
      return found;
    }
    if (k == 0) {
      std::copy_n(found.y, n * n, p);
    } else {
      multiply_into(found.z, found.y, p);
    }
    const double previous = distance;
    distance = distance_to_identity(n, p);
    // A Newton step squares the distance, but for rounding.
    const bool settled = distance * distance <= ulp_of<T>;
    const bool stalled = k > method.count && previous < 0.5 && !(distance < previous);
    const Pair& pair = k < method.count && !settled ? method.first[k] : newton_pair;
    for (int64_t i = 0; i < n * n; ++i) p[i] *= static_cast<T>(pair.slope);
    for (int64_t i = 0; i < n; ++i) p[i * (n + 1)] += static_cast<T>(pair.constant);
    multiply_into(found.y, p, spare);
    std::swap(found.y, spare);
    multiply_into(p, found.z, spare);
    std::swap(found.z, spare);
    ++found.iterations;
    if (settled || stalled) {
      found.outcome = RootAttempt::Outcome::answered;
      return found;
    }
  }
  return found;
}

template <typename T>
void symmetrise(int64_t n, T* a) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) a[i * n + j] = a[j * n + i] = (a[i * n + j] + a[j * n + i]) / 2;
  }
}

// B^{-1/p} for p = 2^k as the inverse square root of the (k - 1)-th square root.
template <typename T>
RootAttempt run(const RootProblem<T>& problem, const Definiteness& found, const Method& method, T* x) {
  const int64_t n = problem.n;
  const Root& root = problem.root;
  const Kernels<T>& kernels = kernels_of<T>(problem.kernels);
  Scratch scratch;
  T* b = scratch.take<T>(n * n);
  T* base = scratch.take<T>(n * n);
  const double unit = unit_for(found, 1);
  starting_matrix(problem, found, unit, b);
  std::copy_n(b, n * n, base);
  RootAttempt unfinished;
  int iterations = 0;
  for (int power = 2;; power *= 2) {
    SquareRoots<T> roots = square_roots(problem, method, b, scratch);
    iterations += roots.iterations;
    unfinished.outcome = roots.outcome;
    if (roots.outcome != RootAttempt::Outcome::answered) return unfinished;
    T* wanted = power == root.a ? roots.z : roots.y;
    symmetrise(n, wanted);
    if (power != root.a) {
      b = wanted;
      continue;
    }
    const double condition = condition_from_root(kernels, n, found, root.a, unit, wanted);
    raise_to_root<T>(kernels, n, root, base, wanted);
    const double scale = std::pow(unit, -root.exponent()) * problem.root_scale();
    return iterative_answer(problem, found, method.name, iterations, condition, wanted, scale, x);
  }
}

}  // namespace

template <typename T>
RootAttempt newton_db_root(const RootProblem<T>& problem, const Definiteness& found, T* x) {
  return run(problem, found, Method{KR_METHOD_NEWTON_DB, nullptr, 0}, x);
}

template <typename T>
RootAttempt cans_root(const RootProblem<T>& problem, const Definiteness& found, T* x) {
  return run(problem, found, Method{KR_METHOD_CANS, cans_pairs, static_cast<int>(std::size(cans_pairs))}, x);
}

template RootAttempt newton_db_root<float>(const RootProblem<float>&, const Definiteness&, float*);
template RootAttempt newton_db_root<double>(const RootProblem<double>&, const Definiteness&, double*);
template RootAttempt cans_root<float>(const RootProblem<float>&, const Definiteness&, float*);
template RootAttempt cans_root<double>(const RootProblem<double>&, const Definiteness&, double*);

}  // namespace kronroot::cpu
