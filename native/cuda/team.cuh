// The threads that share a matrix: N lanes of a warp, which are in step with those of its other matrices, a whole warp,
// or the block. Algorithms are written for any of them.
#pragma once

#include "device.cuh"

namespace kronroot::cuda {

template <int N>
struct LaneTeam {
  __device__ int rank() const { return lane_index() % N; }
  __device__ int size() const { return N; }
  // Of the warps of the team.
  __device__ int warp() const { return 0; }
  __device__ int warps() const { return 1; }
  __device__ void sync() const { sync_warp(); }
  __device__ double sum(double value) const { return warp_sum(value, N); }
  __device__ double max(double value) const { return warp_max(value, N); }
  // Whether it holds for one of the teams in step; the same for all threads of a team.
  __device__ bool for_any(bool holds) const { return N == warp_size ? holds : any_of_warp(holds); }
};
using WarpTeam = LaneTeam<warp_size>;

struct BlockTeam {
  Shared<double> partial;  // a number for each warp

  __device__ int rank() const { return thread_index(); }
  __device__ int size() const { return block_threads(); }
  __device__ int warp() const { return warp_index(); }
  __device__ int warps() const { return warp_count(); }
  __device__ void sync() const { sync_block(); }
  __device__ double sum(double value) const { return block_sum(value, partial); }
  __device__ double max(double value) const { return block_max(value, partial); }
  __device__ bool for_any(bool holds) const { return holds; }
};

// A square matrix in shared memory or in memory of the device, for algorithms that do not care which.
template <typename W>
struct SharedSquare {
  using Element = W;
  Shared<W> data;
  int stride;
  __device__ __forceinline__ W load(int i, int j) const { return data[i * stride + j]; }
  __device__ __forceinline__ void store(int i, int j, W value) const { data[i * stride + j] = value; }
};
template <typename W>
struct GlobalSquare {
  using Element = std::remove_const_t<W>;
  Global<W> data;
  int64_t stride;
  __device__ __forceinline__ Element load(int i, int j) const { return data[i * stride + j]; }
  __device__ __forceinline__ void store(int i, int j, Element value) const { data[i * stride + j] = value; }
};

}  // namespace kronroot::cuda
