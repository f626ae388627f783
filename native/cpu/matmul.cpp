// C = beta C + alpha op(A) op(B).
#include <algorithm>

#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "../core/planner.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "product.hpp"
#include "product_batch.hpp"

namespace kronroot::cpu {
namespace {

// Matrix 0.
template <typename T>
Product<T> product_of(const kr_matmul_options& options, const kr_batch& a, const kr_batch& b, const kr_batch& c) {
  Product<T> product;
  product.m = c.rows;
  product.n = c.cols;
  product.k = options.transpose_a ? a.rows : a.cols;
  product.alpha = options.alpha == 0 ? T{1} : static_cast<T>(options.alpha);
  product.a = static_cast<const T*>(a.data);
  product.a_stride = a.row_stride;
  product.transpose_a = options.transpose_a != 0;
  product.b = static_cast<const T*>(b.data);
  product.b_stride = b.row_stride;
  product.transpose_b = options.transpose_b != 0;
  product.beta = static_cast<T>(options.beta);
  product.c = static_cast<T*>(c.data);
  product.c_stride = c.row_stride;
  return product;
}

template <typename T>
kr_code run(const kr_call* call, const kr_matmul_options& options, const kr_batch& a, const kr_batch& b,
            const kr_batch& c) {
  const Product<T> first = product_of<T>(options, a, b, c);
  const int64_t m = first.m, n = first.n, k = first.k;
  const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const double cost = product_cost(flops, m * k + k * n + m * n);
  const int64_t longest = std::max({m, n, k});
  if (m > 0 && n > 0 && plan_lanes(*call->device->crossovers, LaneOp::matmul, c.dtype, longest, c.batch)) {
    ProductLanes<T> group;
    group.a = lane_group<const T>(a, 0, 0);
    group.b = lane_group<const T>(b, 0, 0);
    group.transpose_a = first.transpose_a;
    group.transpose_b = first.transpose_b;
    group.alpha = first.alpha;
    group.beta = first.beta;
    group.c = lane_group<T>(c, 0, 0);
    return multiply_in_lanes(call, group, c.batch, cost);
  }
  const int64_t parts = row_parts(c.batch, call->device->threads, m, flops);
  if (parts == 1) {
    return multiply_each(call, first, steps_of(a, b, c), c.batch, cost);
  }
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  auto multiply_part = [&](int64_t index) {
    const auto [matrix, part] = part_of(index, parts);
    const int64_t row = row_cut(m, part, parts);
    Product<T> product = first;
    product.m = row_cut(m, part + 1, parts) - row;
    product.whole_m = m;
    product.a += matrix * a.batch_stride + (first.transpose_a ? row : row * first.a_stride);
    product.b += matrix * b.batch_stride;
    product.c += matrix * c.batch_stride + row * first.c_stride;
    multiply(kernels, product);
  };
  return for_each(call, c.batch * parts, flops / static_cast<double>(parts), multiply_part);
}

}  // namespace

kr_code matmul(const kr_call* call, const kr_matmul_options* given, const kr_batch* a, const kr_batch* b,
               const kr_batch* c) {
  if (const kr_code code = check_matmul(call, given, a, b, c)) return code;
  const kr_matmul_options options = given == nullptr ? kr_matmul_options{} : *given;
  return c->dtype == KR_F32 ? run<float>(call, options, *a, *b, *c) : run<double>(call, options, *a, *b, *c);
}

}  // namespace kronroot::cpu
