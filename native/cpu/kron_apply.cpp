// Y = op(A) X op(B).
#include <algorithm>

#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "product.hpp"

namespace kronroot::cpu {
namespace {

// (op(A) X) op(B): both orders cost 2 m n (m + n). In this one a band of rows of Y depends on nothing but the same rows
// of op(A) X, so a large matrix can be split over threads.
template <typename T>
kr_code run(const kr_call* call, const kr_kron_apply_options& options, const kr_batch* a, const kr_batch& x,
            const kr_batch* b, const kr_batch& y) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const int64_t m = y.rows, n = y.cols;
  const double area = static_cast<double>(m) * static_cast<double>(n);
  const double flops = 2 * area * static_cast<double>((a == nullptr ? 1 : m) + (b == nullptr ? 1 : n));
  const int64_t parts = row_parts(y.batch, call->device->threads, m, flops);
  auto apply_part = [&](int64_t index) {
    const int64_t matrix = index / parts, part = index % parts;
    const int64_t row = row_cut(m, part, parts), rows = row_cut(m, part + 1, parts) - row;
    const Matrix<T> from = matrix_of<T>(x, matrix), to = matrix_of<T>(y, matrix);
    Scratch scratch;
    // Rows of op(A) X: X's own where A is the identity, else computed, in place where B is the identity.
    Matrix<T> left = {from.data + row * from.stride, rows, n, from.stride};
    const Matrix<T> result = {to.data + row * to.stride, rows, n, to.stride};
    if (a != nullptr) {
      const Matrix<T> factor = matrix_of<T>(*a, matrix);
      left = b == nullptr ? result : Matrix<T>{scratch.take<T>(rows * n), rows, n, n};
      Product<T> product;
      product.m = rows;
      product.whole_m = m;
      product.n = n;
      product.k = m;
      product.a = factor.data + (options.transpose_a ? row : row * factor.stride);
      product.a_stride = factor.stride;
      product.transpose_a = options.transpose_a != 0;
      product.b = from.data;
      product.b_stride = from.stride;
      product.c = left.data;
      product.c_stride = left.stride;
      multiply(kernels, product);
    }
    if (b != nullptr) {
      const Matrix<T> factor = matrix_of<T>(*b, matrix);
      Product<T> product;
      product.m = rows;
      product.whole_m = m;
      product.n = product.k = n;
      product.a = left.data;
      product.a_stride = left.stride;
      product.b = factor.data;
      product.b_stride = factor.stride;
      product.transpose_b = options.transpose_b != 0;
      product.c = result.data;
      product.c_stride = result.stride;
      multiply(kernels, product);
    } else if (a == nullptr) {
      for (int64_t i = 0; i < rows; ++i) std::copy_n(&left(i, 0), n, &result(i, 0));
    }
  };
  return for_each(call, y.batch * parts, flops / static_cast<double>(parts), apply_part);
}

}  // namespace

kr_code kron_apply(const kr_call* call, const kr_kron_apply_options* given, const kr_batch* a, const kr_batch* x,
                   const kr_batch* b, const kr_batch* y) {
  if (const kr_code code = check_kron_apply(call, given, a, x, b, y)) return code;
  const kr_kron_apply_options options = given == nullptr ? kr_kron_apply_options{} : *given;
  return y->dtype == KR_F32 ? run<float>(call, options, a, *x, b, *y) : run<double>(call, options, a, *x, b, *y);
}

}  // namespace kronroot::cpu
