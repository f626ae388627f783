// Powers of two, another one for each lane.
#pragma once

#include "../../isa/lanes.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

template <typename T>
inline IntVec<T> load_exponents(const int (&exponents)[kMostLanes]) {
  IntVec<T> v{};
  for (int l = 0; l < kWidth<T>; ++l) v[l] = exponents[l];
  return v;
}

// x <- x 2^exponent for `count` vectors. Three factors reach from any number of T to zero and to infinity; exact unless
// the result overflows or is denormal.
template <typename T>
void scale_lanes(int64_t count, T* x, IntVec<T> exponent) {
  constexpr int kReach = Bits<T>::kBias - 1;
  Vec<T> factors[3];
  for (Vec<T>& factor : factors) {
    const IntVec<T> least = IntVec<T>{} - kReach, most = IntVec<T>{} + kReach;
    const IntVec<T> above = exponent < least ? least : exponent;
    const IntVec<T> step = above > most ? most : above;
    factor = power_of_two<T>(step);
    exponent -= step;
  }
  for (int64_t i = 0; i < count * kWidth<T>; i += kWidth<T>) {
    store(x + i, load(x + i) * factors[0] * factors[1] * factors[2]);
  }
}

// The lanes in which all of `count` vectors are finite.
template <typename T>
Mask<T> finite_lanes(int64_t count, const T* x) {
  IntVec<T> largest{};
  for (int64_t i = 0; i < count * kWidth<T>; i += kWidth<T>) {
    const IntVec<T> size = magnitude_bits<T>(load(x + i));
    largest = size > largest ? size : largest;
  }
  return largest < magnitude_bits<T>(broadcast(static_cast<T>(__builtin_inf())));
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
