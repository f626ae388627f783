// A batch as kernels see it: matrix b, element (i, j). Inputs with batch_stride 0 give the same matrix for every b.
#pragma once

#include "../include/kronroot/types.h"
#include "device.cuh"

namespace kronroot::cuda {

template <typename T>
struct MatrixView {
  Global<T> data;
  int64_t rows, cols, stride;
  __device__ __forceinline__ T& operator()(int64_t i, int64_t j) const { return data[i * stride + j]; }
};

template <typename T>
struct BatchView {
  Global<T> data;
  int64_t batch, rows, cols, row_stride, batch_stride;

  __device__ __forceinline__ MatrixView<T> operator[](int64_t b) const {
    return {data + b * batch_stride, rows, cols, row_stride};
  }
};

// Of a descriptor whose dtype is T's. BatchView<const T> for inputs.
template <typename T>
BatchView<T> view_of(const kr_batch& batch) {
  return {Global<T>(static_cast<T*>(batch.data)),
          batch.batch,
          batch.rows,
          batch.cols,
          batch.row_stride,
          batch.batch_stride};
}

template <typename T>
BatchView<const T> as_input(const BatchView<T>& view) {
  return {view.data, view.batch, view.rows, view.cols, view.row_stride, view.batch_stride};
}

// `batch` matrices without gaps in scratch memory.
template <typename T>
BatchView<T> dense_view(T* data, int64_t batch, int64_t rows, int64_t cols) {
  return {Global<T>(data), batch, rows, cols, cols, rows * cols};
}

}  // namespace kronroot::cuda
