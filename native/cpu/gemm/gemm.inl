// The matrix product: three loops of cache blocks around the micro-kernel, after Goto and van de Geijn, "Anatomy of
// high-performance matrix multiplication", ACM TOMS 34 (2008), and Van Zee and van de Geijn, "BLIS", ACM TOMS 41
// (2015). B is packed in panels as wide as a tile; A is read in place by broadcasts, or copied where its rows lie so
// far apart that they compete for the same cache sets and pages.
#pragma once

#include "../isa/vector.inl"
#include "../kernels.hpp"
#include "held_tile.inl"
#include "mirror.inl"
#include "pack.inl"
#include "tile.inl"

namespace kronroot::cpu {
namespace {

// A packed panel of B, kMaxDepth x kTileColumns, takes 32 KB at most and stays in the L1 cache; the packed block of B,
// kMaxDepth x kBlockColumns, takes half of an L2 cache of 2 MB, the block of A a sixteenth.
constexpr int64_t kMaxDepth = 256;
constexpr int64_t kBlockBytes = 4096;
template <typename T>
constexpr int64_t kBlockColumns = kBlockBytes / int64_t{sizeof(T)};
constexpr int64_t kBlockRows = 16 * kTileRows;
static_assert(kBlockRows % kTileColumns<float> == 0 && kBlockColumns<float> % kTileColumns<float> == 0,
              "the blocks of panels on the diagonal are not divided");

// Rows of a packed panel on the stack.
constexpr int64_t kSmallDepth = 32;
// Of B read in place: it stays in the L1 cache, or almost.
constexpr int64_t kSmallBytes = 40 * 1024;

inline int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// How a product is carried out; a function of its shape and strides alone.
struct GemmPlan {
  int64_t depth;  // of a K block; depends on k alone, so that every element is summed in one fixed order
  bool packs_b;   // otherwise B is read in place
  int64_t panel_columns;
  bool copies_a;        // otherwise A is read in place
  int64_t copy_stride;  // of the copied block of A
  int64_t b_elements;   // workspace
  int64_t a_elements;
};

template <typename T>
GemmPlan plan_gemm(const Product<T>& p) {
  GemmPlan plan;
  plan.depth = p.k > kMaxDepth ? ceil_divide(p.k, ceil_divide(p.k, kMaxDepth)) : p.k;
  // Packing pays when every panel is read by several rows of tiles.
  plan.packs_b = p.transpose_b || (p.m > 2 * kTileRows && p.k * p.b_stride * int64_t{sizeof(T)} > kSmallBytes);
  // In place, wide tiles read long stretches of the rows of B, which arrive from memory sooner.
  const bool wide = !plan.packs_b && p.triangle == Triangle::full;
  plan.panel_columns = (wide ? kWideVectors : kTileVectors) * kWidth<T>;
  constexpr int64_t kFarApart = 2048;  // bytes: half a page
  plan.copies_a = p.a_stride * int64_t{sizeof(T)} >= kFarApart && p.n > 2 * kTileColumns<T>;
  // One cache line is added, so that successive rows start in different cache sets.
  const int64_t line = 64 / int64_t{sizeof(T)};
  const int64_t block_rows = smaller(p.m, kBlockRows);
  plan.copy_stride = (p.transpose_a ? ceil_divide(block_rows, line) : ceil_divide(plan.depth, line)) * line + line;
  const int64_t columns = ceil_divide(smaller(p.n, kBlockColumns<T>), kTileColumns<T>) * kTileColumns<T>;
  plan.b_elements = plan.packs_b ? plan.depth * columns : 0;
  plan.a_elements = plan.copies_a ? plan.copy_stride * (p.transpose_a ? plan.depth : block_rows) : 0;
  return plan;
}

// Tiles above each other in the panel of a small product, at most.
constexpr int kSmallTiles = 4;

// Whether C is one panel of a few tiles, and B as it lies suits them, or its transpose fits on the stack.
template <typename T>
bool is_small(const Product<T>& p) {
  return p.m <= kSmallTiles * kTileRows && p.n <= kTileColumns<T> && p.k <= (p.transpose_b ? kSmallDepth : kMaxDepth);
}

template <typename T>
int64_t gemm_workspace(const Product<T>& product) {
  if (is_small(product)) return 0;
  const GemmPlan plan = plan_gemm(product);
  return plan.b_elements + plan.a_elements;
}

// At least gemm_workspace of every product with m, n and k up to `most`.
template <typename T>
int64_t gemm_workspace_limit(int64_t most) {
  constexpr int64_t kTwoLines = 2 * 64 / int64_t{sizeof(T)};
  const int64_t depth = smaller(most, kMaxDepth);
  const int64_t columns = smaller(most, kBlockColumns<T>) + kTileColumns<T>;
  return depth * columns + (depth + kTwoLines) * (smaller(most, kBlockRows) + kTwoLines);
}

// Columns [column, column + columns) of K block [k, k + depth) into panels.
template <typename T>
void pack_b(const Product<T>& p, int64_t k, int64_t depth, int64_t column, int64_t columns, T* packed) {
  for (int64_t j = 0; j < columns; j += kTileColumns<T>, packed += depth * kTileColumns<T>) {
    const int64_t count = smaller(columns - j, kTileColumns<T>);
    if (p.transpose_b) {
      pack_transposed_panel(depth, count, p.b + (column + j) * p.b_stride + k, p.b_stride, packed);
    } else {
      pack_panel(depth, count, p.b + k * p.b_stride + column + j, p.b_stride, packed);
    }
  }
}

// C_ii += gamma for the rows of a tile that cross the diagonal.
template <typename T>
void add_to_diagonal(const Product<T>& p, T gamma, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const int64_t first = larger(row, column), last = smaller(row + rows, column + columns);
  for (int64_t i = first; i < last; ++i) p.c[i * (p.c_stride + 1)] += gamma;
}

// X X^T or X^T X: both halves of a block on the diagonal are sums of the same products in the same order.
template <typename T>
bool is_gram(const Product<T>& p) {
  return p.a == p.b && p.a_stride == p.b_stride && p.transpose_a != p.transpose_b;
}

// Rows [row, row_end) of the panel of columns that starts at `column` <= row, to where they belong above the diagonal:
// while they lie in the cache. The panel's block on the diagonal is not divided between two calls.
template <typename T>
void mirror_panel(const Product<T>& p, int64_t row, int64_t row_end, int64_t column, int64_t columns) {
  if (row == column) {
    mirror(columns, p.c + row * (p.c_stride + 1), p.c_stride, !is_gram(p) || p.beta != 0);
    row += columns;
  }
  transpose(row_end - row, columns, p.c + row * p.c_stride + column, p.c_stride, p.c + column * p.c_stride + row,
            p.c_stride);
}

// A tile that is due: `rows` rows from `row` on, whose last vector has `last_count` columns.
template <typename T>
struct DueTile {
  TileKernel<T> kernel;
  int64_t row;
  int rows, last_count;
};

// Rows [row, row_end) of a panel `columns` wide, tile by tile. The rows are shared out evenly, since a tile of one row
// takes as long as one of four.
template <int Vectors, typename T, typename F>
void cut_rows(int64_t row, int64_t row_end, int64_t columns, bool b_in_place, const F& visit) {
  const int64_t rows = row_end - row, tiles = ceil_divide(rows, kMostRows<Vectors>);
  const int64_t fewest = tiles <= 1 ? rows : rows / tiles, longer = rows - fewest * tiles;
  const int last_count = static_cast<int>(columns - (Vectors - 1) * kWidth<T>);
  const bool ragged_b = b_in_place && last_count < kWidth<T>;
  for (int64_t t = 0; t < tiles; ++t) {
    const int tile_rows = static_cast<int>(fewest + (t < longer));
    visit(DueTile<T>{tile_kernel<T, Vectors>(tile_rows, ragged_b), row, tile_rows, last_count});
    row += tile_rows;
  }
}

// One column of tiles: rows [row, row_end), for the lower triangle without the vectors that lie above the diagonal.
template <typename T, typename F>
void cut_panel(bool starts_on_diagonal, int64_t row, int64_t row_end, int64_t columns, bool b_in_place,
               const F& visit) {
  constexpr int64_t kStep = kWidth<T>;
  if (columns <= kStep) return cut_rows<1, T>(row, row_end, columns, b_in_place, visit);
  if (starts_on_diagonal) {
    cut_rows<1, T>(row, row + kStep, kStep, b_in_place, visit);
    row += kStep;
  }
  if constexpr (kWideVectors > kTileVectors) {
    if (columns > 3 * kStep) return cut_rows<4, T>(row, row_end, columns, b_in_place, visit);
    if (columns > 2 * kStep) return cut_rows<3, T>(row, row_end, columns, b_in_place, visit);
  }
  cut_rows<2, T>(row, row_end, columns, b_in_place, visit);
}

// The tiles of a panel, from the one given on.
template <typename T>
void compute_panel(const Product<T>& p, Tile<T>& tile, int64_t row, int64_t row_end, int64_t column, int64_t columns,
                   bool b_in_place) {
  const bool starts_on_diagonal = p.triangle == Triangle::mirrored && row == column;
  cut_panel<T>(starts_on_diagonal, row, row_end, columns, b_in_place, [&](const DueTile<T>& due) {
    tile.last_count = due.last_count;
    due.kernel(tile);
    if (tile.gamma != 0) add_to_diagonal(p, tile.gamma, due.row, due.rows, column, columns);
    tile.a += due.rows * tile.a_row_step;
    tile.d += due.rows * tile.d_stride;
    tile.c += due.rows * tile.c_stride;
  });
}

// The tile at the origin of C, the whole depth of A and B read in place.
template <typename T>
Tile<T> first_tile(const Product<T>& p) {
  return {.depth = p.k,
          .a = p.a,
          .a_row_step = p.transpose_a ? 1 : p.a_stride,
          .a_depth_step = p.transpose_a ? p.a_stride : 1,
          .b = p.b,
          .b_step = p.b_stride,
          .d = p.d == nullptr ? p.c : p.d,
          .d_stride = p.d == nullptr ? p.c_stride : p.d_stride,
          .c = p.c,
          .c_stride = p.c_stride,
          .alpha = p.alpha,
          .beta = p.beta,
          .gamma = p.gamma,
          .last_count = 0};
}

// Small products, `count` of them: the tiles are cut once, and a product takes no more than a call of each of their
// kernels, and the transposition of B and of a triangle where they are due.
template <typename T>
void multiply_small(const Product<T>& p, const ProductSteps& steps, int64_t count) {
  if (p.m == 0 || p.n == 0) return;
  constexpr int kStep = kWidth<T>;
  alignas(64) T packed_b[kSmallDepth * kTileColumns<T>], mirrored_d[kStep * kStep];
  DueTile<T> tiles[kSmallTiles + 1];  // one more where the first is on the diagonal
  int due = 0;
  const bool mirrors = p.triangle == Triangle::mirrored;
  cut_panel<T>(mirrors, 0, p.m, p.n, !p.transpose_b, [&](const DueTile<T>& each) { tiles[due++] = each; });
  const bool is_symmetric = is_gram(p) && steps.a == steps.b;
  const bool adds_mirrored = mirrors && is_symmetric && p.beta != 0 && p.n <= kStep;
  const bool mirrors_c = mirrors && !(is_symmetric && p.n <= kStep);
  const bool holds_b = !p.transpose_a && p.transpose_b && p.n == kStep && p.k == kStep && p.m >= kHeldRows<T> &&
                       (p.beta == 0 || adds_mirrored);
  Tile<T> tile = first_tile(p);
  if (p.transpose_b) {
    tile.b = packed_b;
    tile.b_step = kTileColumns<T>;
  }
  const int64_t d_stride = tile.d_stride;
  if (adds_mirrored) tile.d_stride = kStep;
  Product<T> one = p;
  for (int64_t i = 0; i < count; ++i, one.a += steps.a, one.b += steps.b, one.c += steps.c) {
    const T* d = p.d == nullptr ? one.c : p.d;
    if (adds_mirrored) {
      // What was stored a moment ago is not loaded again soon enough: the triangle is mirrored before it is added to.
      mirror_block_to(mirrored_d, d, d_stride, static_cast<int>(p.n));
      d = mirrored_d;
    }
    if (holds_b) {
      tile.a = one.a;
      tile.d = d;
      tile.c = one.c;
      tile.last_count = kStep;
      compute_held_tile(tile, p.m, one.b, p.b_stride);
      if (p.gamma != 0) add_to_diagonal(one, p.gamma, 0, p.m, 0, p.n);
      if (mirrors_c) mirror_panel(one, 0, p.m, 0, p.n);
      continue;
    }
    if (p.transpose_b) {
      pack_transposed_panel(p.k, p.n, one.b, p.b_stride, packed_b);
    } else {
      tile.b = one.b;
    }
    for (int t = 0; t < due; ++t) {
      tile.a = one.a + tiles[t].row * tile.a_row_step;
      tile.d = d + tiles[t].row * tile.d_stride;
      tile.c = one.c + tiles[t].row * tile.c_stride;
      tile.last_count = tiles[t].last_count;
      tiles[t].kernel(tile);
      if (p.gamma != 0) add_to_diagonal(one, p.gamma, tiles[t].row, tiles[t].rows, 0, p.n);
    }
    if (mirrors_c) mirror_panel(one, 0, p.m, 0, p.n);
  }
}

template <typename T>
[[gnu::noinline]] void multiply_blocks(const Product<T>& p, T* workspace) {
  const GemmPlan plan = plan_gemm(p);
  T* const packed_b = workspace;
  T* const copied_a = workspace + plan.b_elements;
  const bool lower_only = p.triangle == Triangle::mirrored;
  const Tile<T> first = first_tile(p);
  for (int64_t jc = 0; jc < p.n; jc += kBlockColumns<T>) {
    const int64_t columns = smaller(p.n - jc, kBlockColumns<T>);
    int64_t k = 0;
    do {  // once when k = 0: beta D + gamma I is due all the same
      const int64_t depth = smaller(p.k - k, plan.depth);
      const bool ends = k + depth >= p.k;
      if (plan.packs_b) pack_b(p, k, depth, jc, columns, packed_b);
      Tile<T> tile = first;
      tile.depth = depth;
      if (plan.packs_b) tile.b_step = kTileColumns<T>;
      if (k > 0) {
        tile.d_stride = p.c_stride;
        tile.beta = 1;
        tile.gamma = 0;
      }
      const T* const d = k > 0 ? p.c : first.d;
      for (int64_t ic = lower_only ? jc : 0; ic < p.m; ic += kBlockRows) {
        const int64_t rows = smaller(p.m - ic, kBlockRows);
        const T* a = p.a + ic * first.a_row_step + k * first.a_depth_step;
        if (plan.copies_a) {
          copy_block(p.transpose_a ? depth : rows, p.transpose_a ? rows : depth, a, p.a_stride, copied_a,
                     plan.copy_stride);
          a = copied_a;
          (p.transpose_a ? tile.a_depth_step : tile.a_row_step) = plan.copy_stride;
        }
        for (int64_t j = 0; j < columns; j += plan.panel_columns) {
          const int64_t column = jc + j;
          const int64_t panel_columns = smaller(columns - j, plan.panel_columns);
          const int64_t first_row = lower_only && column > ic ? column : ic;
          if (first_row >= ic + rows) break;
          tile.a = a + (first_row - ic) * tile.a_row_step;
          tile.b = plan.packs_b ? packed_b + j * depth : p.b + k * p.b_stride + column;
          tile.d = d + first_row * tile.d_stride + column;
          tile.c = p.c + first_row * tile.c_stride + column;
          compute_panel(p, tile, first_row, ic + rows, column, panel_columns, !plan.packs_b);
          if (lower_only && ends) mirror_panel(p, first_row, ic + rows, column, panel_columns);
        }
      }
      k += depth;
    } while (k < p.k);
  }
}

template <typename T>
void gemm(const Product<T>& p, T* workspace) {
  is_small(p) ? multiply_small(p, {}, 1) : multiply_blocks(p, workspace);
}

}  // namespace
}  // namespace kronroot::cpu
