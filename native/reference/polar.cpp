#include "polar.hpp"

#include <algorithm>

#include "jacobi.hpp"

namespace kronroot::reference {

// J A = W with orthogonal J and mutually orthogonal rows w_i = sigma_i v_i^T, so U = J^T and
// U V^T = sum_i J_i^T w_i / sigma_i.
Polar polar(const Dense& a, double relative_cutoff) {
  const int64_t m = a.rows(), n = a.cols();
  const OrthogonalRows found = orthogonalize_rows(scaled(a, -exponent_of(a)));
  const Dense &w = found.rows, &j = found.rotation;
  Polar result;
  result.converged = found.converged;
  result.sweeps = found.sweeps;

  Vector sigma;
  for (int64_t i = 0; i < m; ++i) sigma.push_back(norm(Vector(w.row(i), w.row(i) + n)));
  const double largest = *std::max_element(sigma.begin(), sigma.end());
  double smallest = largest;
  result.factor = Dense(m, n);
  for (int64_t i = 0; i < m; ++i) {
    const double length = sigma[static_cast<size_t>(i)];
    if (length <= relative_cutoff * largest) continue;
    ++result.rank;
    smallest = std::min(smallest, length);
    for (int64_t r = 0; r < m; ++r) {
      for (int64_t c = 0; c < n; ++c) result.factor(r, c) += j(i, r) * (w(i, c) / length);
    }
  }
  result.condition = largest / smallest;
  return result;
}

}  // namespace kronroot::reference
