// A + epsilon I = L L^T
#include "../core/check.hpp"
#include "ops.hpp"
#include "report_all.hpp"
#include "spd/dispatch.hpp"
#include "spd/lambda_max.hpp"
#include "spd/large.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
void enqueue(Op& op, const kr_cholesky_options& options, const kr_batch& a, const kr_batch& l, kr_report* reports) {
  const BatchView<const T> input = view_of<const T>(a);
  const BatchView<T> output = view_of<T>(l);
  const SpdRidge ridge = find_ridge(op, options, input);
  LaunchShape shape;
  if (a.rows <= most_in_parts) {
    choose_part(a.rows, [&]<int N>() {
      launch<cholesky_in_parts<T, N>>(op, shape_of_parts<T, N>(a.batch, 1), input, ridge, output,
                                      Global<kr_report>(reports));
    });
  } else if (fits_into_shared<CholeskyShared<T>>(op, a.batch, a.rows, &shape)) {
    launch<cholesky_in_shared<T>>(op, shape, input, ridge, output, Global<kr_report>(reports));
  } else {
    cholesky_large<T>(op, ridge, input, output, reports);
  }
}

}  // namespace

kr_code cholesky(const kr_call* call, const kr_cholesky_options* given, const kr_batch* a, const kr_batch* l,
                 kr_report* reports) {
  if (const kr_code code = check_cholesky(call, given, a, l)) return code;
  const kr_cholesky_options options = given == nullptr ? kr_cholesky_options{} : *given;
  Op op(call, "cholesky");
  const CallKey key = CallKey("cholesky").add(options).add(a).add(l);
  if (a->rows > most_in_parts && op.recalls(key, &reports, a->batch)) return op.finish();
  if (a->rows == 0) {
    report_all(op, reports, a->batch, answered(KR_METHOD_DIRECT));
  } else if (a->dtype == KR_F32) {
    enqueue<float>(op, options, *a, *l, reports);
  } else {
    enqueue<double>(op, options, *a, *l, reports);
  }
  return op.finish();
}

}  // namespace kronroot::cuda
