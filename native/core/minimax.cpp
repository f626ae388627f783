#include "minimax.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <tuple>

#include "linear_system.hpp"

namespace kronroot {
namespace {

constexpr double kPi = 3.141592653589793;
// Beyond it no arithmetic that we have gives an answer.
constexpr double kLargestCondition = 1e20;

// f as a function of t = x^{1/p}
double value(const MinimaxStep& c, int p, double t) {
  const double x = std::pow(t, p);
  return t * (c.c0 + x * (c.c1 + x * c.c2));
}

// Roots of f'(t) = c0 + (p + 1) c1 x + (2p + 1) c2 x^2, x = t^p, as values of t; where they are not in (0, 1), the
// ends.
std::array<double, 2> interior_extrema(const MinimaxStep& c, int p) {
  const double a = (2 * p + 1) * c.c2, half_b = (p + 1) * c.c1 / 2;
  const double root = std::sqrt(std::max(0.0, half_b * half_b - a * c.c0));
  // c1 < 0 < c0, c2: both roots are positive, and this form has no cancellation.
  const double large = (root - half_b) / a, small = c.c0 / (root - half_b);
  const auto t = [p](double x) { return std::pow(std::clamp(x, 0.0, 1.0), 1.0 / p); };
  return {t(small), t(large)};
}

// Where the interval is so narrow that the Remez system is singular in double: the quadratic Taylor polynomial of
// x^{-1/p} about the middle of [left, 1], whose error is of third order in the width.
MinimaxFit taylor(int p, double left) {
  const double middle = (1 + left) / 2, r = 1.0 / p;
  // x^{-r} = m^{-r} (1 - r u + r (r + 1) / 2 u^2 - ...), u = x / m - 1
  const double scale = std::pow(middle, -r), first = -r, second = r * (r + 1) / 2;
  const MinimaxStep step = {scale * (1 - first + second), scale * (first - 2 * second) / middle,
                            scale * second / (middle * middle)};
  const double half_width = (1 - left) / 2;
  return {step, r * (r + 1) * (r + 2) / 6 * half_width * half_width * half_width};
}

// The smallest value of f over [t0, 1].
double smallest_value(const MinimaxStep& c, int p, double t0) {
  double smallest = std::min(value(c, p, t0), value(c, p, 1));
  for (double t : interior_extrema(c, p))
    if (t > t0 && t < 1) smallest = std::min(smallest, value(c, p, t));
  return smallest;
}

// Schedules are kept for every tenth of a decade.
constexpr int kPerDecade = 10;

int bucket_of(double condition) {
  const double within = std::clamp(condition, 1.0, kLargestCondition);
  return static_cast<int>(std::ceil(kPerDecade * std::log10(within) - 1e-9));
}

}  // namespace

MinimaxFit minimax_fit(int p, double left) {
  constexpr double kNarrow = 1e-4;
  if (1 - left <= kNarrow) return taylor(p, left);
  const double t0 = std::pow(left, 1.0 / p);
  std::array<double, 4> nodes;
  for (int i = 0; i < 4; ++i) nodes[i] = (1 + t0) / 2 - (1 - t0) / 2 * std::cos(i * kPi / 3);
  MinimaxFit fit{};
  for (int iteration = 0; iteration < 100; ++iteration) {
    std::array<Row4, 4> m;
    for (int i = 0; i < 4; ++i) {
      const double t = nodes[i], x = std::pow(t, p);
      m[i] = {t, t * x, t * x * x, i % 2 == 0 ? 1.0 : -1.0, 1.0};
    }
    const std::array<double, 4> solution = solve(m);
    fit = {{solution[0], solution[1], solution[2]}, std::fabs(solution[3])};
    const auto [small, large] = interior_extrema(fit.step, p);
    const double moved = std::max(std::fabs(small - nodes[1]), std::fabs(large - nodes[2]));
    nodes = {t0, std::max(small, t0), std::max(large, t0), 1};
    if (moved < 1e-13) break;
  }
  return fit;
}

double minimax_error_cap(int p) {
  const double ratio = std::pow(2.0 / 3, 4.0 / std::max(p, 4));  // (1 - E) / (1 + E)
  return p <= 4 ? 0.2 : (1 - ratio) / (1 + ratio);
}

double minimax_left_cap(int p) {
  // E decreases from 1 to 0 as t0 = l^{1/p} goes from 0 to 1.
  const double cap = minimax_error_cap(p);
  double low = 1e-3, high = 1;
  while (high - low > 1e-12) {
    const double middle = (low + high) / 2;
    (minimax_fit(p, std::pow(middle, p)).error > cap ? low : high) = middle;
  }
  return std::pow(high, p);
}

std::vector<MinimaxStep> minimax_steps(int p, double condition, double tolerance) {
  const double cap = minimax_left_cap(p);
  std::vector<MinimaxStep> steps;
  double left = 1 / condition;
  for (;;) {
    const auto [best, error] = minimax_fit(p, std::max(left, cap));
    if (left >= cap && error <= tolerance) {
      steps.push_back(best);
      return steps;
    }
    const MinimaxStep step = {best.c0 / (1 + error), best.c1 / (1 + error), best.c2 / (1 + error)};
    steps.push_back(step);
    left = std::pow(std::min(1.0, smallest_value(step, p, std::pow(left, 1.0 / p))), p);
  }
}

const std::vector<MinimaxStep>& minimax_schedule(int p, double condition, double tolerance) {
  static std::mutex mutex;
  static std::map<std::tuple<int, int, double>, std::vector<MinimaxStep>> schedules;
  const int bucket = bucket_of(condition);
  const std::lock_guard lock(mutex);
  const auto [entry, is_new] = schedules.try_emplace({p, bucket, tolerance});
  if (is_new) entry->second = minimax_steps(p, std::pow(10, static_cast<double>(bucket) / kPerDecade), tolerance);
  return entry->second;  // nodes of a map stay where they are
}

const std::vector<MinimaxStep>& MinimaxSchedules::of(double condition) {
  std::atomic<const std::vector<MinimaxStep>*>& entry = met_[static_cast<size_t>(bucket_of(condition))];
  const std::vector<MinimaxStep>* steps = entry.load(std::memory_order_acquire);
  if (steps == nullptr) {
    steps = &minimax_schedule(p_, condition, tolerance_);
    entry.store(steps, std::memory_order_release);
  }
  return *steps;
}

}  // namespace kronroot
