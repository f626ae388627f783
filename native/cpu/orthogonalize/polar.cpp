#include "polar.hpp"

#include <algorithm>
#include <cmath>

#include "../gram_of_rows.hpp"
#include "../left_vectors.hpp"

namespace kronroot::cpu {
namespace {

// C <- (3/2 I - 1/2 C C^T + K) C for rows that are orthonormal but for rounding, C C^T = I + E: a Newton-Schulz step,
// which makes the defect of order E^2, and a rotation by
//   K_ij = turn(i, j) E_ij / 2,   turn(i, j) = -turn(j, i).
// Returns max |E_ij|.
template <typename Turn>
double polish_rows(const Kernels<double>& kernels, int64_t rank, int64_t n, double* c, const Turn& turn) {
  Scratch scratch;
  double* gram = scratch.take<double>(rank * rank);
  double* factor = scratch.take<double>(rank * rank);
  double* image = scratch.take<double>(rank * n);
  gram_of_rows(kernels, rank, n, c, gram);
  double largest = 0;
  for (int64_t i = 0; i < rank; ++i) {
    for (int64_t j = 0; j < rank; ++j) {
      const double unit = i == j ? 1 : 0, e = gram[i * rank + j] - unit;
      factor[i * rank + j] = unit + e / 2 * (turn(i, j) - 1);
      largest = std::max(largest, std::abs(e));
    }
  }
  multiply<double>(
      kernels,
      {.m = rank, .n = n, .k = rank, .a = factor, .a_stride = rank, .b = c, .b_stride = n, .c = image, .c_stride = n});
  std::copy_n(image, rank * n, c);
  return largest;
}

// The polar factor of a matrix whose rows sigma_i c_i are nearly orthogonal: to first order in E the one of C, turned
// by the solution of the Sylvester equation K D + D K = (D E - E D) / 2, D = diag(sigma),
//   K_ij = E_ij / 2 (sigma_i - sigma_j) / (sigma_i + sigma_j),
// so that a long row is left where it is and a short one gives way. Where E was large, more steps remove the rest of
// it.
void orthogonalize_rows(const Kernels<double>& kernels, const double* sigma, int64_t rank, int64_t n, double* c) {
  constexpr double kSquareIsRounding = 1e-8;
  constexpr int kMostSteps = 8;
  double defect = polish_rows(kernels, rank, n, c,
                              [sigma](int64_t i, int64_t j) { return (sigma[i] - sigma[j]) / (sigma[i] + sigma[j]); });
  for (int step = 1; step < kMostSteps && defect > kSquareIsRounding; ++step) {
    defect = polish_rows(kernels, rank, n, c, [](int64_t, int64_t) { return 0.0; });
  }
}

}  // namespace

Polar polar(const KernelSet& set, double relative_cutoff, int64_t m, int64_t n, const double* a, double* x) {
  const Kernels<double>& kernels = set.f64;
  Scratch scratch;
  double* v = scratch.take<double>(m * m);
  double* rows = scratch.take<double>(m * n);
  double* sigma = scratch.take<double>(m);
  Polar result;
  result.sweeps = left_vectors(set, relative_cutoff, m, n, a, v);
  if (result.sweeps < 0) return result;
  result.converged = true;

  project(kernels, m, m, n, v, m, a, rows);
  double largest = 0;
  for (int64_t i = 0; i < m; ++i) {
    sigma[i] = std::sqrt(kernels.dot(n, rows + i * n, rows + i * n));
    largest = std::max(largest, sigma[i]);
  }
  double smallest = largest;
  int64_t rank = 0;
  for (int64_t i = 0; i < m; ++i) {
    if (sigma[i] <= relative_cutoff * largest) continue;
    smallest = std::min(smallest, sigma[i]);
    for (int64_t j = 0; j < n; ++j) rows[rank * n + j] = rows[i * n + j] / sigma[i];
    for (int64_t r = 0; r < m; ++r) v[r * m + rank] = v[r * m + i];
    sigma[rank++] = sigma[i];
  }
  result.rank = rank;
  result.condition = largest / smallest;
  orthogonalize_rows(kernels, sigma, rank, n, rows);
  multiply<double>(kernels,
                   {.m = m, .n = n, .k = rank, .a = v, .a_stride = m, .b = rows, .b_stride = n, .c = x, .c_stride = n});
  return result;
}

}  // namespace kronroot::cpu
