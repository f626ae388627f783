#include "lanczos.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "../../core/random.hpp"
#include "../scratch.hpp"

namespace kronroot::cpu {
namespace {

constexpr int64_t kMostSteps = 400;
// The probe of the certificate starts from the same generator: another stream keeps the two independent.
constexpr uint64_t kStartStream = probe_stream + 1;

// Uniform in [-1, 1). Random signs will not do: they are eigenvectors of many a small matrix.
double start_component(int64_t i) {
  return static_cast<double>(random_bits(kStartStream, static_cast<uint64_t>(i)) >> 11) * 0x1p-52 - 1;
}

// T_k; coupling[j] joins j and j + 1, and the last one leads out of T_k.
struct Tridiagonal {
  std::vector<double> diagonal, coupling;
};

struct Ritz {
  double value;
  double residual;  // |A y - value y| for the Ritz vector y, an upper bound
};

// Is x > lambda_max(T)? Exactly then all pivots of x I - T, d_j = x - a_j - b_{j-1}^2 / d_{j-1}, are positive.
bool is_above(const Tridiagonal& t, double x) {
  double d = x - t.diagonal[0];
  for (size_t k = 1; k < t.diagonal.size() && d > 0; ++k) {
    d = x - t.diagonal[k] - t.coupling[k - 1] * (t.coupling[k - 1] / d);
  }
  return d > 0;
}

// At x = lambda_max(T_j) the last component s of the eigenvector obeys s^2 = 1 / d_j'(x), a sum of positive terms, and
// the residual is b_j s. To the right of it d_j' is smaller, so b_j / sqrt(d_j'(x)) is an upper bound for every j; the
// least is taken, since the pivots are exact only up to the step at which the vector had converged.
double residual_bound(const Tridiagonal& t, double x) {
  double d = x - t.diagonal[0], slope = 1, squared = t.coupling[0] * t.coupling[0];
  for (size_t k = 1; k < t.diagonal.size() && d > 0; ++k) {
    const double ratio = t.coupling[k - 1] / d;
    slope = 1 + ratio * ratio * slope;
    d = x - t.diagonal[k] - t.coupling[k - 1] * ratio;
    squared = std::min(squared, t.coupling[k] * t.coupling[k] / slope);
  }
  return std::sqrt(squared);
}

// The largest eigenvalue of T by bisection, `low` a lower bound of it.
Ritz largest_ritz(const Tridiagonal& t, double low, double precision) {
  const size_t size = t.diagonal.size();
  double high = low;
  for (size_t k = 0; k < size; ++k) {
    const double radius = (k > 0 ? t.coupling[k - 1] : 0) + (k + 1 < size ? t.coupling[k] : 0);
    high = std::max(high, t.diagonal[k] + radius);
  }
  high += precision * std::abs(high);
  while (high - low > precision * std::abs(high)) {
    const double middle = low + (high - low) / 2;
    (is_above(t, middle) ? high : low) = middle;
  }
  return {low, residual_bound(t, high)};
}

}  // namespace

template <typename T>
LargestEigenvalue largest_eigenvalue(const Kernels<T>& kernels, int64_t n, const T* a, double residual,
                                     const std::function<bool(double)>& confirm) {
  Scratch scratch;
  double* v = scratch.take<double>(n);
  double* previous = scratch.take<double>(n);
  double* next = scratch.take<double>(n);
  double start = 0;
  for (int64_t i = 0; i < n; ++i) {
    v[i] = start_component(i);
    start += v[i] * v[i];
  }
  for (int64_t i = 0; i < n; ++i) v[i] /= std::sqrt(start);
  std::fill_n(previous, n, 0.0);

  Tridiagonal t;
  LargestEigenvalue result;
  double coupling = 0;
  double low = -std::numeric_limits<double>::infinity();  // of the largest Ritz value, which only grows
  const double precision = std::max(residual * residual / 100, 1e-14);
  int64_t next_look = 6;
  for (int64_t step = 1; step <= kMostSteps; ++step) {
    double along = 0, squares = 0;
    for (int64_t i = 0; i < n; ++i) {
      next[i] = kernels.dot_wide(n, a + i * n, v) - coupling * previous[i];
      along += next[i] * v[i];
    }
    for (int64_t i = 0; i < n; ++i) {
      next[i] -= along * v[i];
      squares += next[i] * next[i];
    }
    t.diagonal.push_back(along);
    low = std::max(low, along);  // a Rayleigh quotient
    coupling = std::sqrt(squares);
    t.coupling.push_back(coupling);
    const bool exhausted = step == n || coupling <= 1e-15 * std::abs(along);
    if (exhausted || step == next_look) {
      const Ritz ritz = largest_ritz(t, low, precision);
      low = ritz.value;
      result.value = ritz.value;
      const bool settled = exhausted || ritz.residual <= residual * std::abs(ritz.value);
      result.converged = settled && (!confirm || confirm(ritz.value));
      if (result.converged || exhausted) return result;
      next_look += 4 + step / 3;
    }
    for (int64_t i = 0; i < n; ++i) next[i] /= coupling;
    std::swap(previous, v);
    std::swap(v, next);
  }
  return result;
}

template LargestEigenvalue largest_eigenvalue<float>(const Kernels<float>&, int64_t, const float*, double,
                                                     const std::function<bool(double)>&);
template LargestEigenvalue largest_eigenvalue<double>(const Kernels<double>&, int64_t, const double*, double,
                                                      const std::function<bool(double)>&);

}  // namespace kronroot::cpu
