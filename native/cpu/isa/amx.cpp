// Products on AMX tiles (gemm/bf16.hpp).
//
// A tile is 16 rows of 64 bytes. One instruction adds to a 16 x 16 tile of sums the product of 16 x 32 numbers of A,
// row by row, and 32 x 16 of B, whose rows lie in interleaved pairs: (2k, j) and (2k + 1, j) are neighbours. 2 x 2
// tiles of sums share the loads of two tiles of either operand; while the matrix unit works on such a block, vectors
// finish the one before it and pack it for the products to come.
// Source: Intel Architecture Instruction Set Extensions Programming Reference, chapter 3, TDPBF16PS.
//
// The left form of a matrix has the tiles of A: 32 columns after the other, then the next 16 rows. The right form has
// those of B: 32 rows after the other, then the next 16 columns. With pairs of numbers for elements, the tile of rows
// [i, i + 16) and columns [j, j + 32) of the left form of C and that of the right form of C^T are transposes of each
// other, and they lie at the same place. So a symmetric matrix gets its mirror image, and A A^T its right factor, a few
// columns ahead of the products.
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
static_assert(kBlock == kDepth, "a block of C is two tiles of any form");

// Intrinsics without a mask make GCC 12 warn of their undefined source operand.
constexpr __mmask16 kAll = 0xffff;

constexpr int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }

__mmask16 first(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1u << count) - 1);
}

// Tile `step` along the inner dimension, which has `inner` numbers, of rows or columns [outer, outer + 16).
template <typename T>
T* tile(T* form, int64_t inner, int64_t outer, int64_t step) {
  return form + (outer / kSide * (bf16_padded(inner) / kDepth) + step / kDepth) * kTile;
}

// A tile and its transpose, pairs of numbers for elements.
struct Turn {
  const Bf16* from;
  Bf16* to;
};

// Not inlined: it needs all registers, and its callers theirs.
__attribute__((noinline)) void run(const Turn& turn) {
  Vec<float> pairs[kSide];
  for (int64_t i = 0; i < kSide; ++i) {
    pairs[i] = reinterpret_cast<Vec<float>>(_mm512_load_si512(turn.from + i * kDepth));
  }
  transpose<float>(pairs);
  for (int64_t i = 0; i < kSide; ++i) {
    _mm512_store_si512(turn.to + i * kDepth, reinterpret_cast<__m512i>(pairs[i]));
  }
}

// What is made of the blocks of a matrix.
enum class Making {
  packed,         // alpha sums
  packed_with_d,  // alpha sums + beta D
  stored,         // alpha sums, in f32
};

// A block of sums on its way into C, in pieces: pairs of rows, which are scaled and packed or stored; then, from the
// tiles that are packed by now, the mirror image of the block where C is symmetric.
template <Making making>
class Finish {
 public:
  static constexpr int kPairs = kBlock / 2;
  static constexpr int kTurn = 4;  // what a transposition costs, in pairs of rows

  // `spare` (4 tiles) takes those that are needed for their transposes only.
  Finish(const Bf16Product& p, int64_t row, int64_t column, const float* sums, Bf16* spare)
      : sums_(sums), alpha_(p.alpha), beta_(p.beta) {
    if constexpr (making == Making::stored) {
      c_ = p.c + row * p.c_stride + column;
      c_stride_ = p.c_stride;
      rows_left_ = p.m - row;
      left_mask_ = first(p.n - column);
      right_mask_ = first(p.n - column - kSide);
      return;
    }
    const bool is_mirrored = p.is_symmetric && row != column;
    Bf16* const turned_rows = is_mirrored ? p.forms.right : nullptr;
    Bf16* const turned_columns = is_mirrored ? p.forms.left : nullptr;
    for (int half = 0; half < 2; ++half) {
      const int64_t i = row + half * kSide, j = column + half * kSide;
      if constexpr (making == Making::packed_with_d) d_[half] = tile(p.d, p.n, i, column);
      rows_[half] = p.forms.left != nullptr ? tile(p.forms.left, p.n, i, column) : spare + half * kTile;
      if (p.forms.right != nullptr) {
        columns_[half] = tile(p.forms.right, p.m, j, row);
      } else if (turned_columns != nullptr) {
        columns_[half] = spare + (2 + half) * kTile;
      }
      if (turned_rows != nullptr) turns_[turn_count_++] = {rows_[half], tile(turned_rows, p.n, i, column)};
      if (turned_columns != nullptr) turns_[turn_count_++] = {columns_[half], tile(turned_columns, p.n, j, row)};
    }
  }

  int cost() const { return kPairs + kTurn * turn_count_; }

  // The piece that begins at `position` of cost(); returns where the next one does.
  int advance(int position) const {
    if (position < kPairs) {
      finish_pair(position);
      return position + 1;
    }
    run(turns_[(position - kPairs) / kTurn]);
    return position + kTurn;
  }

  // alpha sums + beta D of row i.
  void read_row(int i, __m512& left, __m512& right) const {
    const float* const row = sums_ + i * kBlock;
    const __m512 alpha = _mm512_set1_ps(alpha_);
    left = _mm512_mul_ps(alpha, _mm512_load_ps(row));
    right = _mm512_mul_ps(alpha, _mm512_load_ps(row + kSide));
    if constexpr (making == Making::packed_with_d) {
      const Bf16* const d = d_[i / kSide] + i % kSide * kDepth;
      const __m512 beta = _mm512_set1_ps(beta_);
      left = _mm512_fmadd_ps(beta, unpacked(d), left);
      right = _mm512_fmadd_ps(beta, unpacked(d + kSide), right);
    }
  }

  // Takes the sums for what read_row returns from now on.
  void has_read() { alpha_ = 1, beta_ = 0; }

 private:
  static __m512 unpacked(const Bf16* from) {
    const __m256i packed = _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(kAll, _mm512_maskz_cvtepu16_epi32(kAll, packed), 16));
  }

  void finish_pair(int pair) const {
    __m512 upper_left, upper_right, lower_left, lower_right;
    read_row(2 * pair, upper_left, upper_right);
    read_row(2 * pair + 1, lower_left, lower_right);
    if constexpr (making == Making::stored) {
      float* const c = c_ + 2 * pair * c_stride_;
      if (2 * pair < rows_left_) {
        _mm512_mask_storeu_ps(c, left_mask_, upper_left);
        _mm512_mask_storeu_ps(c + kSide, right_mask_, upper_right);
      }
      if (2 * pair + 1 < rows_left_) {
        _mm512_mask_storeu_ps(c + c_stride_, left_mask_, lower_left);
        _mm512_mask_storeu_ps(c + c_stride_ + kSide, right_mask_, lower_right);
      }
      return;
    }
    const auto upper = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(upper_right, upper_left));
    const auto lower = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(lower_right, lower_left));
    constexpr unsigned kPairsOfTile = kSide / 2;
    const auto at = static_cast<unsigned>(pair);
    Bf16* const rows = rows_[at / kPairsOfTile] + at % kPairsOfTile * 2 * kDepth;
    _mm512_store_si512(rows, upper);
    _mm512_store_si512(rows + kDepth, lower);
    if (columns_[0] == nullptr) return;
    // Of every 8 columns the first 4 and the last 4, as pairs; then all of them in order.
    const __m512i near = _mm512_maskz_unpacklo_epi16(~__mmask32{0}, upper, lower);
    const __m512i far = _mm512_maskz_unpackhi_epi16(~__mmask32{0}, upper, lower);
    const __m512i left_half = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    const __m512i right_half = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    _mm512_store_si512(columns_[0] + at * kDepth, _mm512_permutex2var_epi64(near, left_half, far));
    _mm512_store_si512(columns_[1] + at * kDepth, _mm512_permutex2var_epi64(near, right_half, far));
  }

  const float* sums_;
  float alpha_, beta_;
  const Bf16* d_[2] = {};
  Bf16* rows_[2] = {};     // tiles of the left form
  Bf16* columns_[2] = {};  // of the right form; null where nothing needs it
  Turn turns_[4] = {};
  int turn_count_ = 0;
  float* c_ = nullptr;
  int64_t c_stride_ = 0;
  int64_t rows_left_ = 0;
  __mmask16 left_mask_ = 0, right_mask_ = 0;
};

struct TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileShapes) == 64);
// Not local: g++ 12 does not know that the intrinsic reads all of it.
constexpr TileShapes kTileShapes;

// Columns of tiles of A^T on their way: the tiles of A and where their transposes go, and how many are left.
struct Columns {
  const Bf16* from = nullptr;
  Bf16* to = nullptr;
  int64_t left = 0;
  int64_t at_a_time = 0;

  void advance(int64_t count) {
    for (; count > 0 && left > 0; --count, --left, from += kTile, to += kTile) run({from, to});
  }
};

// A block of C and its sums.
struct Block {
  int64_t row = 0, column = 0;
  float* sums = nullptr;  // null: no block
};

// Whether the block is on the diagonal of a product that has something to do there.
template <Making making>
bool needs_diagonal(const Bf16Product& p, const Block& block) {
  if (making == Making::stored || block.row != block.column) return false;
  return making == Making::packed_with_d || p.gamma != 0 || p.diagonal != nullptr;
}

// Makes alpha sums + beta D + gamma I of such a block where it stands.
template <Making making>
void finish_diagonal(const Bf16Product& p, const Block& block, Finish<making>& finish) {
  for (int i = 0; i < kBlock; ++i) {
    float* const row = block.sums + i * kBlock;
    const int64_t at = block.row + i;
    float value = 0;
    if (at < smaller(p.m, p.n)) {
      value = p.alpha * row[i] + p.gamma;
      if constexpr (making == Making::packed_with_d) value += p.beta * p.d_diagonal[at];
      if (p.diagonal != nullptr) p.diagonal[at] = value;
    }
    __m512 left, right;
    finish.read_row(i, left, right);
    _mm512_store_ps(row, left);
    _mm512_store_ps(row + kSide, right);
    row[i] = value;
  }
  finish.has_read();
}

// The 32 x 32 sums of two rows of `steps` tiles of A and two columns of B, while the block before them is finished and
// the columns after these are transposed.
template <Making making>
void multiply_block(const Bf16Product& p, const Bf16* a, const Bf16* b, int64_t steps, const Block& before,
                    Columns& after, Bf16* spare, float* sums) {
  constexpr int kBytes = 64;
  const Bf16* const lower = a + steps * kTile;
  const Bf16* const right = b + steps * kTile;
  Finish<making> finish(p, before.row, before.column, before.sums, spare);
  const int end = before.sums == nullptr ? 0 : finish.cost();
  const bool is_diagonal = before.sums != nullptr && needs_diagonal<making>(p, before);
  // Where to be after each step, in units of 1 / 65536 of cost().
  const int64_t pace = steps == 0 ? 0 : ((int64_t{end} << 16) + steps - 1) / steps;
  int64_t goal = 0;
  int position = 0;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t at = 0; at < steps * kTile; at += kTile) {
    _tile_loadd(4, a + at, kBytes);
    _tile_loadd(6, b + at, kBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, right + at, kBytes);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, lower + at, kBytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    if (is_diagonal && at == 0) finish_diagonal(p, before, finish);
    goal += pace;
    while (position < goal >> 16) position = finish.advance(position);
    after.advance(after.at_a_time);
  }
  while (position < end) position = finish.advance(position);
  constexpr int kRow = kBlock * sizeof(float);
  _tile_stored(0, sums, kRow);
  _tile_stored(1, sums + kSide, kRow);
  _tile_stored(2, sums + kSide * kBlock, kRow);
  _tile_stored(3, sums + kSide * kBlock + kSide, kRow);
}

// Rows of A whose tiles stay in the L2 cache while all of B passes.
constexpr int64_t kRowsAtATime = 256;

template <Making making>
void multiply(const Bf16Product& p) {
  alignas(64) float sums[2][kBlock * kBlock];
  alignas(64) Bf16 spare[4 * kTile];
  const int64_t steps = bf16_padded(p.k) / kDepth;
  _tile_loadconfig(&kTileShapes);
  // For B = A^T: two columns of its tiles, and the two after them.
  Bf16* const transposed[2] = {p.workspace, p.workspace + 2 * steps * kTile};
  Block before;
  int turn = 0;
  for (int64_t first_row = 0; first_row < p.m; first_row += kRowsAtATime) {
    const int64_t end_row = smaller(p.m, first_row + kRowsAtATime);
    const int64_t end_column = p.is_symmetric ? end_row : p.n;
    Columns next;
    if (p.b == nullptr) next = {p.a, transposed[0], 2 * steps};
    for (int64_t column = 0; column < end_column; column += kBlock) {
      next.advance(next.left);
      const Bf16* const b = p.b != nullptr ? tile(p.b, p.k, column, 0) : transposed[column / kBlock % 2];
      const int64_t start_row = p.is_symmetric && column > first_row ? column : first_row;
      if (p.b == nullptr && column + kBlock < end_column) {
        // Done within two blocks, or one where there is no second.
        next = {tile(p.a, p.k, column + kBlock, 0), transposed[(column / kBlock + 1) % 2], 2 * steps,
                start_row + kBlock < end_row ? 1 : 2};
      }
      for (int64_t row = start_row; row < end_row; row += kBlock) {
        multiply_block<making>(p, tile(p.a, p.k, row, 0), b, steps, before, next, spare, sums[turn]);
        before = {row, column, sums[turn]};
        turn = 1 - turn;
      }
    }
  }
  _tile_release();
  Finish<making> finish(p, before.row, before.column, before.sums, spare);
  if (needs_diagonal<making>(p, before)) finish_diagonal(p, before, finish);
  for (int position = 0; position < finish.cost();) position = finish.advance(position);
}

// One quarter of a block of S^T, 16 x 16 at (i, j).
void read_transposed(const Bf16Source& source, int64_t i, int64_t j, Vec<float> (&quarter)[kSide]) {
  const __mmask16 mask = first(source.rows - i);
  for (int64_t r = 0; r < kSide; ++r) {
    quarter[r] = mask != 0 && j + r < source.cols ? _mm512_maskz_loadu_ps(mask, source.s + (j + r) * source.stride + i)
                                                  : _mm512_setzero_ps();
  }
  transpose<float>(quarter);
}

void read(const Bf16Source& source, int64_t i, int64_t j, Vec<float> (&quarter)[kSide]) {
  const __mmask16 mask = first(source.cols - j);
  for (int64_t r = 0; r < kSide; ++r) {
    quarter[r] = mask != 0 && i + r < source.rows ? _mm512_maskz_loadu_ps(mask, source.s + (i + r) * source.stride + j)
                                                  : _mm512_setzero_ps();
  }
}

void read_block(const Bf16Source& source, int64_t row, int64_t column, float* block) {
  const __m512 factor = _mm512_set1_ps(source.factor), exponent = _mm512_set1_ps(static_cast<float>(source.exponent));
  for (int64_t i = 0; i < kBlock; i += kSide) {
    for (int64_t j = 0; j < kBlock; j += kSide) {
      Vec<float> quarter[kSide];
      if (source.transpose) {
        read_transposed(source, row + i, column + j, quarter);
      } else {
        read(source, row + i, column + j, quarter);
      }
      for (int64_t r = 0; r < kSide; ++r) {
        _mm512_store_ps(block + (i + r) * kBlock + j,
                        _mm512_mul_ps(factor, _mm512_maskz_scalef_ps(kAll, quarter[r], exponent)));
      }
    }
  }
}

}  // namespace

void amx_pack(const Bf16Source& source, const Bf16Forms& forms) {
  alignas(64) float block[kBlock * kBlock];
  alignas(64) Bf16 spare[4 * kTile];
  Bf16Product copy;
  copy.m = source.rows;
  copy.n = source.cols;
  copy.forms = forms;
  for (int64_t row = 0; row < source.rows; row += kBlock) {
    for (int64_t column = 0; column < source.cols; column += kBlock) {
      read_block(source, row, column, block);
      const Finish<Making::packed> finish(copy, row, column, block, spare);
      for (int position = 0; position < finish.cost();) position = finish.advance(position);
    }
  }
}

void amx_multiply(const Bf16Product& product) {
  if (product.c != nullptr) {
    multiply<Making::stored>(product);
  } else if (product.beta != 0) {
    multiply<Making::packed_with_d>(product);
  } else {
    multiply<Making::packed>(product);
  }
}

// Magnitudes in the order of integers, where infinity and NaN come last.
float amx_largest_magnitude(int64_t rows, int64_t cols, const Bf16* form) {
  const __m512i magnitude = _mm512_set1_epi16(0x7fff);
  Vec<Bf16> largest[2] = {};
  for (int64_t i = 0; i < bf16_form_size(rows, cols); i += 2 * kDepth) {
    for (int half = 0; half < 2; ++half) {
      const __m512i each = _mm512_and_si512(magnitude, _mm512_load_si512(form + i + half * kDepth));
      const auto number = reinterpret_cast<Vec<Bf16>>(each);
      largest[half] = number > largest[half] ? number : largest[half];
    }
  }
  uint32_t most = 0;
  for (int i = 0; i < kWidth<Bf16>; ++i) {
    for (int half = 0; half < 2; ++half) most = largest[half][i] > most ? largest[half][i] : most;
  }
  return __builtin_bit_cast(float, most << 16);
}

}  // namespace kronroot::cpu
