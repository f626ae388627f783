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

// Of a column of any size: squares_of(s) is |s x|^2, s a power of two. Where the norm is small x is brought closer to 1
// first: what counts as zero there may be no less than alpha.
template <typename T, typename F>
__device__ __forceinline__ Reflector<T> reflector_of_column(T alpha, const F& squares_of) {
  constexpr T small = sizeof(T) == 4 ? T(1e-14) : T(1e-28), up = sizeof(T) == 4 ? T(0x1p48) : T(0x1p400);
  const T squares = squares_of(T(1));
  if (squares + alpha * alpha > small) return reflector_of(squares, alpha);
  const Reflector<T> of_scaled = reflector_of(squares_of(up), up * alpha);
  return {of_scaled.tau, of_scaled.beta / up, of_scaled.scale * up};
}

}  // namespace kronroot::cuda
