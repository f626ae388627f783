// The product: 2 x 2 tiles of sums share the loads of two tiles of either operand; while the matrix unit works on such
// a block, vectors finish the one before it (pack.inl, store.inl).
#pragma once

#include "forms.inl"

namespace kronroot::cpu {
namespace {

struct TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileShapes) == 64);
// Not local: g++ 12 does not know that the intrinsic reads all of it.
constexpr TileShapes kTileShapes;

// Columns of tiles of A^T on their way: the tiles of A and where their transposes go, and how many are left, part by
// part.
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
  float* sums = nullptr;  // null: nothing to be done with them
  int64_t stride = kBlock;
};

constexpr int kTileBytes = 64;

// Tiles 0 to 3 += those of two rows of A, in tiles 4 and 5, and two columns of B, in tiles 6 and 7. The upper row and
// the left column are given by their first parts, the others lie `a_step` and `b_step` behind.
struct Operands {
  const Bf16* a;
  const Bf16* b;
  int64_t a_step, b_step;

  [[gnu::always_inline]] void load_a(int part) const {
    _tile_loadd(4, a + part * kTile, kTileBytes);
    _tile_loadd(5, a + a_step + part * kTile, kTileBytes);
  }
  // Products of this part of A with the part of B that is loaded.
  [[gnu::always_inline]] void with_a(int part) const {
    _tile_loadd(4, a + part * kTile, kTileBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + a_step + part * kTile, kTileBytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  [[gnu::always_inline]] void with_b(int part) const {
    _tile_loadd(6, b + part * kTile, kTileBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(2, 5, 6);
    _tile_loadd(7, b + b_step + part * kTile, kTileBytes);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(3, 5, 7);
  }
};

// The products of parts in an order in which neighbours share an operand, the largest last but for two parts.
template <int Parts>
[[gnu::always_inline]] inline void multiply_parts(const Operands& tiles) {
  if constexpr (Parts == 1) {
    _tile_loadd(4, tiles.a, kTileBytes);
    _tile_loadd(6, tiles.b, kTileBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, tiles.b + tiles.b_step, kTileBytes);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, tiles.a + tiles.a_step, kTileBytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  } else if constexpr (Parts == 2) {
    tiles.load_a(0);
    tiles.with_b(1);
    tiles.with_b(0);
    tiles.with_a(1);
  } else {
    tiles.load_a(0);
    tiles.with_b(2);
    tiles.with_b(1);
    tiles.with_a(1);
    tiles.with_b(0);
    tiles.with_a(2);
    tiles.with_a(0);
  }
}

// The 32 x 32 sums of two rows of `steps` tiles of A and two columns of B, while the block before them is finished and
// the columns after these are transposed.
template <typename Finish, int Parts>
void multiply_block(const Bf16Product& p, const Bf16* a, const Bf16* b, int64_t steps, const Block& before,
                    const Block& block, Columns& after, Bf16* spare) {
  constexpr int64_t kStep = Parts * kTile;
  Finish finish(p, before.row, before.column, before.sums, spare);
  const int end = before.sums == nullptr ? 0 : finish.cost();
  const bool is_diagonal = before.sums != nullptr && finish.needs_diagonal();
  // Where to be after each step, in units of 1 / 65536 of cost().
  const int64_t pace = steps == 0 ? 0 : ((int64_t{end} << 16) + steps - 1) / steps;
  const int64_t rows_a_step = steps == 0 ? 0 : (kBlock + steps - 1) / steps;
  int64_t goal = 0, row = 0;
  int position = 0;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t at = 0; at < steps * kStep; at += kStep) {
    multiply_parts<Parts>({a + at, b + at, steps * kStep, steps * kStep});
    if (is_diagonal && at == 0) finish.finish_diagonal();
    goal += pace;
    while (position < goal >> 16) position = finish.advance(position);
    Finish::prefetch(p, block.row, block.column, row, smaller(row + rows_a_step, kBlock));
    row += rows_a_step;
    after.advance(after.at_a_time);
  }
  while (position < end) position = finish.advance(position);
  const int64_t stride = block.stride * int64_t{sizeof(float)};
  _tile_stored(0, block.sums, stride);
  _tile_stored(1, block.sums + kSide, stride);
  _tile_stored(2, block.sums + kSide * block.stride, stride);
  _tile_stored(3, block.sums + kSide * block.stride + kSide, stride);
}

// Rows of A whose tiles stay in the L2 cache while all of B passes.
constexpr int64_t kRowsAtATime = 256;

template <typename Finish, int Parts>
void multiply(const Bf16Product& p) {
  alignas(64) float sums[2][kBlock * kBlock];
  alignas(64) Bf16 spare[Finish::kSpareTiles == 0 ? 1 : Finish::kSpareTiles * kTile];
  const int64_t steps = bf16_padded(p.k) / kDepth;
  _tile_loadconfig(&kTileShapes);
  // For B = A^T: two columns of its tiles, and the two after them.
  const int64_t tiles = 2 * steps * Parts;
  Bf16* const transposed[2] = {p.workspace, p.workspace + tiles * kTile};
  Block before;
  int turn = 0;
  for (int64_t first_row = 0; first_row < p.m; first_row += kRowsAtATime) {
    const int64_t end_row = smaller(p.m, first_row + kRowsAtATime);
    const int64_t end_column = p.is_symmetric ? end_row : p.n;
    Columns next;
    if (p.b == nullptr) next = {p.a, transposed[0], tiles};
    for (int64_t column = 0; column < end_column; column += kBlock) {
      next.advance(next.left);
      const Bf16* const b = p.b != nullptr ? tile<Parts>(p.b, p.k, column, 0) : transposed[column / kBlock % 2];
      const int64_t start_row = p.is_symmetric && column > first_row ? column : first_row;
      if (p.b == nullptr && column + kBlock < end_column) {
        // Done within two blocks, or one where there is no second.
        next = {tile<Parts>(p.a, p.k, column + kBlock, 0), transposed[(column / kBlock + 1) % 2], tiles,
                start_row + kBlock < end_row ? Parts : 2 * Parts};
      }
      for (int64_t row = start_row; row < end_row; row += kBlock) {
        const bool is_direct = Finish::is_direct(p, row, column);
        Block block{row, column, sums[turn]};
        if (is_direct) block = {row, column, p.c + row * p.c_stride + column, p.c_stride};
        multiply_block<Finish, Parts>(p, tile<Parts>(p.a, p.k, row, 0), b, steps, before, block, next, spare);
        before = is_direct ? Block{} : block;
        turn = 1 - turn;
      }
    }
  }
  _tile_release();
  if (before.sums == nullptr) return;
  Finish finish(p, before.row, before.column, before.sums, spare);
  if (finish.needs_diagonal()) finish.finish_diagonal();
  for (int position = 0; position < finish.cost();) position = finish.advance(position);
}

}  // namespace
}  // namespace kronroot::cpu
