// Averages of f32 numbers that keep the sum of decay and weight.
#pragma once

#include <cmath>

#include "device.cuh"

namespace kronroot::cuda {

// x decay + y, as x kept + (x rest + y): of a decay close to 1 the difference is what matters, 1 - 0.999 rounded to f32
// is right to an ulp of 0.001 and 0.999 is not; and all rounding but the last is as small as the difference.
template <typename T>
struct Decay {
  T rest;
  bool is_kept;

  static Decay of(double decay) {
    const bool is_kept = decay > 0.5;
    return {static_cast<T>(is_kept ? decay - 1 : decay), is_kept};
  }
  __device__ __forceinline__ T plus(T x, T y) const {
    const T change = std::fma(rest, x, y);
    return is_kept ? x + change : change;
  }
};

}  // namespace kronroot::cuda
