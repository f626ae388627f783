// The same product for every matrix of a batch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "batch_loop.hpp"
#include "device.hpp"
#include "gemm/lanes.hpp"
#include "gemm/split.hpp"
#include "scratch.hpp"

namespace kronroot::cpu {

// What one product costs, for for_each: besides its operations, each element read or written takes the time of some.
inline double product_cost(double flops, int64_t elements) {
  constexpr double kFlopsPerElement = 16;
  return flops + kFlopsPerElement * static_cast<double>(elements);
}

// The steps of a batch of products.
inline ProductSteps steps_of(const kr_batch& a, const kr_batch& b, const kr_batch& c) {
  constexpr int64_t kCachedBytes = 1 << 20;
  const int64_t bytes = (a.rows * a.cols + c.rows * c.cols) * (c.dtype == KR_F64 ? 8 : 4);
  return {a.batch_stride, b.batch_stride, c.batch_stride, bytes > kCachedBytes / std::max<int64_t>(1, c.batch)};
}

// `first` is the product of matrix 0.
template <typename T>
kr_code multiply_each(const kr_call* call, const Product<T>& first, const ProductSteps& steps, int64_t batch,
                      double cost) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const int64_t workspace = kernels.gemm_workspace(first);
  auto multiply_run = [&](int64_t begin, int64_t end) {
    Product<T> product = first;
    product.a += begin * steps.a;
    product.b += begin * steps.b;
    product.c += begin * steps.c;
    if constexpr (std::is_same_v<T, float>) {
      if (is_worth_splitting(kernels, first)) {
        for (int64_t matrix = begin; matrix < end; ++matrix) {
          multiply_split(kernels, product);
          product.a += steps.a;
          product.b += steps.b;
          product.c += steps.c;
        }
        return;
      }
    }
    Scratch scratch;
    kernels.gemm_each(product, steps, end - begin, workspace == 0 ? nullptr : scratch.take<T>(workspace));
  };
  return for_each_run(call, batch, cost, multiply_run);
}

// One matrix to a lane; `first` is the group that begins with matrix 0, its matrices not yet counted.
template <typename T>
kr_code multiply_in_lanes(const kr_call* call, const ProductLanes<T>& first, int64_t batch, double cost) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const int64_t lanes = kernels.lanes;
  const int64_t depth = first.transpose_a ? first.a.rows : first.a.cols;
  const int64_t workspace = kernels.product_lanes_workspace(first.c.rows, first.c.cols, depth);
  auto multiply_groups = [&](int64_t begin, int64_t end) {
    Scratch scratch;
    T* const memory = scratch.take<T>(workspace);
    for (int64_t group = begin; group < end; ++group) {
      const int64_t matrix = group * lanes;
      ProductLanes<T> op = first;
      op.a.data += matrix * op.a.matrix_stride;
      op.b.data += matrix * op.b.matrix_stride;
      op.c.data += matrix * op.c.matrix_stride;
      op.a.count = op.b.count = op.c.count = static_cast<int>(std::min(lanes, batch - matrix));
      kernels.product_lanes(op, memory);
    }
  };
  return for_each_run(call, (batch + lanes - 1) / lanes, cost * static_cast<double>(lanes), multiply_groups);
}

}  // namespace kronroot::cpu
