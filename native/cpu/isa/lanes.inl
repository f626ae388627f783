// The vocabulary of kernels that compute one matrix in every lane: what a scalar algorithm branches on is a mask here,
// and both branches are computed. A lane never sees another one, so its bits do not depend on its neighbours.
//
// The including translation unit defines any(), square_root(), reciprocal(), reciprocal_root() and gather() for both
// element types after this file, as it does fma (see isa/avx512.cpp).
#pragma once

#include "vector.inl"

namespace kronroot::cpu {
namespace {

template <typename T>
struct Bits;
template <>
struct Bits<float> {
  typedef int32_t type;
  static constexpr int kMantissa = 23, kBias = 127;
};
template <>
struct Bits<double> {
  typedef int64_t type;
  static constexpr int kMantissa = 52, kBias = 1023;
};

// An integer as wide as T in every lane.
template <typename T>
using IntVec = Vec<typename Bits<T>::type>;

// What comparing two Vec<T> gives: all bits of a lane are set, or none.
template <typename T>
using Mask = IntVec<T>;

template <typename T>
inline IntVec<T> bits_of(Vec<T> v) {
  return reinterpret_cast<IntVec<T>>(v);
}
template <typename T>
inline Vec<T> from_bits(IntVec<T> bits) {
  return reinterpret_cast<Vec<T>>(bits);
}

template <typename T>
inline Vec<T> select(Mask<T> mask, Vec<T> yes, Vec<T> no) {
  return mask ? yes : no;
}

// Whether a lane is set.
template <typename T>
inline bool any(Mask<T> mask);

template <typename T>
inline bool all(Mask<T> mask) {
  return !any<T>(~mask);
}

// |v| as an integer: in the order of the numbers, with infinities and NaN above all.
template <typename T>
inline IntVec<T> magnitude_bits(Vec<T> v) {
  constexpr typename Bits<T>::type kSign = typename Bits<T>::type{1} << (8 * sizeof(T) - 1);
  return bits_of<T>(v) & ~(IntVec<T>{} + kSign);
}

template <typename T>
inline Vec<T> absolute(Vec<T> v) {
  return from_bits<T>(magnitude_bits<T>(v));
}

// The larger of two numbers; b where one of them is NaN.
template <typename T>
inline Vec<T> maximum(Vec<T> a, Vec<T> b) {
  return a > b ? a : b;
}
template <typename T>
inline Vec<T> minimum(Vec<T> a, Vec<T> b) {
  return a < b ? a : b;
}

// |size| with the sign of `sign`.
template <typename T>
inline Vec<T> copy_sign(Vec<T> size, Vec<T> sign) {
  const IntVec<T> sign_bit = bits_of<T>(sign) ^ magnitude_bits<T>(sign);
  return from_bits<T>(magnitude_bits<T>(size) | sign_bit);
}

template <typename T, int... I>
inline IntVec<T> lane_numbers(std::integer_sequence<int, I...>) {
  return IntVec<T>{I...};
}

// The lanes below `count`.
template <typename T>
inline Mask<T> first_lanes(int count) {
  return lane_numbers<T>(std::make_integer_sequence<int, kWidth<T>>{}) < (IntVec<T>{} + count);
}

// One Number a lane of v, a Vec<T> or an IntVec<T>, converted.
template <typename T, typename Number, typename V>
inline void store_as(Number* to, V v) {
  typedef Number Converted __attribute__((vector_size(kWidth<T> * sizeof(Number))));
  typedef Number Stored __attribute__((vector_size(kWidth<T> * sizeof(Number)), aligned(sizeof(Number)), may_alias));
  *reinterpret_cast<Stored*>(to) = __builtin_convertvector(v, Converted);
}

// 2^exponent for exponents of normal numbers.
template <typename T>
inline Vec<T> power_of_two(IntVec<T> exponent) {
  return from_bits<T>((exponent + Bits<T>::kBias) << Bits<T>::kMantissa);
}

}  // namespace
}  // namespace kronroot::cpu
