// The secular equation of the rank-one update D + rho z z^T, 0 < rho, d ascending and distinct, |z| = 1 and no z_j = 0:
//   f(x) = 1 / rho + sum_j z_j^2 / (d_j - x) = 0,
// which has one root between any two neighbouring poles d_j and one above the last (Golub, SIAM Review 15 (1973)).
//
// A root is kept as its distance from the nearer pole, for the eigenvectors need all d_j - x to full relative accuracy.
// Each step replaces the sums over the poles to the left and to the right by c + q / (d_j - x) with the pole next to
// the root, of equal value and slope, and solves for the zero of the two (the "middle way" of Li, LAPACK Working Note
// 89 (1993)); what would leave the bracket is replaced by its midpoint.
#pragma once

#include <cmath>

#include "../device.cuh"

namespace kronroot::cuda {

struct Secular {
  int order;
  Global<const double> d;
  Global<const double> z;
  double rho;
};

struct SecularRoot {
  int origin;
  double offset;
  bool is_found;
};

// The sums over the poles up to and from the root, and their derivatives.
struct SecularSums {
  double left, left_slope, right, right_slope;
};

// By `lanes` lanes of a warp, a power of two, for root p, at origin + offset.
template <int lanes>
__device__ __forceinline__ SecularSums secular_sums(const Secular& f, int p, double origin, double offset) {
  SecularSums sums{0, 0, 0, 0};
  for (int j = lane_index() % lanes; j < f.order; j += lanes) {
    const double z = f.z[j], inverse = 1 / ((f.d[j] - origin) - offset), term = z * z * inverse;
    if (j <= p) {
      sums.left += term;
      sums.left_slope += term * inverse;
    } else {
      sums.right += term;
      sums.right_slope += term * inverse;
    }
  }
  return {warp_sum(sums.left, lanes), warp_sum(sums.left_slope, lanes), warp_sum(sums.right, lanes),
          warp_sum(sums.right_slope, lanes)};
}

// The root x of c x^2 - a x + b = 0 that is (a - sqrt(a^2 - 4 b c)) / (2 c), without cancellation.
__device__ __forceinline__ double lower_root(double a, double b, double c) {
  const double discriminant = a * a - 4 * b * c;
  const double root = std::sqrt(discriminant > 0 ? discriminant : 0.0);
  return a > 0 ? 2 * b / (a + root) : (a - root) / (2 * c);
}

// Root p, by `lanes` lanes; T says how sharp it has to be. All groups of lanes of a warp call it together, those
// without a root of their own with is_needed = false.
template <typename T, int lanes>
__device__ SecularRoot secular_root(const Secular& f, int p, bool is_needed) {
  constexpr int most_steps = 80;
  // f counts as 0 below `tolerance` times its terms. Convergence is quadratic: after a step of the relative size
  // `last_step` nothing is left to correct.
  constexpr double tolerance = sizeof(T) == 4 ? 0x1p-30 : 0x1p-52, last_step = sizeof(T) == 4 ? 0x1p-19 : 0x1p-30;
  const bool is_last = p == f.order - 1;
  const double below = f.d[p], above = is_last ? below + f.rho : f.d[p + 1];
  const double gap = is_last ? f.rho : above - below, half = 0.5 * gap, rho_inverse = 1 / f.rho;

  // The value at the middle of the interval tells the nearer pole; the two poles next to the root with all the others
  // taken from the middle give the starting point.
  const SecularSums middle = secular_sums<lanes>(f, p, below, half);
  const double value = rho_inverse + middle.left + middle.right;
  const double z_below = f.z[p], z_above = is_last ? 0.0 : f.z[p + 1];
  const double square_below = z_below * z_below, square_above = z_above * z_above;
  const bool in_upper_half = value < 0, from_above = in_upper_half && !is_last;
  const double origin = from_above ? above : below;
  double low = in_upper_half ? (from_above ? -half : half) : 0.0;
  double high = in_upper_half ? (from_above ? 0.0 : gap) : half;
  const double others = value - (square_above - square_below) / half;
  const double a = (from_above ? -others : others) * gap + square_below + square_above;
  const double b = (from_above ? -square_above : square_below) * gap;
  double offset = lower_root(a, b, others);
  if (!(offset > low && offset < high)) offset = 0.5 * (low + high);

  const double to_below = below - origin, to_above = is_last ? gap : above - origin;
  bool is_found = !is_needed;
  for (int step = 0; step < most_steps && any_of_warp(!is_found); ++step) {
    const SecularSums sums = secular_sums<lanes>(f, p, origin, offset);
    const double w = rho_inverse + sums.left + sums.right, slope = sums.left_slope + sums.right_slope;
    const double terms = 8 * (sums.right - sums.left) + rho_inverse + std::abs(offset) * slope;
    is_found = is_found || std::abs(w) <= tolerance * terms;
    if (is_found) continue;
    low = w < 0 ? offset : low;
    high = w < 0 ? high : offset;
    const double left = to_below - offset, right = to_above - offset;
    const double c = w - left * sums.left_slope - right * sums.right_slope;
    const double change = lower_root((left + right) * w - left * right * slope, left * right * w, c);
    const double next = offset + change, middle_of_bracket = 0.5 * (low + high);
    const bool is_inside = next > low && next < high;
    offset = is_inside ? next : middle_of_bracket;
    // A bracket of two neighbouring numbers cannot shrink any more.
    is_found = (is_inside && std::abs(change) <= last_step * std::abs(next)) || middle_of_bracket <= low ||
               middle_of_bracket >= high;
  }
  return {p + (from_above ? 1 : 0), offset, is_found};
}

// z_j of the vector for which the computed roots x are exact, up to a common factor and the sign, by a warp (Loewner;
// Gu and Eisenstat, SIAM J. Matrix Anal. Appl. 15 (1994)): of that matrix the eigenvectors are orthogonal to working
// accuracy,
//   z_j^2 = prod_{i < j} (x_i - d_j) / (d_i - d_j)  prod_{j <= i < n-1} (x_i - d_j) / (d_{i+1} - d_j)  (x_{n-1} - d_j).
// All quotients are below 1: no part of the product is smaller than the whole.
template <int lanes>
__device__ __forceinline__ double corrected_weight(const Secular& f, Global<const int32_t> origin,
                                                   Global<const double> offset, int j) {
  const double dj = f.d[j];
  double product = 1;
  for (int i = lane_index() % lanes; i < f.order; i += lanes) {
    const double to_root = (f.d[origin[i]] - dj) + offset[i];
    const double to_pole = i < j ? f.d[i] - dj : i < f.order - 1 ? f.d[i + 1] - dj : 1.0;
    product *= to_root / to_pole;
  }
  for (int flip = lanes / 2; flip > 0; flip /= 2) product *= shuffle_xor(product, flip, lanes);
  return std::sqrt(std::abs(product));
}

}  // namespace kronroot::cuda
