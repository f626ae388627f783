// X = (A + epsilon I)^{-1}
#include "../core/check.hpp"
#include "ops.hpp"
#include "report_all.hpp"
#include "spd/dispatch.hpp"
#include "spd/lambda_max.hpp"
#include "spd/large.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
void enqueue(Op& op, const kr_spd_inverse_options& options, const kr_batch& a, const kr_batch& x, kr_report* reports) {
  const BatchView<const T> input = view_of<const T>(a);
  const BatchView<T> output = view_of<T>(x);
  const SpdRidge ridge = find_ridge(op, options, input);
  LaunchShape shape;
  if (a.rows <= most_in_parts) {
    choose_part(a.rows, [&]<int N>() {
      launch<spd_inverse_in_parts<T, N>>(op, shape_of_parts<T, N>(a.batch, 1), input, ridge, output,
                                         Global<kr_report>(reports));
    });
  } else if (fits_into_shared<SpdInverseShared<T>>(op, a.batch, a.rows, &shape)) {
    launch<spd_inverse_in_shared<T>>(op, shape, input, ridge, output, Global<kr_report>(reports));
  } else {
    spd_inverse_large<T>(op, ridge, input, output, reports);
  }
}

}  // namespace

kr_code spd_inverse(const kr_call* call, const kr_spd_inverse_options* given, const kr_batch* a, const kr_batch* x,
                    kr_report* reports) {
  if (const kr_code code = check_spd_inverse(call, given, a, x)) return code;
  const kr_spd_inverse_options options = given == nullptr ? kr_spd_inverse_options{} : *given;
  Op op(call, "spd_inverse");
  const CallKey key = CallKey("spd_inverse").add(options).add(a).add(x);
  if (a->rows > most_in_parts && op.recalls(key, &reports, a->batch)) return op.finish();
  if (a->rows == 0) {
    report_all(op, reports, a->batch, answered(KR_METHOD_DIRECT));
  } else if (a->dtype == KR_F32) {
    enqueue<float>(op, options, *a, *x, reports);
  } else {
    enqueue<double>(op, options, *a, *x, reports);
  }
  return op.finish();
}

}  // namespace kronroot::cuda
