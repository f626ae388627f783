// Y = op(A) X op(B), in the order (op(A) X) op(B): both orders cost 2 m n (m + n).
#include "../core/check.hpp"
#include "copy_batch.cuh"
#include "gemm/product.hpp"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
void enqueue(Op& op, const kr_kron_apply_options& options, const kr_batch* a, const kr_batch& x, const kr_batch* b,
             const kr_batch& y) {
  const BatchView<T> result = view_of<T>(y);
  BatchView<const T> left = view_of<const T>(x);
  if (result.batch * result.rows * result.cols == 0) return;
  if (a == nullptr && b == nullptr) return copy_batch(op, left, result);
  if (a != nullptr) {
    const int64_t elements = result.batch * result.rows * result.cols;
    const BatchView<T> to =
        b == nullptr ? result : dense_view(op.scratch<T>(elements), result.batch, result.rows, result.cols);
    multiply(op, Product<T>{.a = view_of<const T>(*a), .b = left, .c = to, .transpose_a = options.transpose_a != 0});
    left = as_input(to);
  }
  if (b != nullptr) {
    multiply(op,
             Product<T>{.a = left, .b = view_of<const T>(*b), .c = result, .transpose_b = options.transpose_b != 0});
  }
}

}  // namespace

kr_code kron_apply(const kr_call* call, const kr_kron_apply_options* given, const kr_batch* a, const kr_batch* x,
                   const kr_batch* b, const kr_batch* y) {
  if (const kr_code code = check_kron_apply(call, given, a, x, b, y)) return code;
  const kr_kron_apply_options options = given == nullptr ? kr_kron_apply_options{} : *given;
  Op op(call, "kron_apply");
  y->dtype == KR_F32 ? enqueue<float>(op, options, a, *x, b, *y) : enqueue<double>(op, options, a, *x, b, *y);
  return op.finish();
}

}  // namespace kronroot::cuda
