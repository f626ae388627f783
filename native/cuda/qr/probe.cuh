// What the three sizes of qr share: the numbers that reports are made of.
#pragma once

#include <cmath>
#include <limits>

#include "../../core/random.hpp"
#include "../../core/report.hpp"
#include "../eigen/scale.cuh"

namespace kronroot::cuda {

// Random signs y and z of the residual.
__device__ __forceinline__ double probe(int64_t i) { return random_sign(probe_stream, static_cast<uint64_t>(i)); }

// max r_ii / min r_ii
__device__ __forceinline__ double condition_of_diagonal(double most, double least) {
  return most == 0 ? not_measured : most / least;
}

// The larger of |A z - Q R z|_2 / (|A|_F |z|_2), where `squares_of_a` is given, and |Q^T Q y - y|_2 / |y|_2.
struct QrErrors {
  double of_product = 0;    // |A z - Q R z|^2
  double squares_of_a = 0;  // |A|_F^2
  double of_q = 0;          // |Q^T Q y - y|^2

  __device__ __forceinline__ double residual(int64_t cols_of_a, int64_t cols_of_q) const {
    const double lost = of_q / static_cast<double>(cols_of_q);
    const double apart = of_product == 0 ? 0 : of_product / (squares_of_a * static_cast<double>(cols_of_a));
    return std::sqrt(apart > lost ? apart : lost);
  }
};

}  // namespace kronroot::cuda
