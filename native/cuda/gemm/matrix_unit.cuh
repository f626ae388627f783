// The matrix unit for f32 and f64: fragments of operands from shared memory, and their product.
#pragma once

#include <bit>

#include "../device.cuh"

namespace kronroot::cuda {

// A tile of an operand in shared memory, rows of C by depth: element (row, k), with neighbours in depth next to each
// other, or neighbours in C. Lines are padded so that the 32 lanes of a fragment meet every bank once (f64: every half
// of them).
template <typename T, int Rows, int Depth, bool is_depth_contiguous>
struct OperandTile {
  static constexpr int lines = is_depth_contiguous ? Rows : Depth, length = is_depth_contiguous ? Depth : Rows;
  static constexpr int stride = length + (is_depth_contiguous || sizeof(T) == 8 ? 4 : 8);
  static constexpr int elements = lines * stride;
  static __device__ __forceinline__ int at(int row, int k) {
    return is_depth_contiguous ? row * stride + k : k * stride + row;
  }
};

template <typename T>
struct MatrixUnit;

// x = high + low, both of tf32 (11 bits), to 2^-23 |x|: high is x to nearest, x - high is exact and has 12 bits. Then
// x y = high high + high low + low high to 4 2^-23 |x y|.
// Source: Ootomo and Yokota, Int. J. High Perform. Comput. Appl. 36 (2022).
template <>
struct MatrixUnit<float> {
  static constexpr int rows = 16, cols = 8, depth = 8, sums = 4;
  // The unit truncates its sums: those of so many terms are added to a total that rounds to nearest.
  static constexpr int promoted_depth = 128;

  template <int Count>
  struct Parts {
    uint32_t high[Count], low[Count];
    __device__ __forceinline__ void set(int i, float x) {
      high[i] = to_tf32(x);
      low[i] = to_tf32(x - std::bit_cast<float>(high[i]));
    }
  };
  using A = Parts<4>;
  using B = Parts<2>;

  template <typename Tile>
  static __device__ __forceinline__ void load_a(A& a, Shared<float> tile, int row, int k) {
    const int g = lane_index() / 4, t = lane_index() % 4;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float x = tile[Tile::at(row + g + i % 2 * 8, k + t + i / 2 * 4)];
      a.set(i, x);
    }
  }
  template <typename Tile>
  static __device__ __forceinline__ void load_b(B& b, Shared<float> tile, int col, int k) {
    const int g = lane_index() / 4, t = lane_index() % 4;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float x = tile[Tile::at(col + g, k + t + i * 4)];
      b.set(i, x);
    }
  }
  // Small terms first; turns in the outer loop, so that products that follow each other have sums of their own.
  static constexpr int turns = 3;
  static __device__ __forceinline__ void multiply(int turn, float (&sum)[4], const A& a, const B& b) {
    mma_m16n8k8_tf32(sum, turn == 0 ? a.low : a.high, turn == 1 ? b.low : b.high);
  }
};

template <>
struct MatrixUnit<double> {
  static constexpr int rows = 8, cols = 8, depth = 4, sums = 2;
  static constexpr int promoted_depth = 0;  // rounds to nearest by itself
  using A = double;
  using B = double;

  template <typename Tile>
  static __device__ __forceinline__ void load_a(A& a, Shared<double> tile, int row, int k) {
    a = tile[Tile::at(row + lane_index() / 4, k + lane_index() % 4)];
  }
  template <typename Tile>
  static __device__ __forceinline__ void load_b(B& b, Shared<double> tile, int col, int k) {
    b = tile[Tile::at(col + lane_index() / 4, k + lane_index() % 4)];
  }
  static constexpr int turns = 1;
  static __device__ __forceinline__ void multiply(int, double (&sum)[2], const A& a, const B& b) {
    mma_m8n8k4_f64(sum, a, b);
  }
};

}  // namespace kronroot::cuda
