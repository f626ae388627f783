#include "symmetric_eigen.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "../core/ridge.hpp"

namespace kronroot::reference {
namespace {

constexpr int max_sweeps = 60;

// An off-diagonal element this small against its two diagonal elements no longer moves an eigenvalue by a bit
// of its own (the relative criterion of Demmel and Veselic, SIAM J. Matrix Anal. Appl. 13 (1992)); below the floor it
// moves none by a bit of the largest (the matrix is scaled to a largest magnitude of about 1).
bool negligible(double a_pq, double a_pp, double a_qq) {
  constexpr double floor = 0x1p-200;
  return std::abs(a_pq) <= 0x1p-54 * std::sqrt(std::abs(a_pp) * std::abs(a_qq)) || std::abs(a_pq) <= floor;
}

// A <- J^T A J and V^T <- J^T V^T with the rotation J in the plane (p, q) that makes a_pq zero, through the
// smaller angle: t = tan(phi) solves t^2 + 2 theta t = 1, theta = (a_qq - a_pp) / (2 a_pq).
// Source: Golub and Van Loan, Matrix Computations, algorithm 8.5.1; Rutishauser's update of the diagonal, Handbook
// for Automatic Computation II, contribution II/1.
void rotate(Dense& a, Dense& vt, int64_t p, int64_t q) {
  const int64_t n = a.rows();
  const double theta = (a(q, q) - a(p, p)) / (2 * a(p, q));
  const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::hypot(1.0, theta));
  const double c = 1 / std::sqrt(1 + t * t);
  const double s = t * c;
  const double moved = t * a(p, q);
  const double a_pp = a(p, p) - moved, a_qq = a(q, q) + moved;
  for (int64_t k = 0; k < n; ++k) {
    const double x = a(p, k), y = a(q, k);
    a(p, k) = c * x - s * y;
    a(q, k) = s * x + c * y;
    const double v = vt(p, k), w = vt(q, k);
    vt(p, k) = c * v - s * w;
    vt(q, k) = s * v + c * w;
  }
  a(p, p) = a_pp;
  a(q, q) = a_qq;
  a(p, q) = a(q, p) = 0;
  for (int64_t k = 0; k < n; ++k) {
    a(k, p) = a(p, k);
    a(k, q) = a(q, k);
  }
}

// One pass over all planes; false when nothing was left to rotate.
bool sweep(Dense& a, Dense& vt) {
  bool rotated = false;
  for (int64_t p = 0; p < a.rows(); ++p) {
    for (int64_t q = p + 1; q < a.rows(); ++q) {
      if (negligible(a(p, q), a(p, p), a(q, q))) continue;
      rotate(a, vt, p, q);
      rotated = true;
    }
  }
  return rotated;
}

double off_diagonal_norm(Dense a) {
  for (int64_t i = 0; i < a.rows(); ++i) a(i, i) = 0;
  return frobenius_norm(a);
}

}  // namespace

SymmetricEigen symmetric_eigen(const Dense& input) {
  const int64_t n = input.rows();
  SymmetricEigen result;
  result.exponent = exponent_of(input);
  Dense a = scaled(input, -result.exponent);
  Dense vt = Dense::identity(n);
  const double size = frobenius_norm(a);
  bool rotated = true;
  while (rotated && result.sweeps < max_sweeps) {
    rotated = sweep(a, vt);
    ++result.sweeps;
  }
  // Noise of a null space may keep the relative criterion busy; the absolute one decides then.
  result.converged = !rotated || off_diagonal_norm(a) <= 0x1p-52 * size;

  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return a(i, i) < a(j, j); });
  result.vectors = Dense(n, n);
  for (int64_t j = 0; j < n; ++j) {
    const int64_t from = order[static_cast<size_t>(j)];
    result.values.push_back(a(from, from));
    for (int64_t i = 0; i < n; ++i) result.vectors(i, j) = vt(from, i);
  }
  return result;
}

SymmetricPart symmetric_part(const Dense& a, int32_t dtype) {
  if (!is_finite(a)) return {KR_STATUS_NON_FINITE_INPUT, {}};
  const int exponent = exponent_of(a);
  // Of the scaled matrix, so that differences of huge elements do not overflow.
  const Dense s = scaled(a, -exponent);
  double asymmetry = 0;
  Dense mean = a;
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = 0; j < i; ++j) {
      asymmetry = std::max(asymmetry, std::abs(s(i, j) - s(j, i)));
      mean(i, j) = mean(j, i) = a(i, j) + (a(j, i) / 2 - a(i, j) / 2);
    }
  }
  if (asymmetry > std::sqrt(ulp_of_dtype(dtype)) * max_abs(s)) return {KR_STATUS_NOT_SYMMETRIC, {}};
  return {KR_STATUS_OK, std::move(mean)};
}

}  // namespace kronroot::reference
