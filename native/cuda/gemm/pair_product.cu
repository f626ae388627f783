// One block a tile of C. Both operands are read along their rows: no fragment is transposed.
//
// Shared memory: stages of depth 32 of the planes of A and B, rows of 64 bytes whose four pieces of 16 bytes are
// permuted by the row so that ldmatrix meets no bank twice. Three stages, filled by cp.async.
// Registers: a warp has 64 x 32 (32 x 32) of C twice: sums of 128 terms, which the matrix unit truncates, and the
// total, which is rounded to nearest. So the error does not grow with k by truncation.
#include "pair_product.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "../launch.hpp"
#include "tile_order.cuh"

namespace kronroot::cuda {
namespace {

// Tiles of Order x Order by warps of Rows x Cols.
template <int Order, int Rows, int Cols>
struct PairTile {
  static constexpr int order = Order, rows = Rows, cols = Cols;
  static constexpr int depth = 32, stages = 3, promoted_depth = 128;
  static constexpr int warps_down = Order / Rows, warps_across = Order / Cols;
  static constexpr int threads = 32 * warps_down * warps_across;
  static constexpr int pieces = depth / 8;  // of 16 bytes in a row
};
using LargePairTile = PairTile<128, 64, 32>;
using SmallPairTile = PairTile<64, 32, 32>;

// Index of a piece in a plane's stage.
__device__ __forceinline__ int place_of(int row, int piece) { return row * 32 + (piece ^ (row >> 1 & 3)) * 8; }

template <typename Tile>
struct PairStages {
  static constexpr int elements = Tile::order * Tile::depth;  // of a plane
  Shared<Half> planes;                                        // stage after stage: A high, A low, B high, B low

  __host__ __device__ explicit PairStages(SharedArena& arena) : planes(arena.take<Half>(Tile::stages * 4 * elements)) {}
  __device__ __forceinline__ Shared<Half> plane(int stage, int which) const {
    return planes + (stage * 4 + which) * elements;
  }
};

// A stage's worth of Tile::order rows from `first` on, at depth k0.
template <typename Tile>
__device__ __forceinline__ void load_plane(Shared<Half> to, Global<const Half> from, const PairBatch& shape,
                                           int64_t first, int64_t k0) {
#pragma unroll
  for (int i = 0; i < Tile::order * Tile::pieces / Tile::threads; ++i) {
    const int at = thread_index() + i * Tile::threads;
    const int row = at / Tile::pieces, piece = at % Tile::pieces;
    const bool is_present = first + row < shape.rows && k0 + 8 * piece < shape.stride;
    copy_async<16>(to, place_of(row, piece), from, (first + row) * shape.stride + k0 + 8 * piece, is_present);
  }
}

template <typename Tile, bool is_full>
struct PairAccumulator {
  static constexpr int down = Tile::rows / 16, across = Tile::cols / 8;
  float sums[down][across][4];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < down; ++i) {
#pragma unroll
      for (int j = 0; j < across; ++j) {
#pragma unroll
        for (int r = 0; r < 4; ++r) sums[i][j][r] = 0;
      }
    }
  }
  // Adds `other` and clears it.
  __device__ __forceinline__ void take(PairAccumulator& other) {
#pragma unroll
    for (int i = 0; i < down; ++i) {
#pragma unroll
      for (int j = 0; j < across; ++j) {
#pragma unroll
        for (int r = 0; r < 4; ++r) {
          sums[i][j][r] += other.sums[i][j][r];
          other.sums[i][j][r] = 0;
        }
      }
    }
  }

  // 16 rows of A, as the matrix unit takes them, for each of `down`.
  __device__ __forceinline__ void load_a(uint32_t (&a)[down][4], Shared<Half> plane, int row, int k) const {
    const int lane = lane_index();
#pragma unroll
    for (int i = 0; i < down; ++i) {
      load_matrices(a[i], plane, place_of(row + 16 * i + lane % 16, k / 8 + lane / 16));
    }
  }
  // 8 columns of B, rows of its transpose, for each of `across`.
  __device__ __forceinline__ void load_b(uint32_t (&b)[across][2], Shared<Half> plane, int col, int k) const {
    const int lane = lane_index();
#pragma unroll
    for (int j = 0; j < across; j += 2) {
      uint32_t both[4];
      load_matrices(both, plane, place_of(col + 8 * j + lane / 16 * 8 + lane % 8, k / 8 + lane / 8 % 2));
      b[j][0] = both[0], b[j][1] = both[1];
      b[j + 1][0] = both[2], b[j + 1][1] = both[3];
    }
  }
  __device__ __forceinline__ void multiply(const uint32_t (&a)[down][4], const uint32_t (&b)[across][2]) {
#pragma unroll
    for (int j = 0; j < across; ++j) {
#pragma unroll
      for (int i = 0; i < down; ++i) mma_m16n8k16<Half>(sums[i][j], a[i], b[j]);
    }
  }

  // Small terms first.
  __device__ __forceinline__ void add_stage(const PairStages<Tile>& stages, int stage, int row, int col) {
#pragma unroll
    for (int k = 0; k < Tile::depth; k += 16) {
      uint32_t a_high[down][4], b_high[across][2];
      load_a(a_high, stages.plane(stage, 0), row, k);
      load_b(b_high, stages.plane(stage, 2), col, k);
      if constexpr (is_full) {
        uint32_t a_low[down][4], b_low[across][2];
        load_a(a_low, stages.plane(stage, 1), row, k);
        multiply(a_low, b_high);
        load_b(b_low, stages.plane(stage, 3), col, k);
        multiply(a_high, b_low);
      }
      multiply(a_high, b_high);
    }
  }
};

struct Coefficients {
  float alpha, beta, gamma;
};

__device__ __forceinline__ float power_of_two(int exponent) { return ldexpf(1, exponent); }

__device__ __forceinline__ void store_planes(const PairBatch& to, int64_t at, float scaled) {
  const Half high = to_half(scaled);
  to.high[at] = high;
  if (to.low) to.low[at] = to_half(scaled - to_float(high));
}

// Takes the sums of one matrix to C.
struct PairOutput {
  const PairProduct& product;
  Coefficients coefficients;
  int64_t matrix;
  float c_scale, d_scale;
  uint32_t distance = 0;  // bits of the largest |C - I| so far

  __device__ __forceinline__ PairOutput(const PairProduct& p, int64_t index)
      : product(p),
        coefficients{static_cast<float>(p.alpha), static_cast<float>(p.beta), static_cast<float>(p.gamma)},
        matrix(index),
        c_scale(power_of_two(p.c.exponent)),
        d_scale(power_of_two(-p.d.exponent)) {
    if (p.coefficients != nullptr) {
      const Global<const float> given = Global<const float>(p.coefficients) + 3 * matrix;
      coefficients = {given[0], given[1], given[2]};
    }
    coefficients.alpha *= power_of_two(-p.a.exponent - p.b.exponent);
  }
  __device__ __forceinline__ float d(int64_t i, int64_t j) const {
    if (!product.d) return product.d_matrix[matrix](i, j);
    const int64_t at = matrix * product.d.matrix_stride() + i * product.d.stride + j;
    return d_scale * (to_float(product.d.high[at]) + (product.d.low ? to_float(product.d.low[at]) : 0));
  }
  __device__ __forceinline__ void store(const PairBatch& to, float scaled, int64_t i, int64_t j) const {
    store_planes(to, matrix * to.matrix_stride() + i * to.stride + j, scaled);
  }
  __device__ __forceinline__ void store(float x, int64_t i, int64_t j) const {
    if (product.c) store(product.c, c_scale * x, i, j);
    if (product.c_matrix.data) product.c_matrix[matrix](i, j) = x;
  }
  // Elements (i, j) and (i, j + 1), j even: in the planes both at once.
  __device__ __forceinline__ void store_pair(float x, float y, int64_t i, int64_t j) const {
    if (product.c) {
      const int64_t at = matrix * product.c.matrix_stride() + i * product.c.stride + j;
      const Half high_x = to_half(c_scale * x), high_y = to_half(c_scale * y);
      store_vector<2>(product.c.high, at, Vector<Half, 2>{{high_x, high_y}});
      if (product.c.low) {
        store_vector<2>(
            product.c.low, at,
            Vector<Half, 2>{{to_half(c_scale * x - to_float(high_x)), to_half(c_scale * y - to_float(high_y))}});
      }
    }
    if (product.c_transposed) {
      const float scale = power_of_two(product.c_transposed.exponent);
      store(product.c_transposed, scale * x, j, i);
      store(product.c_transposed, scale * y, j + 1, i);
    }
    if (product.c_matrix.data) {
      product.c_matrix[matrix](i, j) = x;
      product.c_matrix[matrix](i, j + 1) = y;
    }
  }
  __device__ __forceinline__ float value(float sum, int64_t i, int64_t j) {
    float x = std::fma(coefficients.alpha, sum, coefficients.beta != 0 ? coefficients.beta * d(i, j) : 0);
    if (i == j) x += coefficients.gamma;
    const auto away = std::bit_cast<uint32_t>(std::abs(i == j ? x - 1 : x));
    distance = away > distance ? away : distance;
    return x;
  }
  // Of the sums at (i, j) and (i, j + 1), j even, what is below the diagonal where C is symmetric.
  __device__ __forceinline__ void put_pair(float first, float second, int64_t i, int64_t j) {
    const int64_t end = product.symmetric ? i + 1 : product.b.rows;
    if (i >= product.a.rows || j >= end) return;
    const float x = value(first, i, j);
    if (j + 1 < end) {
      const float y = value(second, i, j + 1);
      store_pair(x, y, i, j);
      if (product.symmetric && i != j + 1) store(y, j + 1, i);
    } else {
      store(x, i, j);
      if (product.c_transposed) store(product.c_transposed, power_of_two(product.c_transposed.exponent) * x, j, i);
    }
    if (product.symmetric && i != j) store(x, j, i);
  }
};

template <typename Tile, bool is_full>
__global__ void __launch_bounds__(Tile::threads) multiply_pair_tiles(PairProduct p, int64_t tiles) {
  SharedArena arena;
  const PairStages<Tile> stages(arena);
  const int64_t matrix = block_index() / tiles, tile = block_index() % tiles;
  if (p.skip != nullptr && Global<const int32_t>(p.skip)[matrix] != 0) return;
  const int64_t rows = (p.a.rows + Tile::order - 1) / Tile::order, cols = (p.b.rows + Tile::order - 1) / Tile::order;
  const TilePlace place = p.symmetric ? triangle_tile(tile) : banded_tile(tile, rows, cols);
  const int64_t first_row = place.row * Tile::order, first_col = place.col * Tile::order;
  const int warp_row = warp_index() / Tile::warps_across * Tile::rows;
  const int warp_col = warp_index() % Tile::warps_across * Tile::cols;
  const Global<const Half> a_high = p.a.high + matrix * p.a.matrix_stride();
  const Global<const Half> a_low = p.a.low + matrix * p.a.matrix_stride();
  const Global<const Half> b_high = p.b.high + matrix * p.b.matrix_stride();
  const Global<const Half> b_low = p.b.low + matrix * p.b.matrix_stride();

  const auto load_stage = [&](int stage, int64_t k0) {
    load_plane<Tile>(stages.plane(stage, 0), a_high, p.a, first_row, k0);
    load_plane<Tile>(stages.plane(stage, 2), b_high, p.b, first_col, k0);
    if constexpr (is_full) {
      load_plane<Tile>(stages.plane(stage, 1), a_low, p.a, first_row, k0);
      load_plane<Tile>(stages.plane(stage, 3), b_low, p.b, first_col, k0);
    }
  };
  const int steps = static_cast<int>((p.a.cols + Tile::depth - 1) / Tile::depth);
  for (int step = 0; step < Tile::stages - 1; ++step) {
    if (step < steps) load_stage(step, int64_t{step} * Tile::depth);
    commit_copies();
  }
  PairAccumulator<Tile, is_full> total, sum;
  total.clear();
  sum.clear();
  int stage = 0, next = Tile::stages - 1;
  for (int step = 0; step < steps; ++step) {
    wait_for_copies<Tile::stages - 2>();
    sync_block();
    if (step + Tile::stages - 1 < steps) load_stage(next, int64_t{step + Tile::stages - 1} * Tile::depth);
    commit_copies();
    sum.add_stage(stages, stage, warp_row, warp_col);
    if ((step + 1) % (Tile::promoted_depth / Tile::depth) == 0) total.take(sum);
    stage = stage + 1 == Tile::stages ? 0 : stage + 1;
    next = next + 1 == Tile::stages ? 0 : next + 1;
  }
  total.take(sum);

  PairOutput output(p, matrix);
  const int lane = lane_index();
#pragma unroll
  for (int i = 0; i < total.down; ++i) {
#pragma unroll
    for (int j = 0; j < total.across; ++j) {
#pragma unroll
      for (int r = 0; r < 4; r += 2) {
        output.put_pair(total.sums[i][j][r], total.sums[i][j][r + 1],
                        first_row + warp_row + 16 * i + lane / 4 + r / 2 * 8,
                        first_col + warp_col + 8 * j + lane % 4 * 2);
      }
    }
  }
  if (p.distance == nullptr) return;
  const uint32_t distance = warp_max(output.distance);
  if (lane == 0) atomic_max(Global<uint32_t>(p.distance), matrix, distance);
}

// One warp a row.
__global__ void split_rows(BatchView<const float> from, PairBatch to, const float* factor, const int32_t* skip,
                           PairBatch transposed) {
  const int64_t row = block_index() * warp_count() + warp_index(), b = row / to.rows, i = row % to.rows;
  if (b >= to.batch || (skip != nullptr && Global<const int32_t>(skip)[b] != 0)) return;
  const MatrixView<const float> matrix = from[b];
  const float scale = power_of_two(to.exponent);
  const float own = factor == nullptr ? 1 : Global<const float>(factor)[b];
  for (int64_t j = lane_index(); j < to.stride; j += warp_size) {
    // The factor first: what it leaves is in range, times the scale.
    const float x = j < to.cols ? own * matrix(i, j) : 0;
    store_planes(to, row * to.stride + j, x * scale);
    if (!transposed || j >= to.cols) continue;
    store_planes(transposed, b * transposed.matrix_stride() + j * transposed.stride + i,
                 x * power_of_two(transposed.exponent));
  }
}

__global__ void clear_margin(PairBatch pairs) {
  const int64_t margin = pairs.stride - pairs.cols, count = pairs.batch * pairs.rows * margin;
  const int64_t e = block_index() * block_threads() + thread_index();
  if (e >= count) return;
  store_planes(pairs, e / margin * pairs.stride + pairs.cols + e % margin, 0);
}

template <typename Tile, bool is_full>
void launch_tiles(Op& op, const PairProduct& product) {
  const int64_t rows = (product.a.rows + Tile::order - 1) / Tile::order;
  const int64_t cols = (product.b.rows + Tile::order - 1) / Tile::order;
  const int64_t tiles = product.symmetric ? tiles_of_triangle(rows) : rows * cols;
  SharedArena arena;
  const PairStages<Tile> stages(arena);
  launch<multiply_pair_tiles<Tile, is_full>>(
      op, {.blocks = {product.a.batch * tiles}, .threads = Tile::threads, .shared_bytes = arena.bytes()}, product,
      tiles);
}

}  // namespace

int plane_exponent(double largest) { return 15 - static_cast<int>(std::ceil(std::log2(largest))); }

PairBatch pair_scratch(Op& op, int64_t batch, int64_t rows, int64_t cols, double largest, PairPrecision precision) {
  PairBatch pairs;
  pairs.batch = batch;
  pairs.rows = rows;
  pairs.cols = cols;
  pairs.stride = (cols + 7) / 8 * 8;
  pairs.exponent = plane_exponent(largest);
  const int64_t elements = batch * pairs.matrix_stride();
  pairs.high = Global<Half>(op.scratch<Half>(elements));
  if (precision == PairPrecision::full) pairs.low = Global<Half>(op.scratch<Half>(elements));
  constexpr int threads = 256;
  const int64_t margin = batch * rows * (pairs.stride - cols);
  launch<clear_margin>(op, {.blocks = {(margin + threads - 1) / threads}, .threads = threads}, pairs);
  return pairs;
}

void split(Op& op, const BatchView<const float>& from, const PairBatch& to, const float* factor, const int32_t* skip,
           const PairBatch& transposed) {
  constexpr int warps = 4;
  const int64_t rows = to.batch * to.rows;
  launch<split_rows>(op, {.blocks = {(rows + warps - 1) / warps}, .threads = warps * warp_size}, from, to, factor, skip,
                     transposed);
}

// Large tiles from so many rows on, where there are so many of them for a multiprocessor; both have the same bits.
constexpr int64_t smallest_in_large_tiles = 192;
constexpr double large_tiles_per_multiprocessor = 1;

void multiply_pairs(Op& op, const PairProduct& product) {
  const double rows = std::ceil(static_cast<double>(product.a.rows) / LargePairTile::order);
  const double cols = std::ceil(static_cast<double>(product.b.rows) / LargePairTile::order);
  const double tiles = static_cast<double>(product.a.batch) * (product.symmetric ? rows * (rows + 1) / 2 : rows * cols);
  const bool is_large = std::min(product.a.rows, product.b.rows) >= smallest_in_large_tiles &&
                        tiles >= large_tiles_per_multiprocessor * op.device().multiprocessors;
  if (product.precision == PairPrecision::full) {
    is_large ? launch_tiles<LargePairTile, true>(op, product) : launch_tiles<SmallPairTile, true>(op, product);
  } else {
    is_large ? launch_tiles<LargePairTile, false>(op, product) : launch_tiles<SmallPairTile, false>(op, product);
  }
}

}  // namespace kronroot::cuda
