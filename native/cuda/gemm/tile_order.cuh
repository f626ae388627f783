// Which tile of C a block computes.
#pragma once

#include <cmath>

#include "../device.cuh"

namespace kronroot::cuda {

struct TilePlace {
  int64_t row, col;
};

// Tiles on and below the diagonal, row after row: t = row (row + 1) / 2 + col.
__device__ __forceinline__ TilePlace triangle_tile(int64_t t) {
  int64_t row = static_cast<int64_t>((sqrt(8 * static_cast<double>(t) + 1) - 1) / 2);
  if (row * (row + 1) / 2 > t) --row;
  if ((row + 1) * (row + 2) / 2 <= t) ++row;
  return {row, t - row * (row + 1) / 2};
}

// All of rows x cols tiles, in bands of a few rows, column after column: blocks that run at the same time share rows
// of A and columns of B in the L2 cache.
__device__ __forceinline__ TilePlace banded_tile(int64_t t, int64_t rows, int64_t cols) {
  constexpr int64_t band = 8;
  const int64_t first = t / (band * cols) * band;
  const int64_t height = rows - first < band ? rows - first : band;
  const int64_t within = t - first * cols;
  return {first + within % height, within / height};
}

__host__ __device__ constexpr int64_t tiles_of_triangle(int64_t rows) { return rows * (rows + 1) / 2; }

}  // namespace kronroot::cuda
