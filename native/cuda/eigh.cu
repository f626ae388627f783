// (A + A^T) / 2 = V diag(w) V^T
#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "eigen/eigh_batch.hpp"
#include "eigen/in_warps.hpp"
#include "eigen/refresh.hpp"
#include "eigen/screening.hpp"
#include "launch.hpp"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

// Before any decision of the device: decomposed, by the method of this order.
__global__ void assume_decomposed(int64_t batch, int32_t usual, Global<int32_t> status, Global<int32_t> method) {
  const int64_t b = block_index() * block_threads() + thread_index();
  if (b >= batch) return;
  status[b] = KR_STATUS_OK;
  method[b] = usual;
}

// In steps: input, decomposition or what an earlier basis makes of it, outputs.
template <typename T>
void decompose_in_steps(Op& op, const kr_eigh_options& options, const BatchView<const T>& a, const BatchView<T>& values,
                        const BatchView<T>& vectors, kr_report* reports) {
  const int64_t n = a.rows;
  Screened screened;
  screened.status = op.scratch<int32_t>(a.batch);
  screened.exponent = op.scratch<int32_t>(a.batch);
  screened.size = op.scratch<double>(a.batch);
  screened.image = op.scratch<double>(a.batch * n);
  T* const scaled = op.scratch<T>(a.batch * n * n);
  const BatchView<const T> matrix = dense_view<const T>(scaled, a.batch, n, n);
  screen(op, a, dense_view(scaled, a.batch, n, n), screened);

  const bool has_vectors = static_cast<bool>(vectors.data);
  Decomposed<T> found{};
  found.values = dense_view(op.scratch<T>(a.batch * n), a.batch, n, 1);
  found.vectors = dense_view<T>(has_vectors ? op.scratch<T>(a.batch * n * n) : nullptr, a.batch, n, n);
  int32_t* const status = op.scratch<int32_t>(a.batch);
  int32_t* const method = op.scratch<int32_t>(a.batch);
  int32_t* const iterations = op.scratch<int32_t>(a.batch);
  launch<assume_decomposed>(op, {{(a.batch + 255) / 256}, 256, 0}, a.batch,
                            int32_t{n <= most_in_warp ? KR_METHOD_JACOBI : KR_METHOD_QL}, Global<int32_t>(status),
                            Global<int32_t>(method));
  const int32_t* skip = screened.status;
  if (options.refresh != KR_REFRESH_NONE) {
    int32_t* const skip_decompose = op.scratch<int32_t>(a.batch);
    const double usual = static_cast<double>(n) * ulp_of<T>;
    refresh_bases<T>(op, {.a = matrix,
                          .basis = {vectors.data, vectors.batch, n, n, vectors.row_stride, vectors.batch_stride},
                          .status = screened.status,
                          .size = screened.size,
                          .iterates = options.refresh == KR_REFRESH_ITERATE,
                          .tolerance = options.refresh_tolerance > 0 ? options.refresh_tolerance : usual,
                          .values = found.values,
                          .vectors = found.vectors,
                          .method = method,
                          .iterations = iterations,
                          .skip_decompose = skip_decompose});
    skip = skip_decompose;
  }
  eigh_batch<T>(op, {.a = matrix,
                     .values = found.values,
                     .vectors = found.vectors,
                     .skip = skip,
                     .status = status,
                     .sweeps = iterations});
  found.status = status;
  found.method = method;
  found.iterations = iterations;
  write_answers(op, screened, found, values, vectors, reports);
}

template <typename T>
void decompose(Op& op, const kr_eigh_options& options, const kr_batch& a, const kr_batch& values,
               const kr_batch* vectors, kr_report* reports) {
  const BatchView<const T> input = view_of<const T>(a);
  const BatchView<T> w = view_of<T>(values);
  const BatchView<T> v = vectors == nullptr ? dense_view<T>(nullptr, a.batch, a.rows, a.rows) : view_of<T>(*vectors);
  const bool is_cold = options.refresh == KR_REFRESH_NONE || a.rows <= 1;
  if (a.rows <= most_in_warp && is_cold) {
    eigh_in_warps<T>(op, {.a = input, .values = w, .vectors = v, .reports = Global<kr_report>(reports)});
  } else {
    decompose_in_steps(op, options, input, w, v, reports);
  }
}

}  // namespace

kr_code eigh(const kr_call* call, const kr_eigh_options* options, const kr_batch* a, const kr_batch* values,
             const kr_batch* vectors, kr_report* reports) {
  if (const kr_code code = check_eigh(call, options, a, values, vectors); code != KR_OK) return code;
  const kr_eigh_options given = options == nullptr ? kr_eigh_options{} : *options;
  Op op(call, "eigh");
  const CallKey key = CallKey("eigh").add(given).add(a).add(values).add(vectors);
  if (a->rows > most_in_warp && op.recalls(key, &reports, a->batch)) return op.finish();
  a->dtype == KR_F32 ? decompose<float>(op, given, *a, *values, vectors, reports)
                     : decompose<double>(op, given, *a, *values, vectors, reports);
  return op.finish();
}

}  // namespace kronroot::cuda
