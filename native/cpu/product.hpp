// Matrix products for the ops: workspace from the thread's scratch, and the split of one large product over threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels.hpp"
#include "scratch.hpp"

namespace kronroot::cpu {

template <typename T>
void multiply(const Kernels<T>& kernels, const Product<T>& product) {
  Scratch scratch;
  kernels.gemm(product, scratch.take<T>(kernels.gemm_workspace(product)));
}

// Parts into which the rows of every product of a batch are split, so that a batch smaller than the number of threads
// keeps all of them busy. Any split gives the same bits: gemm computes each element alike wherever its tile starts.
inline int64_t row_parts(int64_t batch, int threads, int64_t rows, double flops) {
  constexpr double kWorthSplitting = 2.0 * 256 * 256 * 256;
  constexpr int64_t kFewestRows = 64;
  if (batch == 0 || batch >= threads || flops < kWorthSplitting) return 1;
  return std::clamp<int64_t>((threads + batch - 1) / batch, 1, std::max<int64_t>(1, rows / kFewestRows));
}

}  // namespace kronroot::cpu
