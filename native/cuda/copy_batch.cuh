// One batch into another of the same shape.
#pragma once

#include <algorithm>

#include "batch.cuh"
#include "launch.hpp"

namespace kronroot::cuda {

// A thread an element, row after row.
template <typename T>
__global__ void copy_elements(BatchView<const T> from, BatchView<T> to) {
  const int64_t count = to.rows * to.cols;
  const int64_t threads = block_count() * block_threads();
  for (int64_t e = block_index() * block_threads() + thread_index(); e < to.batch * count; e += threads) {
    const int64_t b = e / count, i = e % count / to.cols, j = e % to.cols;
    to[b](i, j) = from[b](i, j);
  }
}

template <typename T>
void copy_batch(Op& op, const BatchView<const T>& from, const BatchView<T>& to) {
  constexpr int threads = 256;
  constexpr int64_t most_blocks = 1 << 20;
  const int64_t blocks = (to.batch * to.rows * to.cols + threads - 1) / threads;
  launch<copy_elements<T>>(op, {.blocks = {std::min(blocks, most_blocks)}, .threads = threads}, from, to);
}

}  // namespace kronroot::cuda
