// Small matrices are computed many at a time, one to a lane of the vector registers: element (i, j) of all of them is
// one vector, and every kernel is the scalar algorithm with vectors for numbers.
#pragma once

#include <cstdint>

#include "../include/kronroot/types.h"

namespace kronroot::cpu {

// Lanes of f32 in the widest vector; Kernels<T>::lanes tells how many an instruction set has.
inline constexpr int kMostLanes = 16;

// `count` <= Kernels<T>::lanes equal matrices, matrix l in lane l; the lanes from `count` on are empty. Element (i, j)
// of matrix l is data[l * matrix_stride + i * row_stride + j].
template <typename T>
struct LaneGroup {
  T* data = nullptr;
  int64_t rows = 0, cols = 0;
  int64_t row_stride = 0, matrix_stride = 0;
  int count = 0;
};

// `count` matrices of a batch whose dtype is T, from number `first` on.
template <typename T>
LaneGroup<T> lane_group(const kr_batch& batch, int64_t first, int count) {
  return {static_cast<T*>(batch.data) + first * batch.batch_stride,
          batch.rows,
          batch.cols,
          batch.row_stride,
          batch.batch_stride,
          count};
}

// What reading a symmetric matrix into each lane found; as SymmetricInput (symmetric_input.hpp), lane by lane.
struct LaneInput {
  // KR_STATUS_OK, KR_STATUS_NON_FINITE_INPUT or KR_STATUS_NOT_SYMMETRIC; OK for an empty lane, which holds zero.
  kr_status status[kMostLanes];
  // The lane holds (A + A^T) / 2 times 2^-exponent, which brings the largest magnitude of A into [1/2, 1); 0 for the
  // zero matrix.
  int exponent[kMostLanes];
  // Largest magnitude of what the lane holds.
  double largest[kMostLanes];
};

}  // namespace kronroot::cpu
