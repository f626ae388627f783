// Householder's reflector H = I - tau v v^T with H (x, alpha) = (0, beta).
#pragma once

#include <cmath>

#include "../device.cuh"

namespace kronroot::cuda {

template <typename T>
struct Reflector {
  T tau;
  T beta;
  T scale;  // v = (scale x, 1)
};

// squares = |x|^2. A norm so small that squares come near underflow, far below rounding of a matrix scaled to 1, counts
// as zero.
template <typename T>
__device__ __forceinline__ Reflector<T> reflector_of(T squares, T alpha) {
  constexpr T negligible = sizeof(T) == 4 ? T(1e-30) : T(1e-60);
  if (squares <= negligible) return {0, alpha, 0};
  const T norm = std::sqrt(squares + alpha * alpha);
  const T beta = alpha < 0 ? norm : -norm;
  return {(beta - alpha) / beta, beta, 1 / (alpha - beta)};
}

}  // namespace kronroot::cuda
