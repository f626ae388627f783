#include "jacobi.hpp"

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
bool rotate_pair(Dense& w, Dense& j, int64_t p, int64_t q) {
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

OrthogonalRows orthogonalize_rows(const Dense& a) {
  OrthogonalRows result{false, 0, a, Dense::identity(a.rows())};
  while (!result.converged && result.sweeps < max_sweeps) {
    bool rotated = false;
    for (int64_t p = 0; p < a.rows(); ++p) {
      for (int64_t q = p + 1; q < a.rows(); ++q) rotated |= rotate_pair(result.rows, result.rotation, p, q);
    }
    result.converged = !rotated;
    ++result.sweeps;
  }
  return result;
}

}  // namespace kronroot::reference
