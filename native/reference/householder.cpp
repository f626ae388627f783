#include "householder.hpp"

#include <algorithm>
#include <cmath>

namespace kronroot::reference {

HouseholderQr householder_qr(Dense a) {
  const int64_t m = a.rows(), n = a.cols(), count = std::min(m, n);
  Dense q = Dense::identity(m);
  for (int64_t k = 0; k < count; ++k) {
    Vector v(static_cast<size_t>(m));
    for (int64_t i = k; i < m; ++i) v[static_cast<size_t>(i)] = a(i, k);
    const double size = norm(v);
    const auto first = static_cast<size_t>(k);
    v[first] += std::copysign(size, v[first]);
    const double length = norm(v);
    if (length == 0) continue;
    for (double& each : v) each /= length;
    const Vector from_a = multiply_transposed(a, v), from_q = multiply(q, v);
    for (int64_t i = 0; i < m; ++i) {
      const double each = 2 * v[static_cast<size_t>(i)];
      for (int64_t j = 0; j < n; ++j) a(i, j) -= each * from_a[static_cast<size_t>(j)];
      for (int64_t j = 0; j < m; ++j) q(i, j) -= 2 * from_q[static_cast<size_t>(i)] * v[static_cast<size_t>(j)];
    }
    for (int64_t i = k + 1; i < m; ++i) a(i, k) = 0;
  }
  for (int64_t k = 0; k < count; ++k) {
    if (!(a(k, k) < 0)) continue;
    for (int64_t j = 0; j < n; ++j) a(k, j) = -a(k, j);
    for (int64_t i = 0; i < m; ++i) q(i, k) = -q(i, k);
  }
  return {std::move(q), std::move(a)};
}

}  // namespace kronroot::reference
