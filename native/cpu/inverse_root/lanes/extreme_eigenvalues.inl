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

// What the characteristic polynomial of s T, s = 1 or -1, says at x.
struct LaguerreStep {
  // By which x has to be lowered towards the largest root; 0 where rounding has taken x to the root.
  Vec<double> step;
  // Whether x is above all roots.
  Mask<double> is_above;
};

// One step of Laguerre's method towards the largest root of det(x I - s T). Started above all roots it stays above them
// and converges cubically, to clusters linearly. Source: Wilkinson, The Algebraic Eigenvalue Problem, section 7.33.
inline LaguerreStep laguerre_step(const LaneTridiagonal& t, double s, Vec<double> x) {
  // Where the polynomial comes near to underflow x is as close to a cluster of roots as can be told.
  constexpr double kSmallest = 1e-290;
  // The leading minors p_k = (x - s a_k) p_{k-1} - b_{k-1}^2 p_{k-2} and their first two derivatives, all of which may
  // be scaled by one factor: in so many steps they do not overflow for |x| and |T| up to 2^20.
  constexpr int64_t kStepsInRange = 32;
  Vec<double> before{}, before1{}, before2{}, p = broadcast(1.0), p1{}, p2{}, square{};
  Mask<double> is_above = p > Vec<double>{};
  for (int64_t begin = 0; begin < t.n; begin += kStepsInRange) {
    if (begin > 0) {
      // p back into [1, 2).
      const IntVec<double> exponent = (magnitude_bits<double>(p) >> Bits<double>::kMantissa) - Bits<double>::kBias;
      const Vec<double> scale = power_of_two<double>(-exponent);
      for (Vec<double>* each : {&before, &before1, &before2, &p, &p1, &p2}) *each *= scale;
    }
    const int64_t end = begin + kStepsInRange < t.n ? begin + kStepsInRange : t.n;
    for (int64_t k = begin; k < end; ++k) {
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
      is_above &= p > Vec<double>{};
      if (k + 1 < t.n) square = t.squares[k];
    }
  }
  const double n = static_cast<double>(t.n);
  const Vec<double> reciprocal = 1.0 / p, g = p1 * reciprocal, h = g * g - p2 * reciprocal;
  const Vec<double> radicand = (n - 1) * fma(h, broadcast(n), -g * g);
  const Vec<double> step = n / (g + square_root(maximum<double>(radicand, Vec<double>{})));
  return {select<double>((p > broadcast(kSmallest)) & (step > Vec<double>{}), step, Vec<double>{}), is_above};
}

// The largest root of s T from above, step by step.
struct LaguerreSearch {
  double s;
  Vec<double> x, last_step;
  Mask<double> moves;

  // Goes on until the next step, which is near step (step / last_step)^3 where the last were short, would be within
  // the tolerance.
  void advance(const LaneTridiagonal& t, Vec<double> tolerance) {
    const Vec<double> step = select<double>(moves, laguerre_step(t, s, x).step, Vec<double>{});
    x -= step;
    const Vec<double> ratio = step / last_step;
    const Vec<double> left = select<double>(ratio < broadcast(0.1), step * ratio * ratio * ratio, step);
    moves &= left > tolerance;
    last_step = step;
  }
};

// The largest eigenvalue to relative_tolerance of the size of T, the smallest to that or to a hundredth of itself.
[[gnu::noinline]] LaneEnds extreme_eigenvalues(const LaneTridiagonal& t, double relative_tolerance) {
  constexpr int kMostSteps = 60;
  Vec<double> high = broadcast(-__builtin_inf()), low = high;  // bounds of T and of -T
  for (int64_t k = 0; k < t.n; ++k) {                          // Gershgorin
    Vec<double> radius{};
    if (k > 0) radius += absolute<double>(t.couplings[k - 1]);
    if (k + 1 < t.n) radius += absolute<double>(t.couplings[k]);
    high = maximum<double>(radius + t.diagonal[k], high);
    low = maximum<double>(radius - t.diagonal[k], low);
  }
  const Vec<double> size = maximum<double>(absolute<double>(high), absolute<double>(low));
  const Mask<double> is_nonzero = size > Vec<double>{};
  // Strictly above: at a root itself nothing could be told.
  const Vec<double> margin = size * 1e-12;
  LaguerreSearch top = {1, high + margin, Vec<double>{}, is_nonzero};
  // Most matrices are positive definite: -T is bounded by 0 then, from where it is not far.
  const LaguerreStep at_zero = laguerre_step(t, -1, Vec<double>{});
  LaguerreSearch bottom = {-1, select<double>(at_zero.is_above, -at_zero.step, low + margin),
                           select<double>(at_zero.is_above, at_zero.step, Vec<double>{}), is_nonzero};
  const Vec<double> tolerance = size * relative_tolerance;
  for (int step = 0; step < kMostSteps && any<double>(top.moves | bottom.moves); ++step) {
    top.advance(t, tolerance);
    bottom.advance(t, maximum<double>(absolute<double>(bottom.x) * 0.01, tolerance));
  }
  return {-bottom.x, top.x, ~(top.moves | bottom.moves)};
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
