// Implicit QL iteration on a symmetric tridiagonal matrix (Wilkinson and Reinsch, Handbook II/4, imtql2).
//
// The recurrence runs in f64 for both element types: it is bound by the latency of its square root and division, not by
// their width, and in f64 squares of f32-sized numbers neither overflow nor underflow.
#pragma once

#include "execution.inl"
#include "rotations.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// An off-diagonal element counts as zero when it is below an eighth of the element type's ulp of the norm (all that the
// bounds of eigh ask for), or below rounding beside its diagonal neighbours.
class Deflation {
 public:
  Deflation(int64_t n, const double* d, const double* e, double ulp) {
    for (int64_t i = 0; i < n; ++i) {
      const double size = magnitude(d[i]) + magnitude(e[i]);
      norm_ = size > norm_ ? size : norm_;
    }
    absolute_ = ulp / 8 * norm_;
  }

  double norm() const { return norm_; }

  bool is_negligible(double e, double d, double d_next) const {
    const double size = magnitude(e);
    return (size <= absolute_) | (size <= 0x1p-53 * (magnitude(d) + magnitude(d_next)));
  }

 private:
  double norm_ = 0;
  double absolute_;
};

// Sweeps that all n eigenvalues together may take; 1.3 n (f32) and 1.7 n (f64) are usual.
constexpr int64_t most_sweeps(int64_t n) { return 60 * n; }

// Wilkinson's shift at the upper end of the block [low, high], as d[high] - shift.
inline double shifted_end(const double* d, const double* e, int64_t low, int64_t high) {
  const double g = (d[low + 1] - d[low]) / (2 * e[low]);
  const double r = square_root(g * g + 1);
  return d[high] - d[low] + e[low] / (g + __builtin_copysign(r, g));
}

// One sweep over the block [low, high]; returns the first index beyond low whose coupling to the next has become
// negligible, or high. Where kRecord, rotation i leaves its cosine in c[high - 1 - i] and its sine in s[high - 1 - i].
//
// With (g, f) the vector to rotate, b the coupling to the next row and h = g^2 + f^2 the textbook recurrence
//   c = g / sqrt(h),  s = f / sqrt(h),  r = (d_i - d_{i+1}) s + 2 c b,  g' = c r - b,  f' = s e_{i-1},  b' = c e_{i-1}
// waits for a square root and a division in each step. Written as
//   g' = g k / h - b,  k = (d_i - d_{i+1}) f + 2 g b,  f'^2 = (f e_{i-1})^2 / h
// it goes from h to the next h by one division; the root, for f and b, follows one step behind. sqrt(h) takes the sign
// of g, so that c >= 0; f and b below have that sign, or |g| in place of g, worked in.
template <bool kRecord>
[[gnu::noinline]] int64_t ql_sweep(double* d, double* e, int64_t low, int64_t high, Deflation deflation, double* c,
                                   double* s) {
  // Below it what is left to rotate is far below rounding, and squares of squares come near underflow.
  constexpr double kTiny = 0x1p-400;
  int64_t split = high;
  double d_above = 0;
  double g = shifted_end(d, e, low, high);
  double b = e[high - 1], f_squared = b * b, f = g < 0 ? -b : b, b_twice = 2 * b, p = 0;
  for (int64_t i = high - 1; i >= low; --i) {
    const double next = i > low ? e[i - 1] : 0;
    const double square = f_squared + g * g;
    const double above = d[i + 1] - p;
    double cosine = 1, sine = 0;
    if (__builtin_expect(square < kTiny, 0)) {
      e[i + 1] = 0;
      g = b;
      f = f_squared = p = 0;
      b = next;
      b_twice = 2 * next;
    } else {
      const double inverse = 1 / square, root = square_root(square), scale = root * inverse;
      const double size = magnitude(g);
      const double k = (d[i] - above) * f + b_twice * size;
      const double f_next = f * next, b_next = size * next;
      e[i + 1] = __builtin_copysign(root, g);
      cosine = size * scale;
      sine = f * scale;
      p = f * k * inverse;
      g = size * k * inverse - b;
      f_squared = f_next * f_next * inverse;
      f = (g < 0 ? -f_next : f_next) * scale;
      b = b_next * scale;
      b_twice = 2 * b_next * scale;
    }
    d[i + 1] = above + p;
    // e[high] is no coupling of this block.
    if (i + 1 < high && deflation.is_negligible(e[i + 1], d[i + 1], d_above)) split = i + 1;
    d_above = d[i + 1];
    if constexpr (kRecord) {
      *c++ = cosine;
      *s++ = sine;
    }
  }
  d[low] -= p;
  e[low] = g;
  e[high] = 0;
  return split;
}

// d becomes the eigenvalues, unsorted. sweep(low, high) does one sweep and returns as ql_sweep.
// Returns the number of sweeps, kNotConverged or kCancelled.
template <typename F>
int64_t iterate(int64_t n, const double* d, const double* e, Deflation deflation, const int32_t* cancel,
                const F& sweep) {
  const auto is_negligible = [&](int64_t i) { return deflation.is_negligible(e[i], d[i], d[i + 1]); };
  int64_t sweeps = 0;
  for (int64_t low = 0; low < n; ++low) {
    int64_t high = low;
    while (high < n - 1 && !is_negligible(high)) ++high;
    while (low < high) {
      if (++sweeps > most_sweeps(n)) return kNotConverged;
      if (is_cancelled(cancel)) return kCancelled;
      high = sweep(low, high);
      if (is_negligible(low)) ++low;
    }
  }
  return sweeps;
}

// With the rotations applied to the panels; c and s are workspace of n elements. deflation: of this matrix, or of a
// larger one that it is a part of.
template <typename T>
int64_t ql_with_vectors(int64_t n, double* d, double* e, Deflation deflation, double* c, double* s,
                        Rotations<T>& rotations, const int32_t* cancel) {
  const int64_t sweeps = iterate(n, d, e, deflation, cancel, [&](int64_t low, int64_t high) {
    const int64_t split = ql_sweep<true>(d, e, low, high, deflation, c, s);
    rotations.record(low, high, c, s);
    return split;
  });
  rotations.apply();
  return sweeps;
}

inline int64_t ql_values(int64_t n, double* d, double* e, double ulp, const int32_t* cancel) {
  const Deflation deflation(n, d, e, ulp);
  return iterate(n, d, e, deflation, cancel, [&](int64_t low, int64_t high) {
    return ql_sweep<false>(d, e, low, high, deflation, nullptr, nullptr);
  });
}

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
