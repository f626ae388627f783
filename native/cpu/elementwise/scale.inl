// Rows in the eigenbases of kron_solve: divided by their scale, in f64, and their squares averaged.
#pragma once

#include "../gemm/vector_operations.inl"
#include "update.inl"

namespace kronroot::cpu {
namespace {
namespace elementwise {

// 1 / v. Scales of f32 elements are normal in f64, and their quotients are rounded to f32: an estimate with a step of
// Newton's is enough. f64 elements may have any scale.
template <typename T>
inline Vec<double> inverse(Vec<double> v) {
  if constexpr (sizeof(T) == 4) return reciprocal<T>(v);
  return 1.0 / v;
}
template <typename T>
inline Vec<double> root(Vec<double> v) {
  if constexpr (sizeof(T) == 4) return v * reciprocal_root(v);
  return square_root(v);
}

template <typename T>
class RowDivision {
 public:
  RowDivision(double multiplier, const ScaleRule& rule)
      : multiplier_(multiplier), rule_(rule), smallest_(broadcast(__builtin_inf())), largest_{}, kept_{} {}

  // A vector of quotients; dead lanes count for nothing.
  Vec<double> divided(Vec<double> z, Vec<double> s, Mask<double> live) {
    const Vec<double> zero{}, damped = fma(maximum<double>(s, zero), broadcast(multiplier_), broadcast(rule_.damping));
    Vec<double> divisor = damped;
    if (rule_.is_root) divisor = select<double>(damped > zero, root<T>(damped), zero);
    divisor += broadcast(rule_.epsilon);
    const Mask<double> is_kept = (divisor > zero) & live;
    smallest_ = select<double>(is_kept, minimum<double>(damped, smallest_), smallest_);
    largest_ = select<double>(is_kept, maximum<double>(damped, largest_), largest_);
    kept_ -= is_kept;
    return select<double>(is_kept, z * inverse<T>(divisor), zero);
  }

  void add_to(ScaleRange& range) const {
    for (int l = 0; l < kWidth<double>; ++l) {
      if (smallest_[l] < range.smallest) range.smallest = smallest_[l];
      if (largest_[l] > range.largest) range.largest = largest_[l];
      range.kept += kept_[l];
    }
  }

 private:
  double multiplier_;
  ScaleRule rule_;
  Vec<double> smallest_, largest_;
  IntVec<double> kept_;
};

template <typename T, typename S>
void divide_row(int64_t n, double multiplier, const S* s, const ScaleRule& rule, T* z, ScaleRange& range) {
  constexpr int kStep = kWidth<double>;
  RowDivision<T> division(multiplier, rule);
  int64_t j = 0;
  for (; j + kStep <= n; j += kStep) {
    store_double(z + j, division.divided(load_as_double(z + j), load_as_double(s + j), ~Mask<double>{}));
  }
  if (j < n) {
    T z_part[kStep] = {};
    S s_part[kStep] = {};
    const int count = static_cast<int>(n - j);
    for (int l = 0; l < count; ++l) z_part[l] = z[j + l], s_part[l] = s[j + l];
    store_double(z_part, division.divided(load_as_double(z_part), load_as_double(s_part), first_lanes<double>(count)));
    for (int l = 0; l < count; ++l) z[j + l] = z_part[l];
  }
  division.add_to(range);
}

template <typename T>
void blend_squares(int64_t n, double beta, double weight, const T* z, T* s) {
  const Decay<T> decay(beta);
  const Vec<T> factor = broadcast(static_cast<T>(weight));
  const auto blended = [&](Vec<T> old, Vec<T> x) {
    return beta == 0 ? factor * x * x : decay.plus(old, factor * x * x);
  };
  constexpr int kStep = kWidth<T>;
  int64_t j = 0;
  for (; j + kStep <= n; j += kStep) store(s + j, blended(load(s + j), load(z + j)));
  if (j < n) {
    const int count = static_cast<int>(n - j);
    store_first(s + j, blended(load_first(s + j, count), load_first(z + j, count)), count);
  }
}

}  // namespace elementwise
}  // namespace
}  // namespace kronroot::cpu
