// A norm of every matrix.
#include "../core/check.hpp"
#include "norm/exact.hpp"
#include "norm/power_iteration.hpp"
#include "norm/spectral.hpp"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

constexpr int default_steps = 4;

template <typename T>
void enqueue(Op& op, const kr_norm_estimate_options& options, const kr_batch& a, const kr_batch& values,
             kr_report* reports) {
  const BatchView<const T> input = view_of<const T>(a);
  const BatchView<T> output = view_of<T>(values);
  // All norms of an empty matrix are 0.
  const int32_t kind = a.rows == 0 || a.cols == 0 ? static_cast<int32_t>(KR_NORM_MAX) : options.kind;
  switch (kind) {
    case KR_NORM_SPECTRAL:
      return spectral_norms(op, input, output, reports);
    case KR_NORM_SPECTRAL_LOWER:
      return power_iteration(op, options.iterations == 0 ? default_steps : options.iterations, input, output, reports);
    default:
      return exact_norms(op, kind, input, output, reports);
  }
}

}  // namespace

kr_code norm_estimate(const kr_call* call, const kr_norm_estimate_options* given, const kr_batch* a,
                      const kr_batch* values, kr_report* reports) {
  if (const kr_code code = check_norm_estimate(call, given, a, values)) return code;
  const kr_norm_estimate_options options = given == nullptr ? kr_norm_estimate_options{} : *given;
  Op op(call, "norm_estimate");
  a->dtype == KR_F32 ? enqueue<float>(op, options, *a, *values, reports)
                     : enqueue<double>(op, options, *a, *values, reports);
  return op.finish();
}

}  // namespace kronroot::cuda
