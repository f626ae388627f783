// A view of one matrix of a batch.
#pragma once

#include <cstdint>

#include "../include/kronroot/types.h"

namespace kronroot {

template <typename T>
struct Matrix {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;  // elements from one row to the next
  T& operator()(int64_t i, int64_t j) const { return data[i * stride + j]; }
};

// Matrix number `index` of a batch whose dtype is T; inputs with batch_stride 0 give the same matrix every time.
template <typename T>
Matrix<T> matrix_of(const kr_batch& batch, int64_t index) {
  return {static_cast<T*>(batch.data) + index * batch.batch_stride, batch.rows, batch.cols, batch.row_stride};
}

template <typename T>
inline constexpr double ulp_of = 0;
template <>
inline constexpr double ulp_of<float> = 0x1p-23;
template <>
inline constexpr double ulp_of<double> = 0x1p-52;

}  // namespace kronroot
