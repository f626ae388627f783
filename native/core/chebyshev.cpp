#include "chebyshev.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace kronroot {

std::vector<double> chebyshev_power(double exponent, double left, double right, double tolerance, int most_degree) {
  // c_k = 2/N sum over j of f(x_j) cos(k theta_j) at the N zeros of T_N; with twice as many nodes as terms, aliasing is
  // as small as what is left out.
  const int nodes = 2 * (most_degree + 1), terms = most_degree + 1;
  std::vector<double> angles, values;
  for (int j = 0; j < nodes; ++j) {
    angles.push_back((j + 0.5) * std::numbers::pi / nodes);
    values.push_back(std::pow((right + left) / 2 + (right - left) / 2 * std::cos(angles.back()), exponent));
  }
  std::vector<double> coefficients;
  for (int k = 0; k < nodes; ++k) {
    double sum = 0;
    for (int j = 0; j < nodes; ++j)
      sum += values[static_cast<size_t>(j)] * std::cos(k * angles[static_cast<size_t>(j)]);
    coefficients.push_back((k == 0 ? 1.0 : 2.0) / nodes * sum);
  }
  const double allowed = tolerance * std::min(std::pow(left, exponent), std::pow(right, exponent));
  double left_out = 0;
  int degree = nodes - 1;
  while (degree > 0 && left_out + std::abs(coefficients[static_cast<size_t>(degree)]) <= allowed) {
    left_out += std::abs(coefficients[static_cast<size_t>(degree)]);
    --degree;
  }
  if (degree >= terms) return {};
  coefficients.resize(static_cast<size_t>(degree) + 1);
  return coefficients;
}

}  // namespace kronroot
