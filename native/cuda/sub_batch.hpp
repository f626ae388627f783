// Blocks of the matrices of a batch.
#pragma once

#include "batch.cuh"

namespace kronroot::cuda {

// Rows [i, i + rows), columns [j, j + cols) of every matrix.
template <typename V>
V part_of(V view, int64_t i, int64_t j, int64_t rows, int64_t cols) {
  view.data = view.data + (i * view.row_stride + j);
  view.rows = rows;
  view.cols = cols;
  return view;
}

}  // namespace kronroot::cuda
