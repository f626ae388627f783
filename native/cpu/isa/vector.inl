// The vector of one instruction set, on the compiler's vector extensions. The including translation unit defines
// kVectorBytes before this file, and fma, load_first and store_first after it; see isa/avx512.cpp.
//
// Everything here has internal linkage: of a function shared between translation units of different instruction sets
// the linker keeps one copy, which could reach a machine that cannot run it.
#pragma once

#include <cstdint>
#include <utility>  // std::integer_sequence only: a type, no code

namespace kronroot::cpu {
namespace {

template <typename T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
  typedef T unaligned __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));
};

// + - * / and comparisons are those of the vector extension, element by element.
template <typename T>
using Vec = typename VectorOf<T>::type;

// Elements of T in a Vec<T>.
template <typename T>
constexpr int kWidth = kVectorBytes / int{sizeof(T)};

// Loads and stores ask for no alignment beyond that of T.
template <typename T>
inline Vec<T> load(const T* from) {
  return *reinterpret_cast<const typename VectorOf<T>::unaligned*>(from);
}

template <typename T>
inline void store(T* to, Vec<T> v) {
  *reinterpret_cast<typename VectorOf<T>::unaligned*>(to) = v;
}

template <typename T>
inline Vec<T> broadcast(T x) {
  return x - Vec<T>{};  // x - 0 is x for every x, -0 and NaN included
}

template <typename T, int Half, int... I>
inline T sum_halves(Vec<T> v, std::integer_sequence<int, I...> lanes) {
  if constexpr (Half == 0) {
    return v[0];
  } else {
    return sum_halves<T, Half / 2>(v + __builtin_shufflevector(v, v, (I ^ Half)...), lanes);
  }
}

// The sum of all elements, always in the same order: the upper half is added to the lower until one element is left.
template <typename T>
inline T sum(Vec<T> v) {
  return sum_halves<T, kWidth<T> / 2>(v, std::make_integer_sequence<int, kWidth<T>>{});
}

template <typename T, int Step, int... I>
inline void exchange_blocks(Vec<T> (&rows)[sizeof...(I)], std::integer_sequence<int, I...> lanes) {
  constexpr int kCount = sizeof...(I);
  if constexpr (Step < kCount) {
#pragma GCC unroll 16
    for (int i = 0; i < kCount; ++i) {
      if (i & Step) continue;
      const Vec<T> upper = rows[i], lower = rows[i + Step];
      rows[i] = __builtin_shufflevector(upper, lower, (I & Step ? I - Step + kCount : I)...);
      rows[i + Step] = __builtin_shufflevector(upper, lower, (I & Step ? I + kCount : I + Step)...);
    }
    exchange_blocks<T, 2 * Step>(rows, lanes);
  }
}

// Transposes a square block held in registers: blocks of 1, 2, 4, ... elements change places across the diagonal of
// blocks twice as large (Eklundh, IEEE Trans. Computers C-21 (1972)).
template <typename T>
inline void transpose(Vec<T> (&rows)[kWidth<T>]) {
  exchange_blocks<T, 1>(rows, std::make_integer_sequence<int, kWidth<T>>{});
}

}  // namespace
}  // namespace kronroot::cpu
