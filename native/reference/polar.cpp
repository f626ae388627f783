#include "polar.hpp"

#include <algorithm>
#include <cmath>

namespace kronroot::reference {
namespace {

constexpr int max_sweeps = 60;

double dot(const double* x, const double* y, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

void rotate(double* x, double* y, int64_t n, double c, double s) {
  for (int64_t i = 0; i < n; ++i) {
    const double u = x[i], v = y[i];
    x[i] = c * u - s * v;
    y[i] = s * u + c * v;
  }
}

// Makes rows p and q of W orthogonal (to working precision relative to their own lengths), where they are not:
// the Jacobi rotation of the 2 x 2 Gram matrix. False when there was nothing to do.
bool orthogonalize_rows(Dense& w, Dense& j, int64_t p, int64_t q) {
  const int64_t n = w.cols();
  const double pp = dot(w.row(p), w.row(p), n), qq = dot(w.row(q), w.row(q), n), pq = dot(w.row(p), w.row(q), n);
  const double lengths = std::sqrt(pp) * std::sqrt(qq);
  // The second bound: a row that is the rounding of the others has no direction of its own (W is scaled to about 1).
  if (std::abs(pq) <= 0x1p-51 * lengths || lengths <= 0x1p-110) return false;
  const double theta = (qq - pp) / (2 * pq);
  const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::hypot(1.0, theta));
  const double c = 1 / std::sqrt(1 + t * t);
  rotate(w.row(p), w.row(q), n, c, t * c);
  rotate(j.row(p), j.row(q), j.cols(), c, t * c);
  return true;
}

}  // namespace

// J A = W with orthogonal J and mutually orthogonal rows w_i = sigma_i v_i^T, so U = J^T and
// U V^T = sum_i J_i^T w_i / sigma_i. Source: Hestenes 1958; Golub and Van Loan, section 8.6.3.
Polar polar(const Dense& a, double relative_cutoff) {
  const int64_t m = a.rows(), n = a.cols();
  Dense w = scaled(a, -exponent_of(a));
  Dense j = Dense::identity(m);
  Polar result;
  while (!result.converged && result.sweeps < max_sweeps) {
    bool rotated = false;
    for (int64_t p = 0; p < m; ++p) {
      for (int64_t q = p + 1; q < m; ++q) rotated |= orthogonalize_rows(w, j, p, q);
    }
    result.converged = !rotated;
    ++result.sweeps;
  }

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
