// Small matrices in the registers of N lanes, N = 8, 16 or 32: a warp works on 32 / N matrices at a time. Lanes and
// registers beyond the sides of a matrix hold zeros or the identity, so that loops have lengths that the compiler knows
// and registers no index at run time.
#pragma once

#include "device.cuh"

namespace kronroot::cuda {

inline constexpr int64_t most_in_parts = 32;

// Threads of a block of parts, and matrices that it takes.
inline constexpr int part_threads = 128;
template <int N>
inline constexpr int parts_of_block = part_threads / N;

template <int N>
__device__ __forceinline__ double part_sum(double value) {
  return warp_sum(value, N);
}
template <int N, typename T>
__device__ __forceinline__ T part_max(T value) {
  return warp_max(value, N);
}
template <int N>
__device__ __forceinline__ bool all_of_part(bool predicate) {
  return warp_max(predicate ? 0 : 1, N) == 0;
}

// Where a part stands. Parts beyond the batch do the work of the last matrix again and write nothing.
template <int N>
struct PartPlace {
  int64_t b;
  bool is_present;
  int lane, part;

  __device__ __forceinline__ static PartPlace of(int64_t batch) {
    const int part = thread_index() / N;
    const int64_t b = block_index() * parts_of_block<N> + part;
    return {b < batch ? b : batch - 1, b < batch, thread_index() % N, part};
  }
};

// Calls launch_part.operator()<N>() with the smallest N that holds matrices with sides up to n <= most_in_parts.
template <typename F>
void choose_part(int64_t n, const F& launch_part) {
  if (n <= 8) return launch_part.template operator()<8>();
  if (n <= 16) return launch_part.template operator()<16>();
  launch_part.template operator()<32>();
}

}  // namespace kronroot::cuda
