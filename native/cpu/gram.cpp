// C = beta C + alpha X X^T or beta C + alpha X^T X.
#include <cmath>

#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "product.hpp"

namespace kronroot::cpu {
namespace {

// First row of part `part` of a lower triangle of n rows that is cut into `parts` of about equal area.
int64_t triangle_cut(int64_t n, int64_t part, int64_t parts) {
  if (part == 0 || part == parts) return part == 0 ? 0 : n;
  return std::llround(static_cast<double>(n) * std::sqrt(static_cast<double>(part) / static_cast<double>(parts)));
}

template <typename T>
kr_code run(const kr_call* call, const kr_gram_options& options, const kr_batch& x, const kr_batch& c) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const bool left = options.side == KR_SIDE_LEFT;
  const int64_t n = c.rows, k = left ? x.cols : x.rows;
  const double flops = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(k);
  const int64_t parts = row_parts(c.batch, call->device->threads, n, flops);
  auto multiply_part = [&](int64_t index) {
    const auto [matrix, part] = part_of(index, parts);
    const Matrix<T> from = matrix_of<T>(x, matrix), to = matrix_of<T>(c, matrix);
    const int64_t row = triangle_cut(n, part, parts), row_end = triangle_cut(n, part + 1, parts);
    Product<T> product;
    product.m = row_end - row;
    product.k = k;
    product.alpha = options.alpha == 0 ? T{1} : static_cast<T>(options.alpha);
    product.a = from.data + (left ? row * from.stride : row);
    product.a_stride = product.b_stride = from.stride;
    product.transpose_a = !left;
    product.transpose_b = left;
    product.beta = static_cast<T>(options.beta);
    product.c_stride = to.stride;
    if (row > 0) {  // the rectangle left of the part's diagonal block, and its mirror image above the diagonal
      product.n = row;
      product.b = from.data;
      product.c = to.data + row * to.stride;
      multiply(kernels, product);
      kernels.transpose(product.m, product.n, product.c, to.stride, to.data + row, to.stride);
    }
    product.n = product.m;
    product.b = product.a;
    product.c = to.data + row * (to.stride + 1);
    product.triangle = Triangle::mirrored;
    multiply(kernels, product);
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
