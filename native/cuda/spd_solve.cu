// (A + epsilon I) X = B
#include "../core/check.hpp"
#include "ops.hpp"
#include "report_all.hpp"
#include "spd/dispatch.hpp"
#include "spd/lambda_max.hpp"
#include "spd/large.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
void enqueue(Op& op, const kr_spd_solve_options& options, const kr_batch& a, const kr_batch& b, const kr_batch& x,
             kr_report* reports) {
  const BatchView<const T> input = view_of<const T>(a), right = view_of<const T>(b);
  const BatchView<T> output = view_of<T>(x);
  const SpdRidge ridge = find_ridge(op, options, input);
  LaunchShape shape;
  if (a.rows <= most_in_parts) {
    choose_part(a.rows, [&]<int N>() {
      launch<spd_solve_in_parts<T, N>>(op, shape_of_parts<T, N>(a.batch, 2), input, ridge, right, output,
                                       Global<kr_report>(reports));
    });
  } else if (fits_into_shared<SpdSolveShared<T>>(op, a.batch, a.rows, &shape)) {
    launch<spd_solve_in_shared<T>>(op, shape, input, ridge, right, output, Global<kr_report>(reports));
  } else {
    spd_solve_large<T>(op, ridge, input, right, output, reports);
  }
}

}  // namespace

kr_code spd_solve(const kr_call* call, const kr_spd_solve_options* given, const kr_batch* a, const kr_batch* b,
                  const kr_batch* x, kr_report* reports) {
  if (const kr_code code = check_spd_solve(call, given, a, b, x)) return code;
  const kr_spd_solve_options options = given == nullptr ? kr_spd_solve_options{} : *given;
  Op op(call, "spd_solve");
  const CallKey key = CallKey("spd_solve").add(options).add(a).add(b).add(x);
  if (a->rows > most_in_parts && op.recalls(key, &reports, a->batch)) return op.finish();
  if (a->rows == 0) {
    report_all(op, reports, a->batch, answered(KR_METHOD_DIRECT));
  } else if (a->dtype == KR_F32) {
    enqueue<float>(op, options, *a, *b, *x, reports);
  } else {
    enqueue<double>(op, options, *a, *b, *x, reports);
  }
  return op.finish();
}

}  // namespace kronroot::cuda
