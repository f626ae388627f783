// The secular equation of the rank-one update D + rho z z^T, 0 < rho, d ascending and distinct, |z| = 1 and no z_j = 0:
//   f(x) = 1 / rho + sum_j z_j^2 / (d_j - x) = 0,
// which has one root between any two neighbouring poles d_j and one above the last (Golub, SIAM Review 15 (1973)).
//
// A root is kept as its distance from the nearer pole, for the eigenvectors need all d_j - x to full relative accuracy.
// Each step replaces the sums over the poles to the left and to the right by c + q / (d_j - x) with the pole next to
// the root, of equal value and slope, and solves for the zero of the two (the "middle way" of Li, LAPACK Working Note
// 89 (1993)); what would leave the bracket is replaced by its midpoint. Every lane of a vector looks for a root of its
// own.
#pragma once

#include "storage.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// Element type T says how sharp the roots have to be.
template <typename T>
struct Secular {
  int64_t order;
  // Both readable for kRootLanes elements beyond their end, where the squares are 0 and the poles ascend by rho: the
  // last root lies below d + rho |z|^2, which takes the place of a pole of no weight.
  const double* d;
  const double* squares;  // z_j^2
  double rho;
};

// Root i is d[origin[i]] + offset[i], origin[i] = i or i + 1.
struct SecularRoots {
  int64_t* origin;
  double* offset;

  double operator()(const double* d, int64_t i) const { return d[origin[i]] + offset[i]; }
};

// The sums over the poles up to and from the root, and their derivatives.
struct SecularSums {
  Vec<double> left{}, left_slope{}, right{}, right_slope{};
};

constexpr int kRootLanes = kWidth<double>;

// f at origin + offset for the roots first .. first + kRootLanes - 1. Not inlined: within its caller the compiler runs
// out of registers.
template <typename T>
[[gnu::noinline]] SecularSums secular_sums(const Secular<T>& f, int64_t first, Vec<double> origin, Vec<double> offset) {
  SecularSums sums;
  const auto inverse_of = [&](int64_t j) { return reciprocal<T>((f.d[j] - origin) - offset); };
  for (int64_t j = 0; j < first; ++j) {
    const Vec<double> inverse = inverse_of(j), term = f.squares[j] * inverse;
    sums.left += term;
    sums.left_slope = fma(term, inverse, sums.left_slope);
  }
  const int64_t end = smaller(first + kRootLanes, f.order);
  for (int64_t j = first; j < end; ++j) {
    const Vec<double> inverse = inverse_of(j), term = f.squares[j] * inverse, zero{};
    const Mask<double> is_right = first_lanes<double>(static_cast<int>(j - first));
    sums.left += is_right ? zero : term;
    sums.left_slope += is_right ? zero : term * inverse;
    sums.right += is_right ? term : zero;
    sums.right_slope += is_right ? term * inverse : zero;
  }
  for (int64_t j = end; j < f.order; ++j) {
    const Vec<double> inverse = inverse_of(j), term = f.squares[j] * inverse;
    sums.right += term;
    sums.right_slope = fma(term, inverse, sums.right_slope);
  }
  return sums;
}

// The root x of c x^2 - a x + b = 0 that is (a - sqrt(a^2 - 4 b c)) / (2 c), without cancellation.
inline Vec<double> lower_root(Vec<double> a, Vec<double> b, Vec<double> c) {
  const Vec<double> zero{};
  const Vec<double> root = cpu::square_root(maximum<double>(a * a - 4 * b * c, zero));
  return (a > zero ? 2 * b : a - root) / (a > zero ? a + root : 2 * c);
}

// Roots first .. first + kRootLanes - 1. False when one was not found.
template <typename T>
bool secular_roots(const Secular<T>& f, int64_t first, SecularRoots roots) {
  constexpr int kMostSteps = 80;
  // f counts as 0 below kTolerance times its terms. Convergence is quadratic: after a step of the relative size
  // kLastStep nothing is left to correct.
  constexpr double kTolerance = sizeof(T) == 4 ? 0x1p-30 : 0x1p-52, kLastStep = sizeof(T) == 4 ? 0x1p-19 : 0x1p-30;
  const Vec<double> zero{}, rho = broadcast(f.rho), rho_inverse = broadcast(1 / f.rho);
  const Vec<double> below = load(f.d + first), above = load(f.d + first + 1);
  const Mask<double> is_last = first_lanes<double>(static_cast<int>(smaller(f.order - 1 - first, kRootLanes))) == 0;
  const Vec<double> gap = is_last ? rho : above - below, half = 0.5 * gap;

  // The value at the middle of the interval tells the nearer pole; the two poles next to the root with all the others
  // taken from the middle give the starting point.
  const SecularSums middle = secular_sums(f, first, below, half);
  const Vec<double> value = rho_inverse + middle.left + middle.right;
  const Vec<double> square_below = load(f.squares + first), square_above = load(f.squares + first + 1);
  const Mask<double> in_upper_half = value < zero, from_above = in_upper_half & ~is_last;
  const Vec<double> origin = from_above ? above : below;
  Vec<double> low = in_upper_half ? (from_above ? -half : half) : zero;
  Vec<double> high = in_upper_half ? (from_above ? zero : gap) : half;
  const Vec<double> others = value - (square_above - square_below) / half;
  const Vec<double> a = (from_above ? -others : others) * gap + square_below + square_above;
  const Vec<double> b = (from_above ? -square_above : square_below) * gap;
  Vec<double> offset = lower_root(a, b, others);
  offset = (offset > low) & (offset < high) ? offset : 0.5 * (low + high);

  const Vec<double> to_below = below - origin, to_above = is_last ? gap : above - origin;
  const int count = static_cast<int>(smaller(f.order - first, kRootLanes));
  Mask<double> is_found = ~first_lanes<double>(count);
  for (int step = 0; step < kMostSteps && !all<double>(is_found); ++step) {
    const SecularSums sums = secular_sums(f, first, origin, offset);
    const Vec<double> w = rho_inverse + sums.left + sums.right, slope = sums.left_slope + sums.right_slope;
    const Vec<double> terms = 8 * (sums.right - sums.left) + rho_inverse + absolute<double>(offset) * slope;
    is_found |= absolute<double>(w) <= kTolerance * terms;
    low = w < zero ? offset : low;
    high = w < zero ? high : offset;
    const Vec<double> left = to_below - offset, right = to_above - offset;
    const Vec<double> c = w - left * sums.left_slope - right * sums.right_slope;
    const Vec<double> change = lower_root((left + right) * w - left * right * slope, left * right * w, c);
    const Vec<double> next = offset + change, middle_of_bracket = 0.5 * (low + high);
    const Mask<double> is_inside = (next > low) & (next < high);
    offset = is_found ? offset : is_inside ? next : middle_of_bracket;
    is_found |= is_inside & (absolute<double>(change) <= kLastStep * absolute<double>(next));
    // A bracket of two neighbouring numbers cannot shrink any more.
    is_found |= (middle_of_bracket <= low) | (middle_of_bracket >= high);
  }
  const IntVec<double> from = from_above ? IntVec<double>{} + 1 : IntVec<double>{};
  for (int lane = 0; lane < count; ++lane) {
    roots.origin[first + lane] = first + lane + from[lane];
    roots.offset[first + lane] = offset[lane];
  }
  return all<double>(is_found);
}

// Part `part` of `parts` of the roots.
template <typename T>
bool solve_secular(const Secular<T>& f, SecularRoots roots, int64_t part, int64_t parts) {
  bool all_found = true;
  for (int64_t i = part * kRootLanes; i < f.order; i += parts * kRootLanes) all_found &= secular_roots(f, i, roots);
  return all_found;
}

// z becomes the vector for which the computed roots x are exact (Loewner; Gu and Eisenstat, SIAM J. Matrix Anal. Appl.
// 15 (1994)), up to a common factor: of that matrix the eigenvectors are orthogonal to working accuracy,
//   z_j^2 = prod_{i < j} (x_i - d_j) / (d_i - d_j)  prod_{j <= i < n-1} (x_i - d_j) / (d_{i+1} - d_j)  (x_{n-1} - d_j).
template <typename T>
void correct_update_vector(const Secular<T>& f, SecularRoots roots, double* z) {
  // The poles are well apart (see deflation): the product of four gaps is far from underflow.
  constexpr int64_t kAtATime = 4;
  const int64_t n = f.order;
  const double* d = f.d;
  for (int64_t first = 0; first < n; first += kRootLanes) {
    const Vec<double> dj = load(d + first);
    const auto to_root = [&](int64_t i) { return (d[roots.origin[i]] - dj) + roots.offset[i]; };
    Vec<double> product = to_root(n - 1);
    // The factors of the roots begin .. end - 1, of which the gap to pole_of(i) is the denominator.
    const auto multiply = [&](int64_t begin, int64_t end, const auto& pole_of) {
      for (int64_t i = begin; i < end;) {
        Vec<double> numerator = to_root(i), denominator = pole_of(i) - dj;
        const int64_t stop = smaller(i + kAtATime, end);
        for (++i; i < stop; ++i) {
          numerator *= to_root(i);
          denominator *= pole_of(i) - dj;
        }
        product *= numerator * reciprocal<double>(denominator);
      }
    };
    const int64_t middle = smaller(first, n - 1), end = smaller(first + kRootLanes, n - 1);
    multiply(0, middle, [&](int64_t i) { return broadcast(d[i]); });
    // Lanes j <= i take the pole above root i, the others the one below.
    multiply(middle, end, [&](int64_t i) {
      return first_lanes<double>(static_cast<int>(i - first + 1)) ? broadcast(d[i + 1]) : broadcast(d[i]);
    });
    multiply(end, n - 1, [&](int64_t i) { return broadcast(d[i + 1]); });
    const Vec<double> size = cpu::square_root(absolute<double>(product));
    const int count = static_cast<int>(smaller(kRootLanes, n - first));
    store_first(z + first, copy_sign<double>(size, load_first(z + first, count)), count);
  }
}

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
