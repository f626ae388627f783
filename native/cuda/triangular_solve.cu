// op(T) X = alpha B, or X op(T) = alpha B
#include "../core/check.hpp"
#include "ops.hpp"
#include "report_all.hpp"
#include "triangular/by_blocks.hpp"
#include "triangular/in_parts.cuh"

namespace kronroot::cuda {
namespace {

template <typename T>
void enqueue(Op& op, const TriangularSystem<T>& system, kr_report* reports) {
  const int64_t n = system.order(), batch = system.t.batch;
  if (n == 0 || system.count() == 0) return report_all(op, reports, batch, answered(KR_METHOD_DIRECT));
  if (n > most_in_parts) return solve_by_blocks(op, system, reports);
  choose_part(n, [&]<int N>() {
    SharedArena arena;
    arena.take<T>(parts_of_block<N> * N * (N + 1));
    launch<triangular_in_parts<T, N>>(op,
                                      {.blocks = {(batch + parts_of_block<N> - 1) / parts_of_block<N>},
                                       .threads = part_threads,
                                       .shared_bytes = arena.bytes()},
                                      system, Global<kr_report>(reports));
  });
}

}  // namespace

kr_code triangular_solve(const kr_call* call, const kr_triangular_solve_options* given, const kr_batch* t,
                         const kr_batch* b, const kr_batch* x, kr_report* reports) {
  if (const kr_code code = check_triangular_solve(call, given, t, b, x)) return code;
  const kr_triangular_solve_options options = given == nullptr ? kr_triangular_solve_options{} : *given;
  Op op(call, "triangular_solve");
  const CallKey key = CallKey("triangular_solve").add(options).add(t).add(b).add(x);
  if (t->rows > most_in_parts && op.recalls(key, &reports, t->batch)) return op.finish();
  t->dtype == KR_F32 ? enqueue(op, TriangularSystem<float>::of(options, *t, *b, *x), reports)
                     : enqueue(op, TriangularSystem<double>::of(options, *t, *b, *x), reports);
  return op.finish();
}

}  // namespace kronroot::cuda
