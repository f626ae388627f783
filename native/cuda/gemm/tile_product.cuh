// One block a tile of C on the matrix unit.
//
// Shared memory: `stages` tiles of each operand, `depth` deep, filled by cp.async while earlier ones are multiplied.
// Registers: a warp has rows x cols of C, in f32 twice (MatrixUnit::promoted_depth).
// The sums of an element are the same, in the same order, whatever the size of the tile.
#pragma once

#include <cstdint>

#include "../launch.hpp"
#include "matrix_unit.cuh"
#include "product_kernels.hpp"
#include "product_views.cuh"
#include "tile_order.cuh"

namespace kronroot::cuda {

// Tiles of Order x Order by warps of Rows x Cols.
template <typename Element, int Order, int Rows, int Cols, int Depth, int Stages, bool a_depth_contiguous,
          bool b_depth_contiguous>
struct ProductTile {
  using T = Element;
  using Unit = MatrixUnit<T>;
  using A = OperandTile<T, Order, Depth, a_depth_contiguous>;
  using B = OperandTile<T, Order, Depth, b_depth_contiguous>;
  static constexpr int order = Order, rows = Rows, cols = Cols, depth = Depth, stages = Stages;
  static constexpr int warps_across = Order / Cols, threads = 32 * warps_across * (Order / Rows);
  static constexpr int down = Rows / Unit::rows, across = Cols / Unit::cols;
};

// How a product is cut into blocks.
struct TileGrid {
  int64_t rows, cols, tiles;
  // Pieces of 16 bytes are all inside or all outside of the operand, and aligned.
  bool a_in_pieces, b_in_pieces;
  bool c_in_pairs;
};

// A tile of an operand: lines from `line` on, elements from `at` on, zeros where the operand ends.
template <typename Tile, typename Operand>
__device__ __forceinline__ void load_operand(Shared<typename Tile::T> to,
                                             const MatrixView<const typename Tile::T>& from, int64_t line, int64_t at,
                                             bool in_pieces) {
  using T = typename Tile::T;
  constexpr int piece = 16 / sizeof(T), pieces = Operand::length / piece;
  static_assert(Operand::lines * pieces % Tile::threads == 0);
#pragma unroll
  for (int i = 0; i < Operand::lines * pieces / Tile::threads; ++i) {
    const int index = thread_index() + i * Tile::threads;
    const int l = index / pieces, e = index % pieces * piece;
    const int64_t source = (line + l) * from.stride + at + e;
    const bool has_line = line + l < from.rows;
    if (in_pieces) {
      copy_async<16>(to, l * Operand::stride + e, from.data, source, has_line && at + e < from.cols);
    } else {
#pragma unroll
      for (int j = 0; j < piece; ++j) {
        copy_async<sizeof(T)>(to, l * Operand::stride + e + j, from.data, source + j,
                              has_line && at + e + j < from.cols);
      }
    }
  }
}

template <typename Tile>
struct TileSums {
  using T = typename Tile::T;
  using Unit = typename Tile::Unit;
  T sums[Tile::down][Tile::across][Unit::sums];

  template <typename F>
  __device__ __forceinline__ void each(F f) {
#pragma unroll
    for (int i = 0; i < Tile::down; ++i) {
#pragma unroll
      for (int j = 0; j < Tile::across; ++j) {
#pragma unroll
        for (int r = 0; r < Unit::sums; ++r) f(i, j, r, sums[i][j][r]);
      }
    }
  }
  __device__ __forceinline__ void clear() {
    each([](int, int, int, T& sum) { sum = 0; });
  }
  // Adds `other` and clears it.
  __device__ __forceinline__ void take(TileSums& other) {
    each([&](int i, int j, int r, T& sum) {
      sum += other.sums[i][j][r];
      other.sums[i][j][r] = 0;
    });
  }
  __device__ __forceinline__ void add(Shared<T> a_tile, Shared<T> b_tile, int row, int col) {
#pragma unroll
    for (int k = 0; k < Tile::depth; k += Unit::depth) {
      typename Unit::A a[Tile::down];
      typename Unit::B b[Tile::across];
#pragma unroll
      for (int i = 0; i < Tile::down; ++i) {
        Unit::template load_a<typename Tile::A>(a[i], a_tile, row + i * Unit::rows, k);
      }
#pragma unroll
      for (int j = 0; j < Tile::across; ++j) {
        Unit::template load_b<typename Tile::B>(b[j], b_tile, col + j * Unit::cols, k);
      }
#pragma unroll
      for (int turn = 0; turn < Unit::turns; ++turn) {
#pragma unroll
        for (int j = 0; j < Tile::across; ++j) {
#pragma unroll
          for (int i = 0; i < Tile::down; ++i) Unit::multiply(turn, sums[i][j], a[i], b[j]);
        }
      }
    }
  }
};

template <typename Tile>
struct TileStages {
  using T = typename Tile::T;
  Shared<T> a, b;
  __host__ __device__ explicit TileStages(SharedArena& arena)
      : a(arena.take<T>(Tile::stages * Tile::A::elements)), b(arena.take<T>(Tile::stages * Tile::B::elements)) {}
};

template <typename Tile>
__global__ void __launch_bounds__(Tile::threads) multiply_tiles(Product<typename Tile::T> p, TileGrid grid) {
  using T = typename Tile::T;
  using Unit = typename Tile::Unit;
  SharedArena arena;
  const TileStages<Tile> shared(arena);
  const ProductViews<T> views(p, block_index() / grid.tiles);
  if (views.is_skipped) return;
  const int64_t tile = block_index() % grid.tiles;
  const TilePlace place = p.symmetric ? triangle_tile(tile) : banded_tile(tile, grid.rows, grid.cols);
  const int64_t first_row = place.row * Tile::order, first_col = place.col * Tile::order;
  const int warp_row = warp_index() / Tile::warps_across * Tile::rows;
  const int warp_col = warp_index() % Tile::warps_across * Tile::cols;

  const auto load_stage = [&](int stage, int64_t k) {
    const auto a = shared.a + stage * Tile::A::elements, b = shared.b + stage * Tile::B::elements;
    if (p.transpose_a) {
      load_operand<Tile, typename Tile::A>(a, views.a, k, first_row, grid.a_in_pieces);
    } else {
      load_operand<Tile, typename Tile::A>(a, views.a, first_row, k, grid.a_in_pieces);
    }
    if (p.transpose_b) {
      load_operand<Tile, typename Tile::B>(b, views.b, first_col, k, grid.b_in_pieces);
    } else {
      load_operand<Tile, typename Tile::B>(b, views.b, k, first_col, grid.b_in_pieces);
    }
  };
  const int64_t depth = p.transpose_a ? p.a.rows : p.a.cols;
  const int64_t steps = (depth + Tile::depth - 1) / Tile::depth;
  for (int64_t step = 0; step < Tile::stages - 1; ++step) {
    if (step < steps) load_stage(static_cast<int>(step), step * Tile::depth);
    commit_copies();
  }
  TileSums<Tile> total, sum;
  sum.clear();
  if constexpr (Unit::promoted_depth > 0) total.clear();
  int stage = 0, next = Tile::stages - 1;
  for (int64_t step = 0; step < steps; ++step) {
    wait_for_copies<Tile::stages - 2>();
    sync_block();
    if (step + Tile::stages - 1 < steps) load_stage(next, (step + Tile::stages - 1) * Tile::depth);
    commit_copies();
    sum.add(shared.a + stage * Tile::A::elements, shared.b + stage * Tile::B::elements, warp_row, warp_col);
    if constexpr (Unit::promoted_depth > 0) {
      if ((step + 1) % (Unit::promoted_depth / Tile::depth) == 0) total.take(sum);
    }
    stage = stage + 1 == Tile::stages ? 0 : stage + 1;
    next = next + 1 == Tile::stages ? 0 : next + 1;
  }
  if constexpr (Unit::promoted_depth > 0) sum.take(total);

  const ProductOutput<T> output(p, views.c, grid.c_in_pairs);
  const int lane = lane_index();
#pragma unroll
  for (int i = 0; i < Tile::down; ++i) {
#pragma unroll
    for (int j = 0; j < Tile::across; ++j) {
#pragma unroll
      for (int r = 0; r < Unit::sums; r += 2) {
        output.put_pair(sum.sums[i][j][r], sum.sums[i][j][r + 1],
                        first_row + warp_row + i * Unit::rows + lane / 4 + r / 2 * 8,
                        first_col + warp_col + j * Unit::cols + lane % 4 * 2);
      }
    }
  }
}

// Is every `count`-th element of a line aligned to `count` elements?
template <typename T>
bool is_aligned(const BatchView<T>& batch, int64_t part_stride, int64_t count) {
  const auto address = reinterpret_cast<std::uintptr_t>(batch.data.address());
  return address % (static_cast<std::uintptr_t>(count) * sizeof(T)) == 0 && batch.row_stride % count == 0 &&
         batch.batch_stride % count == 0 && part_stride % count == 0;
}

template <typename Tile>
void launch_tiles(Op& op, const Product<typename Tile::T>& product) {
  TileGrid grid{};
  grid.rows = (product.c.rows + Tile::order - 1) / Tile::order;
  grid.cols = (product.c.cols + Tile::order - 1) / Tile::order;
  grid.tiles = product.symmetric ? tiles_of_triangle(grid.rows) : grid.rows * grid.cols;
  constexpr int64_t piece = 16 / sizeof(typename Tile::T);
  grid.a_in_pieces = product.a.cols % piece == 0 && is_aligned(product.a, product.parts.a_stride, piece);
  grid.b_in_pieces = product.b.cols % piece == 0 && is_aligned(product.b, product.parts.b_stride, piece);
  grid.c_in_pairs = is_aligned(product.c, product.parts.c_stride, 2);
  SharedArena arena;
  const TileStages<Tile> shared(arena);
  launch<multiply_tiles<Tile>>(op,
                               {.blocks = {product.c.batch * product.parts.count * grid.tiles},
                                .threads = Tile::threads,
                                .shared_bytes = arena.bytes()},
                               product, grid);
}

// With A and B as they lie in memory: op(A) has its depth contiguous where it is A, op(B) where it is B^T.
template <typename T, int Order, int Rows, int Cols, int Depth, int Stages>
void launch_layout(Op& op, const Product<T>& product) {
  if (product.transpose_a) {
    product.transpose_b ? launch_tiles<ProductTile<T, Order, Rows, Cols, Depth, Stages, false, true>>(op, product)
                        : launch_tiles<ProductTile<T, Order, Rows, Cols, Depth, Stages, false, false>>(op, product);
  } else {
    product.transpose_b ? launch_tiles<ProductTile<T, Order, Rows, Cols, Depth, Stages, true, true>>(op, product)
                        : launch_tiles<ProductTile<T, Order, Rows, Cols, Depth, Stages, true, false>>(op, product);
  }
}

}  // namespace kronroot::cuda
