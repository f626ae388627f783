// C = beta C + alpha X X^T or beta C + alpha X^T X.
#include "../core/check.hpp"
#include "gemm/product.hpp"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
void enqueue(Op& op, const kr_gram_options& options, const kr_batch& x, const kr_batch& c) {
  const bool is_left = options.side == KR_SIDE_LEFT;
  multiply(op, Product<T>{.a = view_of<const T>(x),
                          .b = view_of<const T>(x),
                          .c = view_of<T>(c),
                          .transpose_a = !is_left,
                          .transpose_b = is_left,
                          .alpha = options.alpha == 0 ? 1 : options.alpha,
                          .beta = options.beta,
                          .symmetric = true});
}

}  // namespace

kr_code gram(const kr_call* call, const kr_gram_options* given, const kr_batch* x, const kr_batch* c) {
  if (const kr_code code = check_gram(call, given, x, c)) return code;
  const kr_gram_options options = given == nullptr ? kr_gram_options{} : *given;
  Op op(call, "gram");
  c->dtype == KR_F32 ? enqueue<float>(op, options, *x, *c) : enqueue<double>(op, options, *x, *c);
  return op.finish();
}

}  // namespace kronroot::cuda
