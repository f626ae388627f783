// Several sums over a warp at once: halves of the values are exchanged for halves of the lanes, so that C sums take
// C - 1 + log2(32 / C) shuffles and not C log2(32).
#pragma once

#include "../device.cuh"

namespace kronroot::cuda {

// Which of C sums a lane gets from sum_for_lane; the lanes of equal lane / (32 / C) get the same one.
template <int C>
__device__ __forceinline__ int sum_of_lane() {
  return lane_index() / (warp_size / C);
}

// The sum of x[sum_of_lane<C>()] over the warp. C is a power of two, at most 32.
template <int C, int width = warp_size, typename T>
__device__ __forceinline__ T sum_for_lane(const T (&x)[C]) {
  if constexpr (C == 1) {
    return warp_sum(x[0], width);
  } else {
    constexpr int flip = width / 2;
    const bool is_upper = (lane_index() & flip) != 0;
    T half[C / 2];
#pragma unroll
    for (int i = 0; i < C / 2; ++i) {
      const T kept = is_upper ? x[i + C / 2] : x[i], sent = is_upper ? x[i] : x[i + C / 2];
      half[i] = kept + shuffle_xor(sent, flip);
    }
    return sum_for_lane<C / 2, flip>(half);
  }
}

// All C sums in every lane.
template <int C, typename T>
__device__ __forceinline__ void sum_all(T (&x)[C]) {
  const T own = sum_for_lane(x);
#pragma unroll
  for (int c = 0; c < C; ++c) x[c] = shuffle(own, c * (warp_size / C));
}

}  // namespace kronroot::cuda
