// C = beta C + alpha op(A) op(B)
#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "ops.hpp"

namespace kronroot::reference {

kr_code matmul(const kr_call* call, const kr_matmul_options* given, const kr_batch* a, const kr_batch* b,
               const kr_batch* c) {
  if (const kr_code code = check_matmul(call, given, a, b, c); code != KR_OK) return code;
  const kr_matmul_options options = given != nullptr ? *given : kr_matmul_options{};
  const double alpha = options.alpha == 0 ? 1 : options.alpha;
  return run_batch(call, {c}, nullptr, Overflow::propagated, [&](int64_t index) -> Answer {
    const Dense left = options.transpose_a ? transpose(load(*a, index)) : load(*a, index);
    const Dense right = options.transpose_b ? transpose(load(*b, index)) : load(*b, index);
    Dense result = multiply(left, right);
    const Dense old = options.beta == 0 ? Dense(c->rows, c->cols) : load(*c, index);
    for (size_t i = 0; i < result.elements().size(); ++i) {
      result.elements()[i] = alpha * result.elements()[i] + options.beta * old.elements()[i];
    }
    return {answered(KR_METHOD_DIRECT), {std::move(result)}};
  });
}

}  // namespace kronroot::reference
