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

// The quotients of one Division, a vector at a time, and what their divisors were.
template <typename T>
class Quotients {
 public:
  Quotients(double damping, double epsilon, bool is_root)
      : damping_(damping), epsilon_(epsilon), is_root_(is_root), smallest_(broadcast(__builtin_inf())) {}

  // Lanes that are not live count for nothing.
  Vec<double> of(Vec<double> z, double multiplier, Vec<double> s, Mask<double> live) {
    const Vec<double> zero{}, damped = fma(maximum<double>(s, zero), broadcast(multiplier), broadcast(damping_));
    Vec<double> divisor = damped;
    if (is_root_) divisor = select<double>(damped > zero, root<T>(damped), zero);
    divisor += broadcast(epsilon_);
    const Mask<double> is_kept = (divisor > zero) & live;
    smallest_ = select<double>(is_kept, minimum<double>(damped, smallest_), smallest_);
    largest_ = select<double>(is_kept, maximum<double>(damped, largest_), largest_);
    kept_ -= is_kept;
    return select<double>(is_kept, z * inverse<T>(divisor), zero);
  }

  DivisorRange range() const {
    DivisorRange range{__builtin_inf(), 0, 0};
    for (int l = 0; l < kWidth<double>; ++l) {
      if (smallest_[l] < range.smallest) range.smallest = smallest_[l];
      if (largest_[l] > range.largest) range.largest = largest_[l];
      range.kept += kept_[l];
    }
    return range;
  }

 private:
  double damping_, epsilon_;
  bool is_root_;
  Vec<double> smallest_, largest_ = {};
  IntVec<double> kept_ = {};
};

template <typename T, typename S>
DivisorRange divide(const Division<T, S>& division) {
  constexpr int kStep = kWidth<double>;
  const int64_t n = division.cols;
  Quotients<T> quotients(division.damping, division.epsilon, division.is_root);
  for (int64_t i = 0; i < division.rows; ++i) {
    T* const z = division.z + i * n;
    const S* const s = division.s + i * division.s_stride;
    const double multiplier = division.weights == nullptr ? division.factor : division.factor * division.weights[i];
    int64_t j = 0;
    for (; j + kStep <= n; j += kStep) {
      const Vec<double> scale = load_as_double(s + j);
      store_double(z + j, quotients.of(load_as_double(z + j), multiplier, scale, ~Mask<double>{}));
    }
    if (j == n) continue;
    T z_part[kStep] = {};
    S s_part[kStep] = {};
    const int count = static_cast<int>(n - j);
    for (int l = 0; l < count; ++l) z_part[l] = z[j + l], s_part[l] = s[j + l];
    const Mask<double> live = first_lanes<double>(count);
    store_double(z_part, quotients.of(load_as_double(z_part), multiplier, load_as_double(s_part), live));
    for (int l = 0; l < count; ++l) z[j + l] = z_part[l];
  }
  return quotients.range();
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
