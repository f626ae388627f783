// The device language: all that kernels may use of the hardware, under one set of names. With nvcc they are the
// instructions themselves (hardware.cuh), with g++ test/simt emulates and checks them.
//
// Rules that both obey:
//   - memory of the device is reached through Global<T>, shared memory through Shared<T>; shared memory is dynamic,
//   handed
//     out by SharedArena in the same function that the host calls to learn how much a launch needs;
//   - `const T x = s[i]`, never `auto x = s[i]`;
//   - a warp function is called by all lanes of its mask at one place; sync_block() by all threads of the block;
//   - no thread returns before the last barrier of its kernel.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <type_traits>

#if defined(__CUDACC__)
#include "hardware.cuh"
#else
#include <simt/device.hpp>
#endif

namespace kronroot::cuda {

// Sum of `value` over the warp, the same bits in every lane.
template <typename T>
__device__ __forceinline__ T warp_sum(T value, int width = warp_size) {
  for (int flip = width / 2; flip > 0; flip /= 2) value += shuffle_xor(value, flip, width);
  return value;
}
template <typename T>
__device__ __forceinline__ T warp_max(T value, int width = warp_size) {
  for (int flip = width / 2; flip > 0; flip /= 2) {
    const T other = shuffle_xor(value, flip, width);
    value = other > value ? other : value;
  }
  return value;
}

// Sum over the block, the same bits in every thread. `partial` holds a number for each warp; it may be used again after
// the next sync_block().
template <typename T>
__device__ __forceinline__ T block_sum(T value, Shared<T> partial) {
  value = warp_sum(value);
  if (lane_index() == 0) partial[warp_index()] = value;
  sync_block();
  T sum = 0;
  for (int w = 0; w < warp_count(); ++w) sum += partial[w];
  sync_block();
  return sum;
}
template <typename T>
__device__ __forceinline__ T block_max(T value, Shared<T> partial) {
  value = warp_max(value);
  if (lane_index() == 0) partial[warp_index()] = value;
  sync_block();
  T largest = partial[0];
  for (int w = 1; w < warp_count(); ++w) {
    const T other = partial[w];
    largest = other > largest ? other : largest;
  }
  sync_block();
  return largest;
}

}  // namespace kronroot::cuda
