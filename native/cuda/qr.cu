// A = Q R
#include <algorithm>

#include "../core/check.hpp"
#include "ops.hpp"
#include "qr/in_parts.cuh"
#include "qr/in_shared.cuh"
#include "qr/large.hpp"
#include "report_all.hpp"

namespace kronroot::cuda {
namespace {

// The complete Q of a matrix without columns. One block a matrix.
template <typename T>
__global__ void write_identity(BatchView<T> q) {
  const MatrixView<T> to = q[block_index()];
  for (int64_t e = thread_index(); e < to.rows * to.cols; e += block_threads()) {
    to(e / to.cols, e % to.cols) = e / to.cols == e % to.cols ? T(1) : T(0);
  }
}

template <typename T>
bool fits_into_shared(const Op& op, int64_t m, int64_t n, std::size_t* bytes) {
  constexpr int64_t most = int64_t{1} << 16;  // far beyond what fits; sizes below stay in the range of int
  if (m > most_rows_in_shared || n > most) return false;
  SharedArena arena;
  QrMemory<T>::take(arena, static_cast<int>(m), static_cast<int>(n));
  *bytes = arena.bytes();
  return *bytes <= static_cast<std::size_t>(op.device().shared_bytes);
}

template <typename T>
void enqueue(Op& op, const kr_batch& a, const kr_batch* q_out, const kr_batch* r_out, kr_report* reports) {
  const BatchView<const T> input = view_of<const T>(a);
  const BatchView<T> nothing = dense_view<T>(nullptr, a.batch, 0, 0);
  const BatchView<T> q = q_out != nullptr ? view_of<T>(*q_out) : nothing;
  const BatchView<T> r = r_out != nullptr ? view_of<T>(*r_out) : nothing;
  const Global<kr_report> to(reports);
  const int64_t batch = a.batch, m = a.rows, n = a.cols, longer = std::max(m, n);
  std::size_t bytes = 0;
  if (m == 0 || n == 0) {
    if (q.rows > 0 && q.cols > 0) launch<write_identity<T>>(op, {.blocks = {batch}, .threads = 256}, q);
    report_all(op, reports, batch, answered(KR_METHOD_DIRECT));
  } else if (longer <= most_in_parts) {
    choose_part(longer, [&]<int N>() {
      launch<qr_in_parts<T, N>>(
          op, {.blocks = {(batch + parts_of_block<N> - 1) / parts_of_block<N>}, .threads = part_threads}, input, q, r,
          to);
    });
  } else if (fits_into_shared<T>(op, m, n, &bytes)) {
    const LaunchShape shape{.blocks = {batch}, .threads = qr_threads, .shared_bytes = bytes};
    if (m <= 64) {
      launch<qr_in_shared<T, 2>>(op, shape, input, q, r, to);
    } else if (m <= 128) {
      launch<qr_in_shared<T, 4>>(op, shape, input, q, r, to);
    } else {
      launch<qr_in_shared<T, 8>>(op, shape, input, q, r, to);
    }
  } else {
    qr_large(op, input, q, r, reports);
  }
}

}  // namespace

kr_code qr(const kr_call* call, const kr_qr_options* given, const kr_batch* a, const kr_batch* q, const kr_batch* r,
           kr_report* reports) {
  if (const kr_code code = check_qr(call, given, a, q, r)) return code;
  Op op(call, "qr");
  const CallKey key = CallKey("qr").add(a).add(q).add(r);
  if (std::max(a->rows, a->cols) > most_in_parts && op.recalls(key, &reports, a->batch)) return op.finish();
  a->dtype == KR_F32 ? enqueue<float>(op, *a, q, r, reports) : enqueue<double>(op, *a, q, r, reports);
  return op.finish();
}

}  // namespace kronroot::cuda
