// The micro-kernel: one tile of C held in registers while the whole depth of a K block passes by.
#pragma once

#include "../isa/vector.inl"

namespace kronroot::cpu {
namespace {

// Vectors of accumulators in a row of a tile.
constexpr int kTileVectors = 2;

// Accumulators of a wider tile, of up to kWideVectors: what a row of B and an element of A leave of 32 registers.
constexpr int kWideAccumulators = 24;

// Columns of a full tile, and of a packed panel of B.
template <typename T>
constexpr int kTileColumns = kTileVectors* kWidth<T>;

// C[i][j] = alpha sum_k A[i][k] B[k][j] + beta D[i][j] for one tile.
template <typename T>
struct Tile {
  int64_t depth;
  // A[i][k] is a[i * a_row_step + k * a_depth_step]: rows and columns of A are read in place alike.
  const T* a;
  int64_t a_row_step, a_depth_step;
  const T* b;
  int64_t b_step;  // from one k to the next
  const T* d;
  int64_t d_stride;
  T* c;
  int64_t c_stride;
  T alpha;
  T beta;          // 0: D is not read
  T gamma;         // added by the caller where the tile crosses the diagonal of C
  int last_count;  // columns in the last vector of a row, 1 .. width
};

// C = alpha sums + beta D. Whole: the last vector of a row is not ragged. What the compiler thinks the stores might
// overwrite is read before the first of them.
template <bool Whole, bool ReadsD, typename T, int Rows, int Vectors>
[[gnu::always_inline]] inline void store_tile(const Tile<T>& tile, const Vec<T> (&sums)[Rows][Vectors]) {
  constexpr int kStep = kWidth<T>;
  const Vec<T> alpha = broadcast(tile.alpha), beta = broadcast(tile.beta);
  const int64_t d_stride = tile.d_stride, c_stride = tile.c_stride;
  const int last_count = tile.last_count;
  const T* d = tile.d;
  T* c = tile.c;
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r, c += c_stride, d += d_stride) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      const bool ragged = !Whole && v == Vectors - 1;
      const int64_t j = v * kStep;
      Vec<T> result = alpha * sums[r][v];
      if constexpr (ReadsD) {
        result = fma(alpha, sums[r][v], beta * (ragged ? load_first(d + j, last_count) : load(d + j)));
      }
      if (ragged) {
        store_first(c + j, result, last_count);
      } else {
        store(c + j, result);
      }
    }
  }
}

// C is fetched while the sums are formed, where they take long enough and the matrices are too large for the L1 cache.
constexpr int64_t kPrefetchDepth = 64;

template <int Rows, int Vectors, typename T>
[[gnu::always_inline]] inline void prefetch_tile(const Tile<T>& tile) {
  constexpr int kForWriting = 1;
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) __builtin_prefetch(tile.c + r * tile.c_stride + v * kWidth<T>, kForWriting);
  }
}

// Every element of C is the same chain of depth fma, whatever tile it lies in: results do not depend on the tiling.
// RaggedB: B is read in place and must not be touched beyond last_count.
template <typename T, int Rows, int Vectors, bool RaggedB>
void compute_tile(const Tile<T>& tile) {
  constexpr int kStep = kWidth<T>;
  Vec<T> sums[Rows][Vectors] = {};
  const int64_t a_row_step = tile.a_row_step, a_depth_step = tile.a_depth_step, b_step = tile.b_step;
  const int last_count = tile.last_count;
  // One pointer for four rows: with one for all, every row's offset takes a register, and there are not so many.
  constexpr int kRowsAPointer = 4;
  const T* a[(Rows + kRowsAPointer - 1) / kRowsAPointer];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; r += kRowsAPointer) a[r / kRowsAPointer] = tile.a + r * a_row_step;
  const T* b = tile.b;
  if (tile.depth >= kPrefetchDepth) prefetch_tile<Rows, Vectors>(tile);
  for (int64_t k = tile.depth; k > 0; --k, b += b_step) {
    Vec<T> row_of_b[Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      const bool ragged = RaggedB && v == Vectors - 1;
      row_of_b[v] = ragged ? load_first(b + v * kStep, last_count) : load(b + v * kStep);
    }
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const Vec<T> element_of_a = broadcast(a[r / kRowsAPointer][r % kRowsAPointer * a_row_step]);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sums[r][v] = fma(element_of_a, row_of_b[v], sums[r][v]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < Rows; r += kRowsAPointer) a[r / kRowsAPointer] += a_depth_step;
  }
  if (last_count == kStep) {
    tile.beta == 0 ? store_tile<true, false>(tile, sums) : store_tile<true, true>(tile, sums);
  } else {
    tile.beta == 0 ? store_tile<false, false>(tile, sums) : store_tile<false, true>(tile, sums);
  }
}

template <typename T>
using TileKernel = void (*)(const Tile<T>&);

// Rows of a full tile: as many accumulators, whether a row takes one vector or two; more in a wide one.
template <int Vectors>
constexpr int kMostRows = (Vectors <= kTileVectors ? kTileRows * kTileVectors : kWideAccumulators) / Vectors;

template <typename T, int Vectors, int... Rows>
inline TileKernel<T> tile_kernel_of(int rows, bool ragged_b, std::integer_sequence<int, Rows...>) {
  static constexpr TileKernel<T> kKernels[2][sizeof...(Rows)] = {{compute_tile<T, Rows + 1, Vectors, false>...},
                                                                 {compute_tile<T, Rows + 1, Vectors, true>...}};
  return kKernels[ragged_b][rows - 1];
}

// The kernel for 1 <= rows <= kMostRows<vectors>.
template <typename T, int Vectors>
inline TileKernel<T> tile_kernel(int rows, bool ragged_b) {
  return tile_kernel_of<T, Vectors>(rows, ragged_b, std::make_integer_sequence<int, kMostRows<Vectors>>{});
}

}  // namespace
}  // namespace kronroot::cpu
