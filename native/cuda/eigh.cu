// (A + A^T) / 2 = V diag(w) V^T
#include "../core/check.hpp"
#include "eigen/in_warps.hpp"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
void decompose(Op& op, const kr_eigh_options& options, const kr_batch& a, const kr_batch& values,
               const kr_batch* vectors, kr_report* reports) {
  const BatchView<T> no_vectors{};
  (void)options;
  eigh_in_warps<T>(op, {.a = view_of<const T>(a),
                        .values = view_of<T>(values),
                        .vectors = vectors == nullptr ? no_vectors : view_of<T>(*vectors),
                        .reports = Global<kr_report>(reports)});
}

}  // namespace

kr_code eigh(const kr_call* call, const kr_eigh_options* options, const kr_batch* a, const kr_batch* values,
             const kr_batch* vectors, kr_report* reports) {
  if (const kr_code code = check_eigh(call, options, a, values, vectors); code != KR_OK) return code;
  const kr_eigh_options given = options == nullptr ? kr_eigh_options{} : *options;
  Op op(call, "eigh");
  if (a->rows > most_in_warp) return fail(call, KR_NOT_COMPILED, "eigh: not yet above order 32");
  a->dtype == KR_F32 ? decompose<float>(op, given, *a, *values, vectors, reports)
                     : decompose<double>(op, given, *a, *values, vectors, reports);
  return op.finish();
}

}  // namespace kronroot::cuda
