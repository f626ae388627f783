// The elements of S = (A + A^T) / 2 times 2^-exponent, rounded to the element type of A.
#pragma once

#include <cmath>

#include "../batch.cuh"

namespace kronroot::cuda {

template <typename T>
struct SymmetricReader {
  MatrixView<const T> a;
  int exponent;

  // The mean as x + (y - x) / 2, which neither overflows nor loses the last bit of denormals that agree; of (i, j) and
  // (j, i) the same bits.
  __device__ __forceinline__ T operator()(int i, int j) const {
    const T x = i >= j ? a(i, j) : a(j, i);
    if (i == j) return ldexp(x, -exponent);
    const T y = i >= j ? a(j, i) : a(i, j);
    return ldexp(x == y ? x : x + (y - x) / 2, -exponent);
  }
};

}  // namespace kronroot::cuda
