// What ops on symmetric matrices learn of their input first: whether it can be used, and its scale.
#pragma once

#include "../core/matrix.hpp"
#include "../core/report.hpp"
#include "batch.cuh"

namespace kronroot::cuda {

// Of (A + A^T) / 2.
struct SymmetricInput {
  int32_t status;    // KR_STATUS_OK, NON_FINITE_INPUT or NOT_SYMMETRIC
  int32_t exponent;  // of a power of two: 2^(exponent - 1) <= largest < 2^exponent; 0 where A = 0
  double largest;    // max |a_ij|
  double trace;
  bool is_diagonal;
};

// What one thread sees of a matrix; the fields of several threads are combined by maximum and sum.
template <typename T>
struct SymmetricScan {
  T largest = 0;         // of elements that are finite
  T largest_skew = 0;    // max |a_ij - a_ji|
  T largest_beside = 0;  // off the diagonal
  double trace = 0;
  int is_finite = 1;

  // Elements (i, j) and (j, i).
  __device__ __forceinline__ void see(T x, T y, bool is_diagonal) {
    if (!(x - x == 0) || !(y - y == 0)) {
      is_finite = 0;
      return;
    }
    const T magnitude = x < 0 ? -x : x, other = y < 0 ? -y : y;
    const T larger = magnitude > other ? magnitude : other;
    largest = larger > largest ? larger : largest;
    if (is_diagonal) {
      trace += static_cast<double>(x);
    } else {
      largest_beside = larger > largest_beside ? larger : largest_beside;
      // Halves, so that the difference does not overflow.
      const T skew = x / 2 > y / 2 ? x / 2 - y / 2 : y / 2 - x / 2;
      largest_skew = skew > largest_skew ? skew : largest_skew;
    }
  }
  // Elements thread, thread + threads, ... of A.
  __device__ __forceinline__ void read(const MatrixView<const T>& a, int thread, int threads) {
    const int64_t n = a.rows;
    for (int64_t e = thread; e < n * n; e += threads) {
      const int64_t i = e / n, j = e % n;
      if (j > i) continue;
      see(a(i, j), i == j ? a(i, j) : a(j, i), i == j);
    }
  }
  // Of all lanes of a group of N.
  template <int N>
  __device__ __forceinline__ void combine_lanes() {
    largest = warp_max(largest, N);
    largest_skew = warp_max(largest_skew, N);
    largest_beside = warp_max(largest_beside, N);
    trace = warp_sum(trace, N);
    is_finite = warp_max(1 - is_finite, N) == 0 ? 1 : 0;
  }
};

// An asymmetry above sqrt(ulp) max |A| is NOT_SYMMETRIC (ops.h).
template <typename T>
__device__ __forceinline__ SymmetricInput judged(const SymmetricScan<T>& all) {
  SymmetricInput input{};
  const double root_of_ulp = sizeof(T) == 4 ? 3.4526698300124393e-4 : 1.4901161193847656e-8;
  input.status = KR_STATUS_OK;
  if (all.is_finite == 0) {
    input.status = KR_STATUS_NON_FINITE_INPUT;
  } else if (2 * static_cast<double>(all.largest_skew) > root_of_ulp * static_cast<double>(all.largest)) {
    input.status = KR_STATUS_NOT_SYMMETRIC;
  }
  input.largest = static_cast<double>(all.largest);
  input.trace = all.trace;
  input.is_diagonal = all.largest_beside == 0;
  int exponent = 0;
  if (input.largest > 0) frexp(input.largest, &exponent);
  input.exponent = exponent;
  return input;
}

// By a whole block, the same in every thread; `partial` holds a double for each warp.
template <typename T>
__device__ SymmetricInput scan_symmetric(const MatrixView<const T>& a, Shared<double> partial) {
  SymmetricScan<T> scan;
  scan.read(a, thread_index(), block_threads());
  scan.largest = static_cast<T>(block_max(static_cast<double>(scan.largest), partial));
  scan.largest_skew = static_cast<T>(block_max(static_cast<double>(scan.largest_skew), partial));
  scan.largest_beside = static_cast<T>(block_max(static_cast<double>(scan.largest_beside), partial));
  scan.trace = block_sum(scan.trace, partial);
  scan.is_finite = block_max(scan.is_finite == 0 ? 1.0 : 0.0, partial) == 0 ? 1 : 0;
  return judged(scan);
}

// By one warp, the same in every lane.
template <typename T>
__device__ SymmetricInput scan_symmetric_in_warp(const MatrixView<const T>& a) {
  SymmetricScan<T> scan;
  scan.read(a, lane_index(), warp_size);
  scan.template combine_lanes<warp_size>();
  return judged(scan);
}

}  // namespace kronroot::cuda
