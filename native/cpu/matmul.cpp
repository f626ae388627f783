// C = beta C + alpha op(A) op(B).
#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "prefetch.hpp"
#include "product.hpp"

namespace kronroot::cpu {
namespace {

// First row of part `part` of `rows` rows that are cut into `parts`; the ends need no division.
int64_t row_cut(int64_t rows, int64_t part, int64_t parts) {
  return part == parts ? rows : part == 0 ? 0 : rows * part / parts;
}

template <typename T>
kr_code run(const kr_call* call, const kr_matmul_options& options, const kr_batch& a, const kr_batch& b,
            const kr_batch& c) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const int64_t m = c.rows, n = c.cols, k = options.transpose_a ? a.rows : a.cols;
  const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const int64_t parts = row_parts(c.batch, call->device->threads, m, flops);
  auto multiply_part = [&](int64_t index) {
    const auto [matrix, part] = part_of(index, parts);
    const int64_t row = row_cut(m, part, parts), row_end = row_cut(m, part + 1, parts);
    const Matrix<T> from_a = matrix_of<T>(a, matrix), from_b = matrix_of<T>(b, matrix), to = matrix_of<T>(c, matrix);
    if (c.batch > 1) {
      prefetch(from_a);
      prefetch(from_b);
    }
    Product<T> product;
    product.m = row_end - row;
    product.n = n;
    product.k = k;
    product.alpha = options.alpha == 0 ? T{1} : static_cast<T>(options.alpha);
    product.a = from_a.data + (options.transpose_a ? row : row * from_a.stride);
    product.a_stride = from_a.stride;
    product.transpose_a = options.transpose_a != 0;
    product.b = from_b.data;
    product.b_stride = from_b.stride;
    product.transpose_b = options.transpose_b != 0;
    product.beta = static_cast<T>(options.beta);
    product.c = to.data + row * to.stride;
    product.c_stride = to.stride;
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
