// The instructions of the matrix unit. The last lane that arrives computes for the warp.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "number_formats.hpp"
#include "shared.hpp"
#include "warp.hpp"

namespace simt {

// Operations of collectives; which words hold which registers is said with the instruction below.
const char* multiply_f16(Warp& warp, uint32_t mask);
const char* multiply_bf16(Warp& warp, uint32_t mask);
const char* multiply_tf32(Warp& warp, uint32_t mask);
const char* multiply_f64(Warp& warp, uint32_t mask);
template <int N, bool is_transposed>
const char* distribute_matrices(Warp& warp, uint32_t mask);

template <typename R, int N>
inline void give_registers(int word, const R (&registers)[N]) {
  for (int i = 0; i < N; ++i) give(word + i * words_of<R>, registers[i]);
}
template <typename R, int N>
inline void take_registers(R (&registers)[N]) {
  for (int i = 0; i < N; ++i) registers[i] = take<R>(i * words_of<R>);
}

}  // namespace simt

namespace kronroot::cuda {

// mma.sync.m16n8k16 with 16-bit operands and f32 accumulators, D += A B; A 16 x 16 by rows, B 16 x 8 by columns. With
// g = lane / 4 and t = lane % 4 (PTX ISA, "Matrix Fragments for mma.m16n8k16"):
//   a[0] (g, 2t..2t+1), a[1] (g + 8, 2t..), a[2] (g, 2t + 8..), a[3] (g + 8, 2t + 8..);
//   b[0] (2t..2t+1, g), b[1] (2t + 8.., g);   d[0..1] (g, 2t..2t+1), d[2..3] (g + 8, 2t..2t+1).
// Words 0 to 3 are a, 4 and 5 b, 6 to 9 d. Sums are rounded once, which is better than hardware.
template <typename H>
inline void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                         simt::Site site = simt::Site::current()) {
  simt::give_registers(0, a);
  simt::give_registers(4, b);
  simt::give_registers(6, d);
  constexpr auto multiply = std::is_same_v<H, Half> ? &simt::multiply_f16 : &simt::multiply_bf16;
  simt::Block::current().collective(~0u, multiply, site);
  simt::take_registers(d);
}

// mma.sync.m16n8k8 with tf32 operands: a[0] (g, t), a[1] (g + 8, t), a[2] (g, t + 4), a[3] (g + 8, t + 4); b[0] (t, g),
// b[1] (t + 4, g); d as above. The low 13 bits of operands are not read.
inline void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                             simt::Site site = simt::Site::current()) {
  simt::give_registers(0, a);
  simt::give_registers(4, b);
  simt::give_registers(6, d);
  simt::Block::current().collective(~0u, &simt::multiply_tf32, site);
  simt::take_registers(d);
}

// mma.sync.m8n8k4 in f64: a (g, t), b (t, g), d[0..1] (g, 2t..2t+1); four fused steps in the order of k. Words 0 and 1
// are a, 2 and 3 b, 4 to 7 d.
inline void mma_m8n8k4_f64(double (&d)[2], double a, double b, simt::Site site = simt::Site::current()) {
  simt::give(0, a);
  simt::give(2, b);
  simt::give_registers(4, d);
  simt::Block::current().collective(~0u, &simt::multiply_f64, site);
  simt::take_registers(d);
}

// ldmatrix.sync.m8n8.xN(.trans).b16: matrix j has its rows of 8 elements (16 bytes) at the index that lane 8 j + row
// passes; register j of lane l gets elements (l / 4, 2 (l % 4)..) of matrix j, transposed (2 (l % 4).., l / 4).
template <int N, bool is_transposed = false, typename H>
inline void load_matrices(uint32_t (&registers)[N], Shared<H> from, int i, simt::Site site = simt::Site::current()) {
  static_assert((N == 1 || N == 2 || N == 4) && sizeof(H) == 2);
  if (lane_index() < 8 * N) {
    uint32_t row[4];
    std::memcpy(row, from.to_read(i, 8, 16), sizeof row);
    simt::give_registers(0, row);
  }
  simt::Block::current().collective(~0u, &simt::distribute_matrices<N, is_transposed>, site);
  simt::take_registers(registers);
}

}  // namespace kronroot::cuda
