// The 4 x 4 systems of the Remez exchange: three coefficients and the levelled error.
#pragma once

#include <array>
#include <cmath>
#include <utility>

namespace kronroot {

using Row4 = std::array<double, 5>;  // four coefficients and the right-hand side

// Gaussian elimination with partial pivoting; columns of very different size are the caller's to scale.
inline std::array<double, 4> solve(std::array<Row4, 4> m) {
  for (int k = 0; k < 4; ++k) {
    int pivot = k;
    for (int i = k + 1; i < 4; ++i)
      if (std::fabs(m[i][k]) > std::fabs(m[pivot][k])) pivot = i;
    std::swap(m[k], m[pivot]);
    for (int i = k + 1; i < 4; ++i) {
      const double factor = m[i][k] / m[k][k];
      for (int j = k; j < 5; ++j) m[i][j] -= factor * m[k][j];
    }
  }
  std::array<double, 4> x{};
  for (int k = 3; k >= 0; --k) {
    x[k] = m[k][4];
    for (int j = k + 1; j < 4; ++j) x[k] -= m[k][j] * x[j];
    x[k] /= m[k][k];
  }
  return x;
}

}  // namespace kronroot
