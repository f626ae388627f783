// Products on AMX tiles: C = alpha op(A) op(B) + beta D + gamma I with operands rounded to bf16 and sums in f32.
//
// A tile is 16 rows of 64 bytes. One instruction adds to a 16 x 16 tile of sums the product of 16 x 32 numbers of A,
// row by row, and 32 x 16 of B, whose rows lie in interleaved pairs: (2k, j) and (2k + 1, j) are neighbours. Both
// operands are packed into tiles of either kind once a product; 2 x 2 tiles of sums share the loads of two tiles of
// each. Source: Intel Architecture Instruction Set Extensions Programming Reference, chapter 3, TDPBF16PS.
#include <immintrin.h>

#include "../gemm/bf16.hpp"

namespace kronroot::cpu {
namespace {
constexpr int kVectorBytes = 64;
}  // namespace
}  // namespace kronroot::cpu

#include "vector.inl"

namespace kronroot::cpu {
namespace {

constexpr int64_t kSide = 16;              // of a tile of sums
constexpr int64_t kDepth = 32;             // products that one instruction adds to an element
constexpr int64_t kBlock = 2 * kSide;      // of the sums that are computed together
constexpr int64_t kTile = kSide * kDepth;  // numbers of an operand's tile
// Rows of A whose tiles stay in the L2 cache while all of B passes.
constexpr int64_t kRowsAtATime = 256;

constexpr int64_t round_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }
constexpr int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }

typedef uint16_t Bf16;

// The tiles of an operand, kDepth numbers of the inner dimension after the other, then the next 16 rows of A or columns
// of B.
struct Packed {
  Bf16* data;
  int64_t steps;  // along the inner dimension

  Bf16* tile(int64_t outer, int64_t step) const { return data + (outer * steps + step) * kTile; }
};

__mmask16 first(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1u << count) - 1);
}

__m512i bits(__m512bh v) { return reinterpret_cast<__m512i>(v); }

// 16 rows of 32 numbers, each row contiguous in memory; beyond `rows` and `columns` zeros.
void read_rows(const float* from, int64_t stride, int64_t rows, int64_t columns, __m512i (&tile)[16]) {
  const __mmask16 low = first(columns), high = first(columns - 16);
  for (int64_t i = 0; i < 16; ++i) {
    const float* row = from + (i < rows ? i : 0) * stride;
    const __m512 left = _mm512_maskz_loadu_ps(i < rows ? low : 0, row);
    const __m512 right = _mm512_maskz_loadu_ps(i < rows ? high : 0, row + 16);
    tile[i] = bits(_mm512_cvtne2ps_pbh(right, left));
  }
}

// The first half of v and its second, in turn.
template <int... I>
Vec<Bf16> interleave(Vec<Bf16> v, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(v, v, (I / 2 + I % 2 * 16)...);
}

// 16 pairs of rows of 16 numbers, interleaved.
void read_pairs(const float* from, int64_t stride, int64_t rows, int64_t columns, __m512i (&tile)[16]) {
  const __mmask16 mask = first(columns);
  for (int64_t i = 0; i < 16; ++i) {
    const bool has_even = 2 * i < rows, has_odd = 2 * i + 1 < rows;
    const __m512 even = _mm512_maskz_loadu_ps(has_even ? mask : 0, from + (has_even ? 2 * i : 0) * stride);
    const __m512 odd = _mm512_maskz_loadu_ps(has_odd ? mask : 0, from + (has_odd ? 2 * i + 1 : 0) * stride);
    const auto both = reinterpret_cast<Vec<Bf16>>(_mm512_cvtne2ps_pbh(odd, even));  // 16 even ones, 16 odd ones
    tile[i] = reinterpret_cast<__m512i>(interleave(both, std::make_integer_sequence<int, kWidth<Bf16>>{}));
  }
}

void transpose_pairs(__m512i (&tile)[16]) {
  Vec<float> rows[16];
  for (int i = 0; i < 16; ++i) rows[i] = reinterpret_cast<Vec<float>>(tile[i]);
  transpose<float>(rows);
  for (int i = 0; i < 16; ++i) tile[i] = reinterpret_cast<__m512i>(rows[i]);
}

void write_tile(const __m512i (&tile)[16], Bf16* to) {
  for (int i = 0; i < 16; ++i) _mm512_store_si512(to + i * kDepth, tile[i]);
}

// `count` rows of op(A), or columns of op(B), and the inner dimension: contiguous along it or, where it is the strided
// one, across it. Tiles of A are rows along the inner dimension, those of B pairs across it.
void pack(const float* from, int64_t stride, bool is_along, bool wants_rows, int64_t count, int64_t inner,
          const Packed& to) {
  for (int64_t outer = 0; outer * kSide < round_up(count, kBlock); ++outer) {
    const int64_t begin = outer * kSide;
    for (int64_t step = 0; step < to.steps; ++step) {
      const int64_t depth = step * kDepth;
      __m512i tile[16];
      if (is_along) {
        read_rows(from + smaller(begin, count - 1) * stride + depth, stride, count - begin, inner - depth, tile);
      } else {
        read_pairs(from + depth * stride + smaller(begin, count - 1), stride, inner - depth, count - begin, tile);
      }
      if (is_along != wants_rows) transpose_pairs(tile);
      write_tile(tile, to.tile(outer, step));
    }
  }
}

struct TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileShapes) == 64);

// The 32 x 32 sums of two rows of tiles of A and two columns of B.
void multiply_block(const Packed& a, int64_t row, const Packed& b, int64_t column, float* sums) {
  constexpr int kBytes = 64;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t step = 0; step < a.steps; ++step) {
    _tile_loadd(4, a.tile(row, step), kBytes);
    _tile_loadd(6, b.tile(column, step), kBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b.tile(column + 1, step), kBytes);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a.tile(row + 1, step), kBytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  constexpr int kRow = kBlock * sizeof(float);
  _tile_stored(0, sums, kRow);
  _tile_stored(1, sums + kSide, kRow);
  _tile_stored(2, sums + kSide * kBlock, kRow);
  _tile_stored(3, sums + kSide * kBlock + kSide, kRow);
}

// sums <- alpha sums + beta D + gamma I for the block at (row, column) of C.
void finish_block(const Product<float>& p, int64_t row, int64_t column, float* sums) {
  const __m512 alpha = _mm512_set1_ps(p.alpha), beta = _mm512_set1_ps(p.beta);
  const float* const d = p.d == nullptr ? p.c : p.d;
  const int64_t stride = p.d == nullptr ? p.c_stride : p.d_stride;
  for (int64_t i = 0; i < smaller(kBlock, p.m - row); ++i) {
    for (int64_t j = 0; j < kBlock; j += 16) {
      float* const place = sums + i * kBlock + j;
      __m512 value = _mm512_mul_ps(alpha, _mm512_load_ps(place));
      if (p.beta != 0 && column + j < p.n) {
        const __mmask16 mask = first(p.n - column - j);
        value = _mm512_fmadd_ps(beta, _mm512_maskz_loadu_ps(mask, d + (row + i) * stride + column + j), value);
      }
      _mm512_store_ps(place, value);
    }
    if (p.gamma != 0 && row + i >= column && row + i < column + kBlock) sums[i * kBlock + row + i - column] += p.gamma;
  }
}

void store_block(const float* sums, int64_t rows, int64_t columns, float* to, int64_t stride) {
  for (int64_t i = 0; i < smaller(kBlock, rows); ++i) {
    for (int64_t j = 0; j < smaller(kBlock, columns); j += 16) {
      _mm512_mask_storeu_ps(to + i * stride + j, first(columns - j), _mm512_load_ps(sums + i * kBlock + j));
    }
  }
}

// The transpose of a block.
void store_mirrored(const float* sums, int64_t rows, int64_t columns, float* to, int64_t stride) {
  for (int64_t i = 0; i < smaller(kBlock, rows); i += 16) {
    for (int64_t j = 0; j < smaller(kBlock, columns); j += 16) {
      Vec<float> tile[16];
      for (int r = 0; r < 16; ++r) tile[r] = _mm512_load_ps(sums + (i + r) * kBlock + j);
      transpose<float>(tile);
      for (int64_t c = 0; c < smaller(16, columns - j); ++c) {
        _mm512_mask_storeu_ps(to + (j + c) * stride + i, first(rows - i), tile[c]);
      }
    }
  }
}

Packed packed(Bf16* data, int64_t inner) { return {data, round_up(inner, kDepth) / kDepth}; }

int64_t packed_floats(int64_t count, int64_t inner) { return round_up(count, kBlock) * round_up(inner, kDepth) / 2; }

}  // namespace

int64_t amx_gemm_workspace(const Product<float>& p) {
  return packed_floats(p.m, p.k) + packed_floats(p.n, p.k) + kBlock * kBlock;
}

void amx_gemm(const Product<float>& p, float* workspace) {
  if (p.m == 0 || p.n == 0) return;
  const Packed a = packed(reinterpret_cast<Bf16*>(workspace), p.k);
  const Packed b = packed(reinterpret_cast<Bf16*>(workspace + packed_floats(p.m, p.k)), p.k);
  float* const sums = workspace + packed_floats(p.m, p.k) + packed_floats(p.n, p.k);
  pack(p.a, p.a_stride, !p.transpose_a, true, p.m, p.k, a);
  pack(p.b, p.b_stride, p.transpose_b, false, p.n, p.k, b);
  const TileShapes shapes;
  _tile_loadconfig(&shapes);
  const bool is_mirrored = p.triangle == Triangle::mirrored;
  for (int64_t first_row = 0; first_row < p.m; first_row += kRowsAtATime) {
    const int64_t end_row = smaller(p.m, first_row + kRowsAtATime);
    const int64_t end_column = is_mirrored ? end_row : p.n;
    for (int64_t column = 0; column < end_column; column += kBlock) {
      for (int64_t row = first_row; row < end_row; row += kBlock) {
        if (is_mirrored && column > row) continue;
        multiply_block(a, row / kSide, b, column / kSide, sums);
        finish_block(p, row, column, sums);
        float* const c = p.c + row * p.c_stride + column;
        if (is_mirrored && row == column) {
          for (int64_t i = 0; i < kBlock; ++i) {
            for (int64_t j = 0; j < i; ++j) sums[j * kBlock + i] = sums[i * kBlock + j];
          }
        }
        store_block(sums, p.m - row, p.n - column, c, p.c_stride);
        if (is_mirrored && row != column) {
          store_mirrored(sums, p.m - row, p.n - column, p.c + column * p.c_stride + row, p.c_stride);
        }
      }
    }
  }
  _tile_release();
}

}  // namespace kronroot::cpu
