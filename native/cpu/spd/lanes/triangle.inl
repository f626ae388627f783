// The lower triangle of a symmetric or triangular matrix in lanes: row after row without gaps, so that it takes half
// the memory and that rows do not fall into the same cache sets. Element (i, j), j <= i, is one vector.
#pragma once

#include "../../isa/lanes.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// Elements of T in a triangle of order n.
template <typename T>
constexpr int64_t triangle_size(int64_t n) {
  return n * (n + 1) / 2 * kWidth<T>;
}

// Where row i begins.
template <typename T>
inline T* row_of(T* triangle, int64_t i) {
  return triangle + triangle_size<T>(i);
}

// The side of the square tiles that are held in registers: side^2 sums and 2 side operands.
constexpr int kSide = kVectorBytes == 64 ? 4 : 3;

// Calls body(std::integral_constant) with `count`, 1 .. Most, as a constant.
template <int Most, typename F>
inline void with_constant(int64_t count, const F& body) {
  if constexpr (Most > 1) {
    if (count < Most) return with_constant<Most - 1>(count, body);
  }
  body(std::integral_constant<int, Most>{});
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
