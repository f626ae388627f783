#include "partial_fractions.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <map>
#include <mutex>
#include <numbers>
#include <tuple>

namespace kronroot {
namespace {

// The equations for s and w are ill-conditioned, in the square of the accuracy that is asked for.
using Real = long double;

// Elliptic functions of the modulus k with k'^2 = 1 - k^2 = complement, by the arithmetic-geometric mean.
// Source: Abramowitz and Stegun, sections 16.4 and 17.6.
class Elliptic {
 public:
  explicit Elliptic(Real complement) : complement_(complement) {
    Real b = std::sqrt(complement);
    mean_[0] = 1;
    half_difference_[0] = std::sqrt(1 - complement);
    for (int i = 1; i <= kLevels; ++i) {
      mean_[i] = (mean_[i - 1] + b) / 2;
      half_difference_[i] = (mean_[i - 1] - b) / 2;
      b = std::sqrt(mean_[i - 1] * b);
    }
  }

  Real quarter_period() const { return std::numbers::pi_v<Real> / 2 / mean_[kLevels]; }

  // dn^2(u) and (sn / cn)^2(u), 0 < u < K.
  struct Values {
    Real dn2, sc2;
  };
  Values at(Real u) const {
    Real angle = std::ldexp(mean_[kLevels] * u, kLevels);
    for (int i = kLevels; i > 0; --i) {
      angle = (angle + std::asin(half_difference_[i] / mean_[i] * std::sin(angle))) / 2;
    }
    const Real cosine = std::cos(angle), tangent = std::tan(angle);
    return {cosine * cosine + complement_ * (1 - cosine * cosine), tangent * tangent};
  }

 private:
  static constexpr int kLevels = 8;
  Real complement_;
  Real mean_[kLevels + 1], half_difference_[kLevels + 1];
};

struct Fit {
  std::vector<Real> poles, weights;
  std::vector<Real> nodes;  // where the fit interpolates
};

// Zolotarev's best approximation of x^{-1/2} with m poles on [1 / condition, 1].
Fit zolotarev(Real condition, int m) {
  const Elliptic elliptic(1 / condition);
  const Real step = elliptic.quarter_period() / (2 * m);
  Fit fit;
  std::vector<Real>& poles = fit.poles;
  std::vector<Real> zeros;  // -zeros are those of the approximation
  for (int i = 1; i < 2 * m; ++i) (i % 2 == 1 ? poles : zeros).push_back(elliptic.at(i * step).sc2 / condition);
  for (int i = 1; i <= 2 * m; ++i) fit.nodes.push_back(elliptic.at((i - Real{0.5}) * step).dn2);
  for (size_t j = 0; j < poles.size(); ++j) {
    Real weight = 1;
    for (size_t k = 0; k < zeros.size(); ++k) weight *= (zeros[k] - poles[j]) / (poles[k < j ? k : k + 1] - poles[j]);
    fit.weights.push_back(weight);
  }
  const Real x = fit.nodes.front();
  Real value = 0;
  for (size_t j = 0; j < poles.size(); ++j) value += fit.weights[j] / (x + poles[j]);
  for (Real& weight : fit.weights) weight /= std::sqrt(x) * value;
  return fit;
}

using Rows = std::vector<std::vector<Real>>;

// Solves a system given by rows with the right-hand side last: elimination with partial pivoting.
std::vector<Real> solve(Rows rows) {
  const size_t n = rows.size();
  for (size_t k = 0; k < n; ++k) {
    const auto larger = [k](const auto& a, const auto& b) { return std::abs(a[k]) < std::abs(b[k]); };
    std::iter_swap(rows.begin() + static_cast<std::ptrdiff_t>(k),
                   std::max_element(rows.begin() + static_cast<std::ptrdiff_t>(k), rows.end(), larger));
    for (size_t i = k + 1; i < n; ++i) {
      const Real factor = rows[i][k] / rows[k][k];
      for (size_t j = k; j <= n; ++j) rows[i][j] -= factor * rows[k][j];
    }
  }
  std::vector<Real> x(n);
  for (size_t k = n; k-- > 0;) {
    x[k] = rows[k][n];
    for (size_t j = k + 1; j < n; ++j) x[k] -= rows[k][j] * x[j];
    x[k] /= rows[k][k];
  }
  return x;
}

// One step of Newton's method for sum_k w_k x^alpha / (x + s_k) = 1 at the nodes, in the logarithms of s and w: they
// stay positive, and the equations keep one size. Returns the largest change.
Real newton_step(Real alpha, Fit& fit) {
  std::vector<Real>&poles = fit.poles, &weights = fit.weights;
  const size_t m = poles.size();
  Rows rows;
  for (const Real x : fit.nodes) {
    const Real power = std::pow(x, alpha);
    std::vector<Real> row(2 * m + 1);
    row[2 * m] = 1;
    for (size_t k = 0; k < m; ++k) {
      const Real term = weights[k] * power / (x + poles[k]);
      row[k] = -term * poles[k] / (x + poles[k]);
      row[m + k] = term;
      row[2 * m] -= term;
    }
    rows.push_back(std::move(row));
  }
  const std::vector<Real> change = solve(std::move(rows));
  Real largest = 0;
  for (const Real each : change) largest = std::max(largest, std::abs(each));
  const Real damping = std::min(Real{1}, 1 / largest);
  for (size_t k = 0; k < m; ++k) {
    poles[k] *= std::exp(damping * change[k]);
    weights[k] *= std::exp(damping * change[m + k]);
  }
  return largest;
}

}  // namespace

PartialFractions partial_fractions(double alpha, double condition, double tolerance, int multiple) {
  if (alpha == 1) return {{0}, {1}};
  const double rate = 2 * std::numbers::pi * std::numbers::pi / std::log(16 * condition);
  const int least = std::max(1, static_cast<int>(std::ceil(std::log(4 / tolerance) / rate)));
  const int terms = (least + multiple - 1) / multiple * multiple;
  Fit fit = zolotarev(condition, terms);
  // From 1/2 to alpha in steps short enough for Newton's method.
  constexpr double kStep = 0.125;
  const int steps = std::max(1, static_cast<int>(std::ceil(std::abs(alpha - 0.5) / kStep)));
  for (int step = 1; step <= steps; ++step) {
    const double at = 0.5 + (alpha - 0.5) * step / steps;
    for (int iteration = 0; iteration < 30 && newton_step(at, fit) > 1e-6; ++iteration) continue;
  }
  return {{fit.poles.begin(), fit.poles.end()}, {fit.weights.begin(), fit.weights.end()}};
}

const PartialFractions& PowerFractions::of(double condition) {
  return of_power(static_cast<int>(std::bit_cast<uint64_t>(condition) >> 52) - 1022);
}

const PartialFractions& PowerFractions::find(int power) {
  static std::mutex mutex;
  static std::map<std::tuple<double, int, double>, PartialFractions> kept;
  // Beyond f32 every term costs some of the fit's own accuracy.
  const int multiple = tolerance_ > 1e-10 ? fraction_group : 1;
  const std::lock_guard lock(mutex);
  const auto [place, is_new] = kept.try_emplace({alpha_, power, tolerance_});
  if (is_new) place->second = partial_fractions(alpha_, std::ldexp(1.0, power), tolerance_, multiple);
  const PartialFractions& found = place->second;  // nodes of a map stay where they are
  met_[static_cast<size_t>(power)].store(&found, std::memory_order_release);
  return found;
}

}  // namespace kronroot
