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

__m512i pair(__m512 even, __m512 odd) {
  const auto both = reinterpret_cast<Vec<Bf16>>(_mm512_cvtne2ps_pbh(odd, even));  // 16 even ones, 16 odd ones
  return reinterpret_cast<__m512i>(interleave(both, std::make_integer_sequence<int, kWidth<Bf16>>{}));
}

// 16 pairs of rows of 16 numbers, interleaved.
void read_pairs(const float* from, int64_t stride, int64_t rows, int64_t columns, __m512i (&tile)[16]) {
  const __mmask16 mask = first(columns);
  for (int64_t i = 0; i < 16; ++i) {
    const bool has_even = 2 * i < rows, has_odd = 2 * i + 1 < rows;
    tile[i] = pair(_mm512_maskz_loadu_ps(has_even ? mask : 0, from + (has_even ? 2 * i : 0) * stride),
                   _mm512_maskz_loadu_ps(has_odd ? mask : 0, from + (has_odd ? 2 * i + 1 : 0) * stride));
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

// Both operands of A A^T.
void pack_gram(const float* from, int64_t stride, int64_t count, int64_t inner, const Packed& a, const Packed& b) {
  for (int64_t outer = 0; outer * kSide < round_up(count, kBlock); ++outer) {
    const int64_t begin = outer * kSide;
    for (int64_t step = 0; step < a.steps; ++step) {
      const int64_t depth = step * kDepth;
      __m512i tile[16];
      read_rows(from + smaller(begin, count - 1) * stride + depth, stride, count - begin, inner - depth, tile);
      write_tile(tile, a.tile(outer, step));
      transpose_pairs(tile);
      write_tile(tile, b.tile(outer, step));
    }
  }
}

struct TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileShapes) == 64);

// A block of sums on its way into C, in pieces: the matrix unit goes on with the next block while vectors finish this
// one. Every row becomes alpha sums + beta D + gamma I and is stored; where C is symmetric, the block then goes to its
// mirror image by quarters.
class Finish {
 public:
  Finish() = default;
  Finish(const Product<float>& product, int64_t row, int64_t column, float* sums)
      : product_(&product), row_(row), column_(column), sums_(sums) {
    const bool is_mirrored = product.triangle == Triangle::mirrored;
    is_diagonal_ = is_mirrored && row == column;
    pieces_ = kBlock + (is_mirrored ? kQuarters : 0);
  }

  // `count` more pieces.
  void advance(int64_t count) {
    for (const int64_t end = smaller(done_ + count, pieces_); done_ < end; ++done_) {
      if (done_ < kBlock) {
        finish_row(done_);
      } else {
        mirror(done_ - kBlock);
      }
    }
  }
  int64_t left() const { return pieces_ - done_; }

 private:
  static constexpr int64_t kQuarters = 4;

  void finish_row(int64_t i) {
    const Product<float>& p = *product_;
    if (row_ + i >= p.m) return;
    const float* const d = (p.d == nullptr ? p.c : p.d) + (row_ + i) * (p.d == nullptr ? p.c_stride : p.d_stride);
    float* const c = p.c + (row_ + i) * p.c_stride;
    float* const sums = sums_ + i * kBlock;
    for (int64_t j = 0; j < kBlock && column_ + j < p.n; j += 16) {
      // On the diagonal the lower triangle counts.
      const int64_t end = smaller(p.n - column_, is_diagonal_ ? i + 1 : kBlock);
      const __mmask16 mask = first(end - j);
      __m512 value = _mm512_mul_ps(_mm512_set1_ps(p.alpha), _mm512_load_ps(sums + j));
      if (p.beta != 0) {
        value = _mm512_fmadd_ps(_mm512_set1_ps(p.beta), _mm512_maskz_loadu_ps(mask, d + column_ + j), value);
      }
      _mm512_store_ps(sums + j, value);
      _mm512_mask_storeu_ps(c + column_ + j, mask, value);
    }
    const int64_t diagonal = row_ + i - column_;
    if (p.gamma != 0 && diagonal >= 0 && diagonal < kBlock && column_ + diagonal < p.n) {
      sums[diagonal] += p.gamma;
      c[column_ + diagonal] = sums[diagonal];
    }
  }

  // One quarter of the block, transposed; on the diagonal what lies below it.
  void mirror(int64_t quarter) {
    const Product<float>& p = *product_;
    const int64_t i = quarter / 2 * 16, j = quarter % 2 * 16;
    const int64_t rows = p.m - row_ - i, columns = p.n - column_ - j;
    if (rows <= 0 || columns <= 0 || (is_diagonal_ && j > i)) return;
    Vec<float> tile[16];
    for (int r = 0; r < 16; ++r) tile[r] = _mm512_load_ps(sums_ + (i + r) * kBlock + j);
    transpose<float>(tile);
    float* const c = p.c + (column_ + j) * p.c_stride + row_ + i;
    for (int64_t k = 0; k < smaller(16, columns); ++k) {
      const __mmask16 below = is_diagonal_ && i == j ? static_cast<__mmask16>(0xfffeu << k) : 0xffff;
      _mm512_mask_storeu_ps(c + k * p.c_stride, first(rows) & below, tile[k]);
    }
  }

  const Product<float>* product_ = nullptr;
  int64_t row_ = 0, column_ = 0;
  float* sums_ = nullptr;
  bool is_diagonal_ = false;
  int64_t pieces_ = 0, done_ = 0;
};

// The 32 x 32 sums of two rows of tiles of A and two columns of B, while the block before them is finished.
void multiply_block(const Packed& a, int64_t row, const Packed& b, int64_t column, Finish& before, float* sums) {
  constexpr int kBytes = 64;
  const int64_t pieces = (before.left() + a.steps - 1) / (a.steps > 0 ? a.steps : 1);
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
    before.advance(pieces);
  }
  constexpr int kRow = kBlock * sizeof(float);
  _tile_stored(0, sums, kRow);
  _tile_stored(1, sums + kSide, kRow);
  _tile_stored(2, sums + kSide * kBlock, kRow);
  _tile_stored(3, sums + kSide * kBlock + kSide, kRow);
}

Packed packed(Bf16* data, int64_t inner) { return {data, round_up(inner, kDepth) / kDepth}; }

int64_t packed_floats(int64_t count, int64_t inner) { return round_up(count, kBlock) * round_up(inner, kDepth) / 2; }

}  // namespace

int64_t amx_gemm_workspace(const Product<float>& p) {
  return packed_floats(p.m, p.k) + packed_floats(p.n, p.k) + 2 * kBlock * kBlock;
}

void amx_gemm(const Product<float>& p, float* workspace) {
  if (p.m == 0 || p.n == 0) return;
  const Packed a = packed(reinterpret_cast<Bf16*>(workspace), p.k);
  const Packed b = packed(reinterpret_cast<Bf16*>(workspace + packed_floats(p.m, p.k)), p.k);
  float* sums = workspace + packed_floats(p.m, p.k) + packed_floats(p.n, p.k);
  float* spare = sums + kBlock * kBlock;
  if (p.a == p.b && p.a_stride == p.b_stride && p.m == p.n && !p.transpose_a && p.transpose_b) {
    pack_gram(p.a, p.a_stride, p.m, p.k, a, b);
  } else {
    pack(p.a, p.a_stride, !p.transpose_a, true, p.m, p.k, a);
    pack(p.b, p.b_stride, p.transpose_b, false, p.n, p.k, b);
  }
  const TileShapes shapes;
  _tile_loadconfig(&shapes);
  const bool is_mirrored = p.triangle == Triangle::mirrored;
  Finish before;
  for (int64_t first_row = 0; first_row < p.m; first_row += kRowsAtATime) {
    const int64_t end_row = smaller(p.m, first_row + kRowsAtATime);
    const int64_t end_column = is_mirrored ? end_row : p.n;
    for (int64_t column = 0; column < end_column; column += kBlock) {
      for (int64_t row = first_row; row < end_row; row += kBlock) {
        if (is_mirrored && column > row) continue;
        multiply_block(a, row / kSide, b, column / kSide, before, sums);
        before.advance(before.left());
        before = Finish(p, row, column, sums);
        float* const used = sums;
        sums = spare;
        spare = used;
      }
    }
  }
  _tile_release();
  before.advance(before.left());
}

}  // namespace kronroot::cpu
