// C = beta C + alpha op(A) op(B).
#include "../core/check.hpp"
#include "gemm/product.hpp"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
void enqueue(Op& op, const kr_matmul_options& options, const kr_batch& a, const kr_batch& b, const kr_batch& c) {
  multiply(op, Product<T>{.a = view_of<const T>(a),
                          .b = view_of<const T>(b),
                          .c = view_of<T>(c),
                          .transpose_a = options.transpose_a != 0,
                          .transpose_b = options.transpose_b != 0,
                          .alpha = options.alpha == 0 ? 1 : options.alpha,
                          .beta = options.beta});
}

}  // namespace

kr_code matmul(const kr_call* call, const kr_matmul_options* given, const kr_batch* a, const kr_batch* b,
               const kr_batch* c) {
  if (const kr_code code = check_matmul(call, given, a, b, c)) return code;
  const kr_matmul_options options = given == nullptr ? kr_matmul_options{} : *given;
  Op op(call, "matmul");
  c->dtype == KR_F32 ? enqueue<float>(op, options, *a, *b, *c) : enqueue<double>(op, options, *a, *b, *c);
  return op.finish();
}

}  // namespace kronroot::cuda
