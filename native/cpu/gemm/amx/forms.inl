// Matrices packed for AMX.
//
// A tile is 16 rows of 64 bytes. One instruction adds to a 16 x 16 tile of sums the product of 16 x 32 numbers of A,
// row by row, and 32 x 16 of B. Either operand's rows hold pairs: the unit multiplies the two numbers of pair q of a
// row of A by those of row q of B and adds both, so any 32 rows of B may be paired, as long as the columns of A are so
// alike. Here 16 of them lie between the numbers of a pair: two vectors of A, or of B, make a row of a tile without any
// exchange of lanes.
// Source: Intel Architecture Instruction Set Extensions Programming Reference, chapter 3, TDPBF16PS.
//
// The left form of a matrix has the tiles of A: 32 columns after the other, then the next 16 rows. The right form has
// those of B: 32 rows after the other, then the next 16 columns. The parts of a tile lie behind each other. With pairs
// of numbers for elements, the tile of rows [i, i + 16) and columns [j, j + 32) of the left form of C and that of the
// right form of C^T are transposes of each other, and they lie at the same place. So a symmetric matrix gets its mirror
// image, and A A^T its right factor, a few columns ahead of the products.
#pragma once

#include "../../isa/vector.inl"
#include "../bf16.hpp"

namespace kronroot::cpu {
namespace {

constexpr int64_t kSide = 16;              // of a tile of sums
constexpr int64_t kDepth = 32;             // products that one instruction adds to an element
constexpr int64_t kBlock = 2 * kSide;      // of the sums that are computed together
constexpr int64_t kTile = kSide * kDepth;  // numbers of an operand's tile
static_assert(kBlock == kDepth, "a block of C is two tiles of any form");

constexpr int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }

// The first `count` lanes of 16, all or none of them where it is beyond.
inline __mmask16 first(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1u << count) - 1);
}

// The parts of tile `step` along the inner dimension, which has `inner` numbers, of rows or columns [outer, outer +
// 16).
template <int Parts, typename T>
T* tile(T* form, int64_t inner, int64_t outer, int64_t step) {
  return form + (outer / kSide * (bf16_padded(inner) / kDepth) + step / kDepth) * Parts * kTile;
}

typedef Vec<uint32_t> Bits;

inline Bits bits_of(Vec<float> v) { return reinterpret_cast<Bits>(v); }
inline Vec<float> numbers_of(Bits bits) { return reinterpret_cast<Vec<float>>(bits); }

// The upper halves of two f32, as the pair that they make.
inline Bits joined(Bits near, Bits far) { return (near >> 16) | (far & 0xffff0000u); }

// The f32 numbers of pairs.
inline Vec<float> near_of(Bits pairs) { return numbers_of(pairs << 16); }
inline Vec<float> far_of(Bits pairs) { return numbers_of(pairs & 0xffff0000u); }

// The next part of x in the upper halves of the result; x becomes what it leaves, which is exact.
inline Bits next_part(Vec<float>& x) {
  const Bits part = bits_of(x) + 0x8000u;
  x = x - far_of(part);
  return part;
}

inline void store_pairs(Bf16* to, Bits pairs) { *reinterpret_cast<Bits*>(to) = pairs; }
inline Bits load_pairs(const Bf16* from) { return *reinterpret_cast<const Bits*>(from); }

// One part of a tile and the transpose of it, pairs of numbers for elements.
struct Turn {
  const Bf16* from;
  Bf16* to;
};

// Not inlined: it needs all registers, and its callers theirs.
__attribute__((noinline)) void run(const Turn& turn) {
  Vec<float> pairs[kSide];
  for (int64_t i = 0; i < kSide; ++i) pairs[i] = numbers_of(load_pairs(turn.from + i * kDepth));
  transpose<float>(pairs);
  for (int64_t i = 0; i < kSide; ++i) store_pairs(turn.to + i * kDepth, bits_of(pairs[i]));
}

// Copies what lies below the diagonal of a 32 x 32 block to above it.
__attribute__((noinline)) void mirror_block(float* block) {
  Vec<float> quarter[kSide];
  for (int64_t at = 0; at < kBlock; at += kSide) {
    float* const diagonal = block + at * kBlock + at;
    for (int64_t i = 0; i < kSide; ++i) quarter[i] = load(diagonal + i * kBlock);
    transpose<float>(quarter);
    for (int64_t i = 0; i < kSide; ++i) {
      _mm512_mask_store_ps(diagonal + i * kBlock, static_cast<__mmask16>(~first(i)), quarter[i]);
    }
  }
  for (int64_t i = 0; i < kSide; ++i) quarter[i] = load(block + (kSide + i) * kBlock);
  transpose<float>(quarter);
  for (int64_t i = 0; i < kSide; ++i) store(block + i * kBlock + kSide, quarter[i]);
}

// What a transposition of 16 vectors costs, in pairs of rows that are packed or stored.
constexpr int kTurnCost = 4;

}  // namespace
}  // namespace kronroot::cpu
