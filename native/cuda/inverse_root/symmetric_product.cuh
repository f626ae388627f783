// Products of symmetric matrices that commute, so that the product is symmetric too: C = alpha A B + beta D + gamma I,
// in shared memory, by one team. Every warp has one square tile of the lower triangle of C in registers and mirrors it
// at the end, so C may be A, B or D. All operands are read along their rows.
//
// f64: mma.m8n8k4. f32: mma.m16n8k8 on tf32 parts, x = high + low, three products: the error is that of f32 but for the
// rounding of the matrix unit (background: Ootomo and Yokota, Int. J. High Perform. Comput. Appl. 36 (2022)).
//
// Shared memory: rows are padded to a stride of 4 modulo 16 (f64: 32 banks of 4 bytes, half a warp at a time) or 32
// (f32), where the lanes of a fragment, (lane / 4, lane % 4), meet no bank twice.
#pragma once

#include "../team.cuh"

namespace kronroot::cuda {

// A square of Side x Side elements.
template <typename W, int Side>
struct Tile;

template <int Side>
struct Tile<double, Side> {
  static constexpr int rows = Side / 8;
  double sums[rows][rows][2];

  // += rows i0.. of A times rows j0.. of B over k < depth. A tile on the diagonal needs its lower triangle only.
  template <typename A, typename B>
  __device__ __forceinline__ void accumulate(const A& a, const B& b, int i0, int j0, int depth) {
    const int g = lane_index() / 4, t = lane_index() % 4;
    const bool is_diagonal = i0 == j0;
#pragma unroll
    for (int r = 0; r < rows; ++r) {
#pragma unroll
      for (int c = 0; c < rows; ++c) sums[r][c][0] = sums[r][c][1] = 0;
    }
#pragma unroll 2
    for (int k = 0; k < depth; k += 4) {
      double left[rows], right[rows];
#pragma unroll
      for (int r = 0; r < rows; ++r) {
        left[r] = a.load(i0 + 8 * r + g, k + t);
        right[r] = b.load(j0 + 8 * r + g, k + t);
      }
#pragma unroll
      for (int r = 0; r < rows; ++r) {
#pragma unroll
        for (int c = 0; c < rows; ++c) {
          if (c > r && is_diagonal) continue;
          mma_m8n8k4_f64(sums[r][c], left[r], right[c]);
        }
      }
    }
  }

  // f(i, j, sum) for every element of this lane.
  template <typename F>
  __device__ __forceinline__ void for_each(int i0, int j0, const F& f) const {
    const int g = lane_index() / 4, t = lane_index() % 4;
#pragma unroll
    for (int r = 0; r < rows; ++r) {
#pragma unroll
      for (int c = 0; c < rows; ++c) {
#pragma unroll
        for (int s = 0; s < 2; ++s) f(i0 + 8 * r + g, j0 + 8 * c + 2 * t + s, sums[r][c][s]);
      }
    }
  }
};

__device__ __forceinline__ float float_of_bits(uint32_t bits) {
#if defined(__CUDACC__)
  return __uint_as_float(bits);
#else
  return __builtin_bit_cast(float, bits);
#endif
}

template <int Side>
struct Tile<float, Side> {
  static constexpr int rows = Side / 16, columns = Side / 8;
  float sums[rows][columns][4];

  struct Part {
    uint32_t high, low;
    __device__ __forceinline__ explicit Part(float x) : high(to_tf32(x)), low(to_tf32(x - float_of_bits(high))) {}
  };

  template <typename A, typename B>
  __device__ __forceinline__ void accumulate(const A& a, const B& b, int i0, int j0, int depth) {
    const int g = lane_index() / 4, t = lane_index() % 4;
    const bool is_diagonal = i0 == j0;
#pragma unroll
    for (int r = 0; r < rows; ++r) {
#pragma unroll
      for (int c = 0; c < columns; ++c) sums[r][c][0] = sums[r][c][1] = sums[r][c][2] = sums[r][c][3] = 0;
    }
#pragma unroll 1
    for (int k = 0; k < depth; k += 8) {
      uint32_t left[rows][4], left_low[rows][4];
#pragma unroll
      for (int r = 0; r < rows; ++r) {
#pragma unroll
        for (int q = 0; q < 4; ++q) {
          const Part part(a.load(i0 + 16 * r + g + q % 2 * 8, k + t + q / 2 * 4));
          left[r][q] = part.high;
          left_low[r][q] = part.low;
        }
      }
#pragma unroll
      for (int c = 0; c < columns; ++c) {
        const Part first(b.load(j0 + 8 * c + g, k + t)), second(b.load(j0 + 8 * c + g, k + t + 4));
        const uint32_t right[2] = {first.high, second.high}, right_low[2] = {first.low, second.low};
#pragma unroll
        for (int r = 0; r < rows; ++r) {
          if (c > 2 * r + 1 && is_diagonal) continue;
          mma_m16n8k8_tf32(sums[r][c], left_low[r], right);
          mma_m16n8k8_tf32(sums[r][c], left[r], right_low);
          mma_m16n8k8_tf32(sums[r][c], left[r], right);
        }
      }
    }
  }

  template <typename F>
  __device__ __forceinline__ void for_each(int i0, int j0, const F& f) const {
    const int g = lane_index() / 4, t = lane_index() % 4;
#pragma unroll
    for (int r = 0; r < rows; ++r) {
#pragma unroll
      for (int c = 0; c < columns; ++c) {
#pragma unroll
        for (int q = 0; q < 4; ++q) f(i0 + 16 * r + g + q / 2 * 8, j0 + 8 * c + 2 * t + q % 2, sums[r][c][q]);
      }
    }
  }
};

// Tiles of Side along a side of the matrices, of which warp number `warp` has one: (row, column), column <= row.
struct TilePlace {
  int row, column;
  __device__ static TilePlace of(int warp) {
    int row = 0;
    while ((row + 1) * (row + 2) / 2 <= warp) ++row;
    return {row, warp - row * (row + 1) / 2};
  }
};

// C = alpha A B + beta D + gamma I over i, j < side; gamma for the first n of the diagonal, what is behind them stays
// 0.
template <typename W>
struct Combination {
  W alpha = 1;
  W beta = 0;
  W gamma = 0;
};

// The team has one warp for each tile of the lower triangle; `side` is that of the matrices, a multiple of Side.
template <int Side, typename Team>
struct SymmetricProducts {
  Team team;
  int side, n;

  // Not inlined: an iteration has many products, and one of them fills the registers.
  template <typename A, typename B, typename C, typename D>
  __attribute__((noinline)) __device__ void multiply(A a, B b, C c, Combination<typename C::Element> with, D d) const {
    using W = typename C::Element;
    const TilePlace place = TilePlace::of(team.warp());
    const int i0 = place.row * Side, j0 = place.column * Side;
    Tile<W, Side> tile;
    tile.accumulate(a, b, i0, j0, side);
    team.sync();
    tile.for_each(i0, j0, [&](int i, int j, W sum) {
      if (i < j) return;
      W value = with.alpha * sum;
      if (with.beta != 0) value += with.beta * d.load(i, j);
      if (i == j && i < n) value += with.gamma;
      c.store(i, j, value);
      if (i != j) c.store(j, i, value);
    });
    team.sync();
  }
  template <typename A, typename B, typename C>
  __device__ void multiply(const A& a, const B& b, const C& c) const {
    multiply(a, b, c, Combination<typename C::Element>{}, b);
  }
};

}  // namespace kronroot::cuda
