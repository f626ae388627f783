// (A + A^T) / 2 = V diag(w) V^T
#include "../core/check.hpp"
#include "eigen/eigh_batch.hpp"
#include "eigen/in_warps.hpp"
#include "eigen/screening.hpp"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
void decompose_large(Op& op, const BatchView<const T>& a, const BatchView<T>& values, const BatchView<T>& vectors,
                     kr_report* reports) {
  const int64_t n = a.rows;
  Screened screened;
  screened.status = op.scratch<int32_t>(a.batch);
  screened.exponent = op.scratch<int32_t>(a.batch);
  screened.size = op.scratch<double>(a.batch);
  screened.image = op.scratch<double>(a.batch * n);
  const BatchView<T> matrix = dense_view(op.scratch<T>(a.batch * n * n), a.batch, n, n);
  screen(op, a, matrix, screened);

  const bool has_vectors = static_cast<bool>(vectors.data);
  Decomposed<T> found{};
  found.values = dense_view(op.scratch<T>(a.batch * n), a.batch, n, 1);
  found.vectors = dense_view<T>(has_vectors ? op.scratch<T>(a.batch * n * n) : nullptr, a.batch, n, n);
  int32_t* const status = op.scratch<int32_t>(a.batch);
  int32_t* const sweeps = op.scratch<int32_t>(a.batch);
  eigh_batch<T>(op, {.a = dense_view<const T>(matrix.data.address(), a.batch, n, n),
                     .values = found.values,
                     .vectors = found.vectors,
                     .skip = screened.status,
                     .status = status,
                     .sweeps = sweeps});
  found.status = status;
  found.iterations = sweeps;
  write_answers(op, screened, found, values, vectors, reports);
}

template <typename T>
void decompose(Op& op, const kr_eigh_options& options, const kr_batch& a, const kr_batch& values,
               const kr_batch* vectors, kr_report* reports) {
  (void)options;
  const BatchView<const T> input = view_of<const T>(a);
  const BatchView<T> w = view_of<T>(values);
  const BatchView<T> v = vectors == nullptr ? dense_view<T>(nullptr, a.batch, a.rows, a.rows) : view_of<T>(*vectors);
  if (a.rows <= most_in_warp) {
    eigh_in_warps<T>(op, {.a = input, .values = w, .vectors = v, .reports = Global<kr_report>(reports)});
  } else {
    decompose_large(op, input, w, v, reports);
  }
}

}  // namespace

kr_code eigh(const kr_call* call, const kr_eigh_options* options, const kr_batch* a, const kr_batch* values,
             const kr_batch* vectors, kr_report* reports) {
  if (const kr_code code = check_eigh(call, options, a, values, vectors); code != KR_OK) return code;
  const kr_eigh_options given = options == nullptr ? kr_eigh_options{} : *options;
  Op op(call, "eigh");
  a->dtype == KR_F32 ? decompose<float>(op, given, *a, *values, vectors, reports)
                     : decompose<double>(op, given, *a, *values, vectors, reports);
  return op.finish();
}

}  // namespace kronroot::cuda
