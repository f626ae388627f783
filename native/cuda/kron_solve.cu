// A system of Kronecker structure in its eigenbases: in shared memory where it fits, else by products and row kernels.
#include "../core/check.hpp"
#include "kron_solve/large_solve.hpp"
#include "kron_solve/small_solve.hpp"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
BatchView<T> view_or_none(const kr_batch* batch) {
  return batch == nullptr ? BatchView<T>{} : view_of<T>(*batch);
}

template <typename T>
KronProblem<T> problem_of(const kr_kron_solve_options& options, const kr_kron_bases& bases, const kr_batch* scale,
                          const kr_batch* statistics, const kr_batch& x, const kr_batch* y, kr_report* reports) {
  KronProblem<T> problem{};
  problem.x = view_of<const T>(x);
  problem.a = view_or_none<const T>(bases.a_vectors);
  problem.a_values = view_or_none<const T>(bases.a_values);
  problem.b = view_or_none<const T>(bases.b_vectors);
  problem.b_values = view_or_none<const T>(bases.b_values);
  problem.scale = view_or_none<const T>(scale);
  problem.statistics = view_or_none<T>(statistics);
  problem.y = view_or_none<T>(y);
  problem.reports = Global<kr_report>(reports);
  problem.is_root = options.power == KR_KRON_POWER_HALF;
  problem.damping = options.damping;
  problem.damping_value = options.damping_value;
  problem.factor = options.factor == 0 ? 1 : options.factor;
  problem.epsilon = options.epsilon;
  problem.reads_statistics = options.beta != 0;
  problem.decay = Decay<T>::of(options.beta);
  problem.weight = static_cast<T>(options.weight);
  return problem;
}

template <typename T>
void enqueue(Op& op, const KronProblem<T>& problem) {
  if (is_small_solve(op.device(), problem)) {
    solve_small(op, problem);
  } else {
    solve_large(op, problem);
  }
}

}  // namespace

kr_code kron_solve(const kr_call* call, const kr_kron_solve_options* given, const kr_kron_bases* given_bases,
                   const kr_batch* scale, const kr_batch* statistics, const kr_batch* x, const kr_batch* y,
                   kr_report* reports) {
  if (const kr_code code = check_kron_solve(call, given, given_bases, scale, statistics, x, y)) return code;
  const kr_kron_solve_options options = given == nullptr ? kr_kron_solve_options{} : *given;
  const kr_kron_bases bases = given_bases == nullptr ? kr_kron_bases{} : *given_bases;
  Op op(call, "kron_solve");
  if (op.failed() || x->batch == 0) return op.finish();
  x->dtype == KR_F32 ? enqueue(op, problem_of<float>(options, bases, scale, statistics, *x, y, reports))
                     : enqueue(op, problem_of<double>(options, bases, scale, statistics, *x, y, reports));
  return op.finish();
}

}  // namespace kronroot::cuda
