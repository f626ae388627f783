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
// and converges cubically, to clusters linearly. The step is right to an ulp of T.
// Source: Wilkinson, The Algebraic Eigenvalue Problem, section 7.33.
template <typename T, int64_t Order>
inline LaguerreStep laguerre_step(const LaneTridiagonal<Order>& t, double s, Vec<double> x) {
  // Where the polynomial comes near to underflow x is as close to a cluster of roots as can be told.
  constexpr double kSmallest = 1e-290;
  // The leading minors p_k = (x - s a_k) p_{k-1} - b_{k-1}^2 p_{k-2} and their first two derivatives, all of which may
  // be scaled by one factor: in so many steps they do not overflow for |x| and |T| up to 2^20.
  constexpr int64_t kStepsInRange = 32;
  Vec<double> before{}, before1{}, before2{}, p = broadcast(1.0), p1{}, p2{}, square{};
  Mask<double> is_above = p > Vec<double>{};
  for (int64_t begin = 0; begin < t.shape.n; begin += kStepsInRange) {
    if (begin > 0) {
      // p back into [1, 2).
      const IntVec<double> exponent = (magnitude_bits<double>(p) >> Bits<double>::kMantissa) - Bits<double>::kBias;
      const Vec<double> scale = power_of_two<double>(-exponent);
      for (Vec<double>* each : {&before, &before1, &before2, &p, &p1, &p2}) *each *= scale;
    }
    const int64_t end = begin + kStepsInRange < t.shape.n ? begin + kStepsInRange : t.shape.n;
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
      if (k + 1 < t.shape.n) square = t.squares[k];
    }
  }
  const double n = static_cast<double>(t.shape.n);
  const Vec<double> over_p = reciprocal<T>(p), g = p1 * over_p, h = g * g - p2 * over_p;
  const Vec<double> radicand = (n - 1) * fma(h, broadcast(n), -g * g);
  const Vec<double> step = n * reciprocal<T>(g + square_root(maximum<double>(radicand, Vec<double>{})));
  return {select<double>((p > broadcast(kSmallest)) & (step > Vec<double>{}), step, Vec<double>{}), is_above};
}

// The largest root of s T from above, step by step.
template <typename T>
struct LaguerreSearch {
  double s;
  Vec<double> x, last_step;
  Mask<double> moves;

  // Goes on until the next step, which is near step (step / last_step)^3 where this one is a tenth of the last or less,
  // would be within the tolerance.
  template <int64_t Order>
  void advance(const LaneTridiagonal<Order>& t, Vec<double> tolerance) {
    const Vec<double> step = select<double>(moves, laguerre_step<T>(t, s, x).step, Vec<double>{});
    x -= step;
    const Vec<double> square = step * step, last_cube = last_step * last_step * last_step;
    const Mask<double> is_short = step < last_step * 0.1;
    moves &=
        select<double>(is_short, square * square, step) > select<double>(is_short, tolerance * last_cube, tolerance);
    last_step = step;
  }
};

// Both ends of one half of the lanes.
template <typename T, int64_t Order>
struct EndSearch {
  LaneTridiagonal<Order> t;
  LaguerreSearch<T> top, bottom;
  Vec<double> tolerance;

  void start(const LaneTridiagonal<Order>& given, double relative_tolerance) {
    t = given;
    Vec<double> high = broadcast(-__builtin_inf()), low = high;  // bounds of T and of -T
    for (int64_t k = 0; k < t.shape.n; ++k) {                    // Gershgorin
      Vec<double> radius{};
      if (k > 0) radius += absolute<double>(t.couplings[k - 1]);
      if (k + 1 < t.shape.n) radius += absolute<double>(t.couplings[k]);
      high = maximum<double>(radius + t.diagonal[k], high);
      low = maximum<double>(radius - t.diagonal[k], low);
    }
    const Vec<double> size = maximum<double>(absolute<double>(high), absolute<double>(low));
    const Mask<double> is_nonzero = size > Vec<double>{};
    // Strictly above: at a root itself nothing could be told.
    const Vec<double> margin = size * 1e-12;
    top = {1, high + margin, Vec<double>{}, is_nonzero};
    // Most matrices are positive definite: -T is bounded by 0 then, from where it is not far.
    const LaguerreStep at_zero = laguerre_step<T>(t, -1, Vec<double>{});
    bottom = {-1, select<double>(at_zero.is_above, -at_zero.step, low + margin),
              select<double>(at_zero.is_above, at_zero.step, Vec<double>{}), is_nonzero};
    tolerance = size * relative_tolerance;
  }
  Mask<double> moves() const { return top.moves | bottom.moves; }
  void advance() {
    top.advance(t, tolerance);
    bottom.advance(t, maximum<double>(absolute<double>(bottom.x) * 0.01, tolerance));
  }
  LaneEnds ends() const { return {-bottom.x, top.x, ~moves()}; }
};

// The largest eigenvalue to relative_tolerance of the size of T, the smallest to that or to a hundredth of itself. All
// halves at a time: their steps hide each other's latency.
template <typename T, int Halves, int64_t Order>
[[gnu::noinline]] void extreme_eigenvalues(const LaneTridiagonal<Order> (&t)[Halves], double relative_tolerance,
                                           LaneEnds (&ends)[Halves]) {
  constexpr int kMostSteps = 60;
  EndSearch<T, Order> search[Halves];
  Mask<double> moves{};
  for (int half = 0; half < Halves; ++half) {
    search[half].start(t[half], relative_tolerance);
    moves |= search[half].moves();
  }
  for (int step = 0; step < kMostSteps && any<double>(moves); ++step) {
    moves = Mask<double>{};
    for (int half = 0; half < Halves; ++half) {
      search[half].advance();
      moves |= search[half].moves();
    }
  }
  for (int half = 0; half < Halves; ++half) ends[half] = search[half].ends();
}

// Number of eigenvalues above `shift`: of the positive pivots of T - shift I.
template <int64_t Order>
inline IntVec<double> count_above_lanes(const LaneTridiagonal<Order>& t, Vec<double> shift) {
  IntVec<double> count{};
  Vec<double> pivot{};
  for (int64_t k = 0; k < t.shape.n; ++k) {
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
