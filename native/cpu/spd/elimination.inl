// Triangular elimination of one matrix, without products in between: a tile of rows is held in registers while the
// rows above it pass by, as in gemm/tile.inl, and is then solved where it is. Operands are read in place.
#pragma once

#include "../gemm/tile.inl"
#include "../kernels.hpp"
#include "chain.hpp"

namespace kronroot::cpu {
namespace {
namespace spd {

// A strip of x, `last_count` <= width columns in its last vector.
template <typename T>
struct Strip {
  const Elimination<T>& system;
  T* x;
  int last_count;
};

// Rows [i, i + Rows) of the strip: x_i <- x_i - sum_{k<i} c_ik x_k, then, where Solve, with all k < i and divided.
template <typename T, int Rows, int Vectors, bool Solve>
void eliminate_tile(const Strip<T>& strip, int64_t i) {
  constexpr int kStep = kWidth<T>;
  const Elimination<T>& system = strip.system;
  const int64_t row_step = system.row_step, depth_step = system.depth_step, stride = system.stride;
  const bool whole = strip.last_count == kStep;
  const auto read = [&](const T* row, int v) {
    return v < Vectors - 1 || whole ? load(row + v * kStep) : load_first(row + v * kStep, strip.last_count);
  };
  const auto write = [&](T* row, int v, Vec<T> value) {
    v < Vectors - 1 || whole ? store(row + v * kStep, value) : store_first(row + v * kStep, value, strip.last_count);
  };
  Vec<T> sums[Rows][Vectors] = {};
  const T* coefficients = system.coefficients + i * row_step;
  const T* above = strip.x;
  T* const x = strip.x + i * stride;
  for (int64_t k = 0; k < i; ++k, coefficients += depth_step, above += stride) {
    if (k > 0 && k % cpu::spd::kLongestChain == 0) {
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < Vectors; ++v) {
          write(x + r * stride, v, read(x + r * stride, v) - sums[r][v]);
          sums[r][v] = Vec<T>{};
        }
      }
    }
    Vec<T> row[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) row[v] = read(above, v);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const Vec<T> coefficient = broadcast(coefficients[r * row_step]);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sums[r][v] = fma(coefficient, row[v], sums[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      if (Solve) {
#pragma GCC unroll 16
        for (int k = 0; k < r; ++k) {
          const Vec<T> coefficient = broadcast(coefficients[r * row_step + k * depth_step]);
          sums[r][v] = fma(coefficient, sums[k][v], sums[r][v]);
        }
      }
      sums[r][v] = read(x + r * stride, v) - sums[r][v];
      if (Solve) sums[r][v] *= broadcast(system.reciprocals[i + r]);
      write(x + r * stride, v, sums[r][v]);
    }
  }
}

template <typename T>
using EliminateTile = void (*)(const Strip<T>&, int64_t);

template <typename T, bool Solve, int... Rows>
inline EliminateTile<T> eliminate_tile_of(int64_t rows, int vectors, std::integer_sequence<int, Rows...>) {
  static constexpr EliminateTile<T> kKernels[kTileVectors][sizeof...(Rows)] = {
      {eliminate_tile<T, Rows + 1, 1, Solve>...}, {eliminate_tile<T, Rows + 1, 2, Solve>...}};
  return kKernels[vectors - 1][rows - 1];
}

// Rows [i, i + rows), rows <= kTileRows, of columns [0, columns).
template <typename T, bool Solve>
void eliminate_rows(const Elimination<T>& system, int64_t i, int64_t rows, int64_t columns, T* x) {
  for (int64_t j = 0; j < columns; j += kTileColumns<T>) {
    const int64_t count = columns - j < kTileColumns<T> ? columns - j : kTileColumns<T>;
    const int vectors = count > kWidth<T> ? 2 : 1;
    const int last_count = static_cast<int>(count - (vectors - 1) * kWidth<T>);
    eliminate_tile_of<T, Solve>(rows, vectors, std::make_integer_sequence<int, kTileRows>{})(
        {system, x + j, last_count}, i);
  }
}

template <typename T>
void eliminate(const Elimination<T>& system, int64_t count, int64_t columns) {
  // Strip by strip: a strip stays in the L1 cache from its first row to its last.
  for (int64_t j = 0; j < columns; j += kTileColumns<T>) {
    const int64_t width = columns - j < kTileColumns<T> ? columns - j : kTileColumns<T>;
    for (int64_t i = 0; i < count; i += kTileRows) {
      eliminate_rows<T, true>(system, i, count - i < kTileRows ? count - i : kTileRows, width, system.x + j);
    }
  }
}

inline float root_of(float x) { return __builtin_sqrtf(x); }
inline double root_of(double x) { return __builtin_sqrt(x); }

// U of a block of n <= kTileRows rows from the upper triangle of A in it.
template <typename T>
int64_t factorize_block(int64_t n, T* u, int64_t stride, T* reciprocals) {
  for (int64_t i = 0; i < n; ++i) {
    T* const row = u + i * stride;
    if (!(row[i] > 0)) return i;
    row[i] = root_of(row[i]);
    reciprocals[i] = 1 / row[i];
    for (int64_t j = i + 1; j < n; ++j) row[j] *= reciprocals[i];
    for (int64_t k = i + 1; k < n; ++k) {
      for (int64_t j = k; j < n; ++j) u[k * stride + j] -= row[k] * row[j];
    }
  }
  return -1;
}

template <typename T>
int64_t factorize_rows(int64_t first, int64_t last, T* u, int64_t stride, T* reciprocals) {
  const Elimination<T> system = {u, 1, stride, reciprocals, u, stride};
  for (int64_t i = first; i < last; i += kTileRows) {
    const int64_t rows = last - i < kTileRows ? last - i : kTileRows;
    eliminate_rows<T, false>(system, i, rows, rows, u + i);
    const int64_t failed = factorize_block(rows, u + i * (stride + 1), stride, reciprocals + i);
    if (failed >= 0) return i + failed;
    eliminate_rows<T, true>(system, i, rows, last - i - rows, u + i + rows);
  }
  return -1;
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
