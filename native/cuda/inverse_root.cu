// X = (A + epsilon I)^{-1/p}: the iteration, then the eigendecomposition for the matrices that it leaves.
#include "../core/check.hpp"
#include "inverse_root/eigen_root.hpp"
#include "inverse_root/large_root.hpp"
#include "inverse_root/small_root.hpp"
#include "ops.hpp"
#include "report_all.hpp"

namespace kronroot::cuda {
namespace {

constexpr double default_residual_bound = 0.05;
constexpr int default_iterations = 100;

// AUTO decomposes: on an H100 that takes less time than to learn from the tridiagonal form what schedule an iteration
// needs, at every order (docs/cuda.md). Methods that are not there are answered by minimax, as the report says.
int32_t method_of(int32_t asked) {
  switch (asked) {
    case KR_METHOD_AUTO:
    case KR_METHOD_EIGH:
    case KR_METHOD_COUPLED_NEWTON:
    case KR_METHOD_HIGHER_ORDER:
      return asked == KR_METHOD_AUTO ? KR_METHOD_EIGH : asked;
    default:
      return KR_METHOD_MINIMAX;
  }
}

RootRequest request_of(const kr_inverse_root_options& options, int32_t dtype) {
  return {.root = root_of(options),
          .dtype = dtype,
          .method = method_of(options.method),
          .ridge = options.ridge,
          .ridge_value = options.ridge_value,
          .residual_bound = options.residual_bound == 0 ? default_residual_bound : options.residual_bound,
          .full_residual = options.full_residual != 0,
          .most_iterations = options.max_iterations > 0 ? options.max_iterations : default_iterations};
}

template <typename T>
void enqueue(Op& op, const RootRequest& request, const kr_batch& a, const kr_batch& x, kr_report* given) {
  kr_report* reports = given != nullptr ? given : op.scratch<kr_report>(a.batch);
  const RootBatch<T> batch{view_of<const T>(a), view_of<T>(x), Global<kr_report>(reports),
                           Global<int32_t>(op.scratch<int32_t>(a.batch))};
  const bool is_eigen_first = request.method == KR_METHOD_EIGH || request.is_pseudo_inverse();
  const RootTurn turn = is_eigen_first ? RootTurn::first : RootTurn::next;
  if (!is_eigen_first) {
    const MinimaxTable* table = request.method == KR_METHOD_MINIMAX
                                    ? minimax_table(op, request.root.a, minimax_tolerance * ulp_of<T>)
                                    : nullptr;
    if (is_small_root<T>(op.device(), request, a.rows)) {
      small_roots(op, request, Schedules::of(table), batch);
    } else {
      large_roots(op, request, table, batch);
    }
  }
  if (a.rows <= most_in_warps) return eigen_roots_in_warps(op, request, turn, batch);
  if (is_eigen_first) eigen_roots<T, T>(op, request, RootTurn::first, batch);
  if (!is_eigen_first || sizeof(T) < sizeof(double)) eigen_roots<T, double>(op, request, RootTurn::next, batch);
}

}  // namespace

kr_code inverse_root(const kr_call* call, const kr_inverse_root_options* given, const kr_batch* a, const kr_batch* x,
                     kr_report* reports) {
  if (const kr_code code = check_inverse_root(call, given, a, x); code != KR_OK) return code;
  const kr_inverse_root_options options = given == nullptr ? kr_inverse_root_options{} : *given;
  Op op(call, "inverse_root");
  if (op.failed() || a->batch == 0) return op.finish();
  if (a->rows == 0) {
    report_all(op, reports, a->batch, answered(KR_METHOD_DIRECT));
    return op.finish();
  }
  const CallKey key = CallKey("inverse_root").add(options).add(a).add(x);
  if (a->rows > most_in_warps && op.recalls(key, &reports, a->batch)) return op.finish();
  const RootRequest request = request_of(options, a->dtype);
  a->dtype == KR_F32 ? enqueue<float>(op, request, *a, *x, reports) : enqueue<double>(op, request, *a, *x, reports);
  return op.finish();
}

}  // namespace kronroot::cuda
