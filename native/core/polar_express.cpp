#include "polar_express.hpp"

#include <algorithm>
#include <cmath>

#include "linear_system.hpp"

namespace kronroot {
namespace {

double value(const Quintic& p, double s) {
  const double t = s * s;
  return s * (p.a + t * (p.b + t * p.c));
}

// Interpolates a s + b s^3 + c s^5 = 1 - sign error at s = nodes[0..3], sign = +, -, +, -, for a, b, c and error.
Quintic equioscillating(const double (&nodes)[4], double* error) {
  std::array<Row4, 4> m;
  for (int i = 0; i < 4; ++i) {
    const double s = nodes[i], t = s * s;
    m[i] = {s, s * t, s * t * t, i % 2 == 0 ? 1.0 : -1.0, 1.0};
  }
  const std::array<double, 4> x = solve(m);
  *error = x[3];
  return {x[0], x[1], x[2]};
}

// The odd quintic that minimises max |1 - p(s)| over [lower, upper]: Remez exchange. The error of the best one
// oscillates between four points, of which two are the ends and two the roots of p'.
Quintic best_quintic(double lower, double upper) {
  // Where the interval is this narrow the system above is singular in double, and the limit lower -> upper, the
  // Newton-Schulz (Pade) quintic, is exact to rounding.
  if (lower >= (1 - 5e-6) * upper) {
    const double u2 = upper * upper;
    return {15.0 / 8 / upper, -10.0 / 8 / (upper * u2), 3.0 / 8 / (upper * u2 * u2)};
  }
  double q = (3 * lower + upper) / 4, r = (lower + 3 * upper) / 4;
  Quintic p{};
  double error = HUGE_VAL;
  for (int iteration = 0; iteration < 100; ++iteration) {
    const double previous = error;
    p = equioscillating({lower, q, r, upper}, &error);
    if (std::fabs(previous - error) <= 1e-15) break;
    const double root = std::sqrt(std::max(0.0, 9 * p.b * p.b - 20 * p.a * p.c));
    q = std::sqrt(std::max(0.0, (-3 * p.b - root) / (10 * p.c)));
    r = std::sqrt(std::max(0.0, (-3 * p.b + root) / (10 * p.c)));
  }
  return p;
}

}  // namespace

void polar_express(const PolarExpress& options, Quintic* out) {
  double lower = std::min(options.lower, 1.0), upper = 1;
  for (int k = 0; k < options.steps; ++k) {
    Quintic p = best_quintic(std::max(lower, options.cushion * upper), upper);
    // Where the cushion acted the error is centred on 1 over the narrower interval only: centre it over [lower, upper].
    const double centre = 2 / (value(p, lower) + value(p, upper));
    p = {p.a * centre, p.b * centre, p.c * centre};
    lower = value(p, lower);
    upper = 2 - lower;
    const double s = k + 1 < options.steps ? options.safety : 1, s2 = s * s;
    out[k] = {p.a / s, p.b / (s * s2), p.c / (s * s2 * s2)};
  }
}

}  // namespace kronroot
