// NaN into the matrices of an output whose report is a failure.
#include <limits>

#include "../core/report.hpp"
#include "batch.cuh"
#include "launch.hpp"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
__global__ void fill_failed_matrices(Global<const kr_report> reports, BatchView<T> output) {
  const int64_t b = block_index();
  if (!is_failure(reports[b])) return;
  const MatrixView<T> matrix = output[b];
  const int64_t count = matrix.rows * matrix.cols;
  for (int64_t e = thread_index(); e < count; e += block_threads()) {
    matrix(e / matrix.cols, e % matrix.cols) = std::numeric_limits<T>::quiet_NaN();
  }
}

template <typename T>
void enqueue(Op& op, const kr_report* reports, const kr_batch& output) {
  launch<fill_failed_matrices<T>>(op, {.blocks = {output.batch}, .threads = 256}, Global<const kr_report>(reports),
                                  view_of<T>(output));
}

}  // namespace

kr_code fill_failed(const kr_call* call, const kr_report* reports, const kr_batch* output) {
  Op op(call, "fill_failed");
  if (output->batch == 0 || output->rows == 0 || output->cols == 0) return op.finish();
  output->dtype == KR_F32 ? enqueue<float>(op, reports, *output) : enqueue<double>(op, reports, *output);
  return op.finish();
}

}  // namespace kronroot::cuda
