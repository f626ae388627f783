// Scaling by powers of two that need not be numbers of the element type themselves.
#pragma once

#include <cmath>
#include <limits>

#include "../../core/matrix.hpp"
#include "../device.cuh"

namespace kronroot::cuda {

// x 2^exponent as two products, exponent of any f64.
class PowerOfTwo {
 public:
  __device__ explicit PowerOfTwo(int exponent)
      : half_(std::ldexp(1.0, exponent / 2)), rest_(std::ldexp(1.0, exponent - exponent / 2)) {}
  __device__ double times(double x) const { return x * half_ * rest_; }

 private:
  double half_;
  double rest_;
};

// value 2^exponent in T. The eigenvalue of a matrix that reaches the largest number of T may round to just above it:
// within the error bound of eigh, n ulp, it becomes that number, beyond it infinity.
template <typename T>
__device__ __forceinline__ T scaled_back(double value, int exponent, int64_t n) {
  constexpr double most = std::numeric_limits<T>::max();
  const double limit = std::ldexp(most, -exponent), size = std::abs(value);
  if (size > limit && size <= limit * (1 + static_cast<double>(n) * ulp_of<T>)) {
    return static_cast<T>(std::copysign(most, value));
  }
  return size > limit ? static_cast<T>(std::copysign(HUGE_VAL, value))
                      : static_cast<T>(PowerOfTwo(exponent).times(value));
}

}  // namespace kronroot::cuda
