// Y = op(A) X op(B); a missing factor is the identity
#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

Dense factor(const kr_batch& batch, int64_t index, bool transposed) {
  return transposed ? transpose(load(batch, index)) : load(batch, index);
}

}  // namespace

kr_code kron_apply(const kr_call* call, const kr_kron_apply_options* given, const kr_batch* a, const kr_batch* x,
                   const kr_batch* b, const kr_batch* y) {
  if (const kr_code code = check_kron_apply(call, given, a, x, b, y); code != KR_OK) return code;
  const kr_kron_apply_options options = given != nullptr ? *given : kr_kron_apply_options{};
  return run_batch(call, {y}, nullptr, Overflow::propagated, [&](int64_t index) -> Answer {
    Dense result = load(*x, index);
    if (a != nullptr) result = multiply(factor(*a, index, options.transpose_a != 0), result);
    if (b != nullptr) result = multiply(result, factor(*b, index, options.transpose_b != 0));
    return {answered(KR_METHOD_DIRECT), {std::move(result)}};
  });
}

}  // namespace kronroot::reference
