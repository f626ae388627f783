// C = beta C + alpha X X^T or beta C + alpha X^T X.
#include <algorithm>
#include <cmath>

#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "../core/planner.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "product.hpp"
#include "product_batch.hpp"

namespace kronroot::cpu {
namespace {

// First row of part `part` of a lower triangle of n rows that is cut into `parts` of about equal area, as row_cut cuts.
int64_t triangle_cut(int64_t n, int64_t part, int64_t parts) {
  if (part == 0 || part == parts) return part == 0 ? 0 : n;
  const double area = static_cast<double>(part) / static_cast<double>(parts);
  return whole_blocks(std::llround(static_cast<double>(n) * std::sqrt(area)));
}

// Matrix 0.
template <typename T>
Product<T> product_of(const kr_gram_options& options, const kr_batch& x, const kr_batch& c) {
  const bool left = options.side == KR_SIDE_LEFT;
  Product<T> product;
  product.m = product.n = c.rows;
  product.k = left ? x.cols : x.rows;
  product.alpha = options.alpha == 0 ? T{1} : static_cast<T>(options.alpha);
  product.a = product.b = static_cast<const T*>(x.data);
  product.a_stride = product.b_stride = x.row_stride;
  product.transpose_a = !left;
  product.transpose_b = left;
  product.beta = static_cast<T>(options.beta);
  product.c = static_cast<T*>(c.data);
  product.c_stride = c.row_stride;
  product.triangle = Triangle::mirrored;
  return product;
}

// Rows [row, row_end) of the triangle, and their image above the diagonal.
template <typename T>
void multiply_rows(const Kernels<T>& kernels, const Product<T>& whole, int64_t row, int64_t row_end) {
  Product<T> product = whole;
  product.m = row_end - row;
  product.whole_m = product.whole_n = whole.n;
  product.a += whole.transpose_a ? row : row * whole.a_stride;
  product.c += row * whole.c_stride;
  if (row > 0) {  // the rectangle left of the block on the diagonal
    product.n = row;
    product.triangle = Triangle::full;
    multiply(kernels, product);
    kernels.transpose(product.m, row, product.c, whole.c_stride, whole.c + row, whole.c_stride);
  }
  product.n = product.m;
  product.b = product.a;
  product.c += row;
  product.triangle = Triangle::mirrored;
  multiply(kernels, product);
}

template <typename T>
kr_code run(const kr_call* call, const kr_gram_options& options, const kr_batch& x, const kr_batch& c) {
  const Product<T> first = product_of<T>(options, x, c);
  const int64_t n = first.n, k = first.k;
  const double flops = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(k);
  const double cost = product_cost(flops, n * k + n * n);
  if (n > 0 && plan_lanes(*call->device->crossovers, LaneOp::gram, c.dtype, std::max(n, k), c.batch)) {
    ProductLanes<T> group;
    group.a = lane_group<const T>(x, 0, 0);
    group.transpose_a = first.transpose_a;
    group.is_gram = true;
    group.alpha = first.alpha;
    group.beta = first.beta;
    group.c = lane_group<T>(c, 0, 0);
    return multiply_in_lanes(call, group, c.batch, cost);
  }
  const int64_t parts = row_parts(c.batch, call->device->threads, n, flops);
  if (parts == 1) {
    return multiply_each(call, first, steps_of(x, x, c), c.batch, cost);
  }
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  auto multiply_part = [&](int64_t index) {
    const auto [matrix, part] = part_of(index, parts);
    Product<T> whole = first;
    whole.a = whole.b = first.a + matrix * x.batch_stride;
    whole.c += matrix * c.batch_stride;
    multiply_rows(kernels, whole, triangle_cut(n, part, parts), triangle_cut(n, part + 1, parts));
  };
  return for_each(call, c.batch * parts, flops / static_cast<double>(parts), multiply_part);
}

}  // namespace

kr_code gram(const kr_call* call, const kr_gram_options* given, const kr_batch* x, const kr_batch* c) {
  if (const kr_code code = check_gram(call, given, x, c)) return code;
  const kr_gram_options options = given == nullptr ? kr_gram_options{} : *given;
  return c->dtype == KR_F32 ? run<float>(call, options, *x, *c) : run<double>(call, options, *x, *c);
}

}  // namespace kronroot::cpu
