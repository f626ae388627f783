// X near the polar factor U V^T of A = U S V^T
#include "../core/check.hpp"
#include "launch.hpp"
#include "ops.hpp"
#include "orthogonalize/newton_schulz.hpp"
#include "orthogonalize/polar.hpp"
#include "report_all.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
void enqueue(Op& op, const kr_orthogonalize_options& options, const kr_batch& a, const kr_batch& x, kr_report* given) {
  kr_report* reports = given != nullptr ? given : op.scratch<kr_report>(a.batch);
  const OrthogonalizeBatch<T> batch{view_of<const T>(a), view_of<T>(x), Global<kr_report>(reports)};
  if (options.method == KR_METHOD_POLAR) {
    polar(op, batch);
    return;
  }
  std::vector<Quintic> steps(static_cast<std::size_t>(orthogonalize_schedule(options, nullptr, 0)));
  orthogonalize_schedule(options, steps.data(), static_cast<int>(steps.size()));
  const OrthogonalizeRequest request{
      .method = options.method == KR_METHOD_AUTO ? KR_METHOD_NEWTON_SCHULZ : options.method,
      .scales_rows = options.table == KR_TABLE_AOL,
      .safety = orthogonalize_safety(options),
      .steps = static_cast<int32_t>(steps.size()),
      .precision = options.precision == KR_PRECISION_BF16 ? PairPrecision::high_planes : PairPrecision::full};
  newton_schulz(op, request, steps, batch);
}

}  // namespace

kr_code orthogonalize(const kr_call* call, const kr_orthogonalize_options* given, const kr_batch* a, const kr_batch* x,
                      kr_report* reports) {
  if (const kr_code code = check_orthogonalize(call, given, a, x); code != KR_OK) return code;
  const kr_orthogonalize_options options = given == nullptr ? kr_orthogonalize_options{} : *given;
  Op op(call, "orthogonalize");
  if (op.failed() || a->batch == 0) return op.finish();
  if (a->rows == 0 || a->cols == 0) {
    report_all(op, reports, a->batch, answered(KR_METHOD_DIRECT));
    return op.finish();
  }
  CallKey key = CallKey("orthogonalize").add(options).add(a).add(x);
  const int32_t numbers = options.table == KR_TABLE_CUSTOM ? 3 * options.coefficient_count : 0;
  for (int32_t k = 0; k < numbers; ++k) key.add(options.coefficients[k]);
  if (op.recalls(key, &reports, a->batch)) return op.finish();
  a->dtype == KR_F32 ? enqueue<float>(op, options, *a, *x, reports) : enqueue<double>(op, options, *a, *x, reports);
  return op.finish();
}

}  // namespace kronroot::cuda
