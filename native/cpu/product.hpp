// Matrix products for the ops: workspace from the thread's scratch, and the split of one large product over threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <new>
#include <numeric>
#include <type_traits>

#include "gemm/split.hpp"
#include "kernels.hpp"
#include "pool.hpp"
#include "scratch.hpp"

namespace kronroot::cpu {

template <typename T>
void multiply(const Kernels<T>& kernels, const Product<T>& product) {
  if constexpr (std::is_same_v<T, float>) {
    if (is_worth_splitting(kernels, product)) return multiply_split(kernels, product);
  }
  const int64_t workspace = kernels.gemm_workspace(product);
  if (workspace == 0) {
    kernels.gemm(product, nullptr);
    return;
  }
  Scratch scratch;
  kernels.gemm(product, scratch.take<T>(workspace));
}

// Parts into which the rows of every product of a batch are split, so that a batch of few large products gives every
// thread the same number of parts. Any split by row_cut gives the same bits: gemm computes each element alike wherever
// its tile starts.
inline int64_t row_parts(int64_t batch, int threads, int64_t rows, double flops) {
  constexpr double kWorthSplitting = 2.0 * 256 * 256 * 256;
  constexpr int64_t kFewestRows = 64;
  // A larger batch loses less to threads that wait for the last product than to the packing of B for every part.
  constexpr int64_t kFewRounds = 8;
  if (batch == 0 || batch >= kFewRounds * threads || flops < kWorthSplitting) return 1;
  const int64_t even = threads / std::gcd(batch, int64_t{threads});
  return std::clamp<int64_t>(even, 1, std::max<int64_t>(1, rows / kFewestRows));
}

// The first row of part `part` of `rows` rows that are cut into `parts`.
inline int64_t row_cut(int64_t rows, int64_t part, int64_t parts) {
  return part == parts ? rows : part == 0 ? 0 : whole_blocks(rows * part / parts);
}

// One product on several threads, its rows split into `parts`. Throws std::bad_alloc.
template <typename T>
void multiply_in_parts(const Kernels<T>& kernels, const Product<T>& product, int64_t parts) {
  if (parts == 1) return multiply(kernels, product);
  auto multiply_part = [&](int64_t part) {
    const int64_t row = row_cut(product.m, part, parts);
    Product<T> rows = product;
    rows.m = row_cut(product.m, part + 1, parts) - row;
    rows.whole_m = product.m;
    rows.a += product.transpose_a ? row : row * product.a_stride;
    rows.c += row * product.c_stride;
    multiply(kernels, rows);
  };
  if (parallel_for(parts, static_cast<int>(parts), nullptr, multiply_part) == Loop::out_of_memory)
    throw std::bad_alloc();
}

// Item `index` of a loop over parts: which part of which matrix. Whole matrices are told without a division, which
// takes half the time of a 4 x 4 product.
struct Part {
  int64_t matrix;
  int64_t number;
};

inline Part part_of(int64_t index, int64_t parts) {
  return parts == 1 ? Part{index, 0} : Part{index / parts, index % parts};
}

}  // namespace kronroot::cpu
