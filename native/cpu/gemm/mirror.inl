// Copies the strictly lower triangle of a square matrix to the upper one.
#pragma once

#include "../isa/vector.inl"
#include "transpose.inl"

namespace kronroot::cpu {
namespace {

// The block of `rows` x `rows` elements on the diagonal: what lies above it is taken from the transpose.
template <typename T, int... I>
inline void load_mirrored(const T* c, int64_t stride, int rows, Vec<T> (&block)[sizeof...(I)],
                          std::integer_sequence<int, I...>) {
  constexpr int kStep = sizeof...(I);
  constexpr Vec<T> kLane = {I...};
  Vec<T> mirrored[kStep];
#pragma GCC unroll 16
  for (int i = 0; i < kStep; ++i) {
    block[i] = i < rows ? load_first(c + i * stride, rows) : Vec<T>{};
    mirrored[i] = block[i];
  }
  transpose<T>(mirrored);
#pragma GCC unroll 16
  for (int i = 0; i < kStep; ++i) block[i] = kLane > broadcast<T>(i) ? mirrored[i] : block[i];
}

template <typename T>
inline void mirror_block(T* c, int64_t stride, int rows) {
  constexpr int kStep = kWidth<T>;
  Vec<T> block[kStep];
  load_mirrored(c, stride, rows, block, std::make_integer_sequence<int, kStep>{});
#pragma GCC unroll 16
  for (int i = 0; i < kStep; ++i) {
    if (i < rows) store_first(c + i * stride, block[i], rows);
  }
}

// The same to rows of whole vectors at `to`.
template <typename T>
inline void mirror_block_to(T* to, const T* c, int64_t stride, int rows) {
  constexpr int kStep = kWidth<T>;
  Vec<T> block[kStep];
  load_mirrored(c, stride, rows, block, std::make_integer_sequence<int, kStep>{});
#pragma GCC unroll 16
  for (int i = 0; i < kStep; ++i) store(to + i * kStep, block[i]);
}

// With_diagonal: the blocks on the diagonal too, which are left alone where they are symmetric already.
template <typename T>
void mirror(int64_t n, T* c, int64_t stride, bool with_diagonal) {
  constexpr int kStep = kWidth<T>;
  for (int64_t i = 0; i < n; i += kStep) {
    const int rows = static_cast<int>(n - i < kStep ? n - i : kStep);
    transpose<T>(rows, i, c + i * stride, stride, c + i, stride);
    if (with_diagonal) mirror_block(c + i * (stride + 1), stride, rows);
  }
}

}  // namespace
}  // namespace kronroot::cpu
