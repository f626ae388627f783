// L x = b in the registers of N lanes (parts.cuh).
#pragma once

#include "../parts.cuh"

namespace kronroot::cuda {

// Right-hand sides that go through the factor side by side: their chains of dependent operations hide each other's
// wait.
inline constexpr int columns_of_part = 4;

// Lane i holds row i of L, 1 / l_ii and element i of the right-hand sides. (Golub and Van Loan, algorithm 3.1.3.)
template <typename T, int N>
__device__ __forceinline__ void substitute_forward(const T (&row)[N], T reciprocal, T (&x)[columns_of_part]) {
  const int lane = thread_index() % N;
#pragma unroll
  for (int k = 0; k < N; ++k) {
#pragma unroll
    for (int c = 0; c < columns_of_part; ++c) {
      if (lane == k) x[c] *= reciprocal;
      const T solved = shuffle(x[c], k, N);
      if (lane > k) x[c] -= row[k] * solved;
    }
  }
}

}  // namespace kronroot::cuda
