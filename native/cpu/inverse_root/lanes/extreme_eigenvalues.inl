// Both ends of the spectrum of a tridiagonal matrix in lanes, and its inertia.
#pragma once

#include "tridiagonal.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

struct LaneEnds {
  Vec<double> smallest, largest;
  Mask<double> converged;
};

// One step of Laguerre's method towards the largest root of det(x I - s T), s = 1 or -1. Started above all roots it
// stays above them and converges cubically, to clusters linearly. Source: Wilkinson, The Algebraic Eigenvalue Problem,
// section 7.33. Returns what x has to be lowered by; 0 where rounding has taken x to the root.
inline Vec<double> laguerre_step(const LaneTridiagonal& t, double s, Vec<double> x) {
  // The leading minors p_k = (x - s a_k) p_{k-1} - b_{k-1}^2 p_{k-2} and their first two derivatives. For orders up to
  // 64 they do not overflow; where they come near to underflow x is as close to a cluster of roots as can be told.
  constexpr double kSmallest = 1e-290;
  Vec<double> before{}, before1{}, before2{}, p = broadcast(1.0), p1{}, p2{}, square{};
  for (int64_t k = 0; k < t.n; ++k) {
    const Vec<double> factor = fma(t.diagonal[k], broadcast(-s), x);
    const Vec<double> next = fma(factor, p, -square * before);
    const Vec<double> next1 = fma(factor, p1, fma(-square, before1, p));
    const Vec<double> next2 = fma(factor, p2, fma(-square, before2, p1 + p1));
    before = p;
    before1 = p1;
    before2 = p2;
    p = next;
    p1 = next1;
    p2 = next2;
    if (k + 1 < t.n) square = t.squares[k];
  }
  const double n = static_cast<double>(t.n);
  const Vec<double> reciprocal = 1.0 / p, g = p1 * reciprocal, h = g * g - p2 * reciprocal;
  const Vec<double> radicand = (n - 1) * fma(h, broadcast(n), -g * g);
  const Vec<double> step = n / (g + square_root(maximum<double>(radicand, Vec<double>{})));
  return select<double>((p > broadcast(kSmallest)) & (step > Vec<double>{}), step, Vec<double>{});
}

// Up to relative_tolerance of the size of T at the most, usually to its cube.
inline LaneEnds extreme_eigenvalues(const LaneTridiagonal& t, double relative_tolerance) {
  constexpr int kMostSteps = 60;
  const Vec<double> infinite = broadcast(__builtin_inf());
  Vec<double> high = -infinite, low = -infinite;  // of T and of -T
  for (int64_t k = 0; k < t.n; ++k) {             // Gershgorin
    Vec<double> radius{};
    if (k > 0) radius += square_root(t.squares[k - 1]);
    if (k + 1 < t.n) radius += square_root(t.squares[k]);
    high = maximum<double>(radius + t.diagonal[k], high);
    low = maximum<double>(radius - t.diagonal[k], low);
  }
  const Vec<double> size = maximum<double>(absolute<double>(high), absolute<double>(low));
  // Strictly above: at a root itself nothing could be told.
  high += size * 1e-12;
  low += size * 1e-12;
  const Vec<double> tolerance = size * relative_tolerance;
  Mask<double> high_moves = size > Vec<double>{}, low_moves = high_moves;
  for (int step = 0; step < kMostSteps && any<double>(high_moves | low_moves); ++step) {
    const Vec<double> down = select<double>(high_moves, laguerre_step(t, 1, high), Vec<double>{});
    const Vec<double> up = select<double>(low_moves, laguerre_step(t, -1, low), Vec<double>{});
    high -= down;
    low -= up;
    high_moves &= down > tolerance;
    low_moves &= up > tolerance;
  }
  return {-low, high, ~(high_moves | low_moves)};
}

// Number of eigenvalues above `shift`: of the positive pivots of T - shift I.
inline IntVec<double> count_above_lanes(const LaneTridiagonal& t, Vec<double> shift) {
  IntVec<double> count{};
  Vec<double> pivot{};
  for (int64_t k = 0; k < t.n; ++k) {
    const Vec<double> here = t.diagonal[k] - shift;
    pivot = k == 0 ? here : here - t.squares[k - 1] / pivot;
    pivot = select<double>(pivot == Vec<double>{}, broadcast(-0x1p-1000), pivot);
    count -= pivot > Vec<double>{};
  }
  return count;
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
