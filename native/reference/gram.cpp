// C = beta C + alpha X X^T, or beta C + alpha X^T X
#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "ops.hpp"

namespace kronroot::reference {

kr_code gram(const kr_call* call, const kr_gram_options* given, const kr_batch* x, const kr_batch* c) {
  if (const kr_code code = check_gram(call, given, x, c); code != KR_OK) return code;
  const kr_gram_options options = given != nullptr ? *given : kr_gram_options{};
  const double alpha = options.alpha == 0 ? 1 : options.alpha;
  return run_batch(call, {c}, nullptr, Overflow::propagated, [&](int64_t index) -> Answer {
    const Dense rows = options.side == KR_SIDE_LEFT ? load(*x, index) : transpose(load(*x, index));
    Dense result = multiply(rows, transpose(rows));
    const Dense old = options.beta == 0 ? Dense(c->rows, c->cols) : load(*c, index);
    for (int64_t i = 0; i < c->rows; ++i) {
      for (int64_t j = 0; j <= i; ++j) {
        result(i, j) = alpha * result(i, j) + options.beta * old(i, j);
        result(j, i) = result(i, j);
      }
    }
    return {answered(KR_METHOD_DIRECT), {std::move(result)}};
  });
}

}  // namespace kronroot::reference
