// One batch into another of the same shape.
#pragma once

#include "batch.cuh"
#include "launch.hpp"

namespace kronroot::cuda {

// One warp a row.
template <typename T>
__global__ void copy_rows(BatchView<const T> from, BatchView<T> to) {
  const int64_t row = block_index() * warp_count() + warp_index(), b = row / to.rows;
  if (b >= to.batch) return;
  const MatrixView<const T> source = from[b];
  const MatrixView<T> target = to[b];
  for (int64_t j = lane_index(); j < to.cols; j += warp_size) target(row % to.rows, j) = source(row % to.rows, j);
}

template <typename T>
void copy_batch(Op& op, const BatchView<const T>& from, const BatchView<T>& to) {
  constexpr int warps = 4;
  const int64_t rows = to.cols == 0 ? 0 : to.batch * to.rows;
  launch<copy_rows<T>>(op, {.blocks = {(rows + warps - 1) / warps}, .threads = warps * warp_size}, from, to);
}

}  // namespace kronroot::cuda
