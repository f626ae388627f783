// (A + A^T) / 2 = V diag(w) V^T
#include "eigh.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "../core/planner.hpp"
#include "../core/random.hpp"
#include "../core/report.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "eigen/lanes.hpp"
#include "eigh_refresh.hpp"
#include "pool.hpp"
#include "scratch.hpp"
#include "symmetric_input.hpp"

namespace kronroot::cpu {
namespace {

// values <- values 2^exponent. The eigenvalue of a matrix that reaches the largest number of T may round to just above
// it: within the error bound of eigh, n ulp, it becomes that number, beyond it infinity.
template <typename T>
void scale_values(int64_t n, T* values, int exponent) {
  constexpr double kMost = std::numeric_limits<T>::max();
  const double limit = std::ldexp(kMost, -exponent);
  for (int64_t j = 0; j < n; ++j) {
    const double size = std::abs(static_cast<double>(values[j]));
    if (size > limit && size <= limit * (1 + static_cast<double>(n) * ulp_of<T>)) {
      values[j] = std::copysign(static_cast<T>(limit), values[j]);
    }
  }
  scale_by_power_of_two(n, values, exponent);
}

// The residual probe: for a vector z of random signs, A z is kept while A is destroyed. All sums are in f64: in f32
// their rounding would hide a residual that is smaller than an ulp.
template <typename T>
class Probe {
 public:
  Probe(const Kernels<T>& kernels, int64_t n, const T* a, Scratch& scratch)
      : kernels_(kernels),
        n_(n),
        z_(scratch.take<double>(n)),
        product_(scratch.take<double>(n)),
        coordinates_(scratch.take<double>(n)) {
    std::fill(product_, product_ + n, 0.0);
    double squares = 0;
    for (int64_t i = 0; i < n; ++i) {
      z_[i] = random_sign(probe_stream, static_cast<uint64_t>(i));
      kernels.axpy_wide(n, z_[i], a + i * n, product_);
      squares += kernels.dot(n, a + i * n, a + i * n);
    }
    size_ = std::sqrt(squares) * std::sqrt(static_cast<double>(n));
  }

  // |A z - V diag(w) V^T z|_2 / (|A|_F |z|_2) with w = values 2^-exponent; 0 for A = 0.
  double residual(const T* values, int exponent, Matrix<T> vectors) {
    if (size_ == 0) return 0;
    std::fill(coordinates_, coordinates_ + n_, 0.0);
    for (int64_t i = 0; i < n_; ++i) kernels_.axpy_wide(n_, z_[i], &vectors(i, 0), coordinates_);
    // 2^-exponent alone may not be representable.
    const double half = std::ldexp(1.0, -(exponent / 2)), rest = std::ldexp(1.0, exponent / 2 - exponent);
    for (int64_t j = 0; j < n_; ++j) coordinates_[j] *= static_cast<double>(values[j]) * half * rest;
    double squares = 0;
    for (int64_t i = 0; i < n_; ++i) {
      const double difference = product_[i] - kernels_.dot_wide(n_, &vectors(i, 0), coordinates_);
      squares += difference * difference;
    }
    return std::sqrt(squares) / size_;
  }

 private:
  const Kernels<T>& kernels_;
  int64_t n_;
  double* z_;
  double* product_;
  double* coordinates_;
  double size_;
};

// Copies the eigenvectors so that the component of largest magnitude of each, the first of equals, is positive.
template <typename T>
void write_vectors(int64_t n, const T* vectors, Matrix<T> out, Scratch& scratch) {
  T* largest = scratch.take<T>(n);  // with its sign
  std::fill(largest, largest + n, T{0});
  for (int64_t i = 0; i < n; ++i) {
    const T* row = vectors + i * n;
    for (int64_t j = 0; j < n; ++j) largest[j] = std::abs(row[j]) > std::abs(largest[j]) ? row[j] : largest[j];
  }
  for (int64_t j = 0; j < n; ++j) largest[j] = std::copysign(T{1}, largest[j]);
  for (int64_t i = 0; i < n; ++i) {
    const T* row = vectors + i * n;
    T* out_row = &out(i, 0);
    for (int64_t j = 0; j < n; ++j) out_row[j] = row[j] * largest[j];
  }
}

// max|w| / min|w|
template <typename T>
double condition_of(int64_t n, const T* values) {
  double largest = 0, smallest = std::numeric_limits<double>::infinity();
  for (int64_t j = 0; j < n; ++j) {
    const double size = std::abs(static_cast<double>(values[j]));
    largest = std::max(largest, size);
    smallest = std::min(smallest, size);
  }
  return largest == 0 ? not_measured : largest / smallest;
}

template <typename T>
bool all_finite(int64_t n, const T* values) {
  return std::all_of(values, values + n, [](T value) { return std::isfinite(value); });
}

void run_on_pool(int64_t count, void* object, void (*body)(void* object, int64_t index)) {
  auto each = [&](int64_t index) { body(object, index); };
  // Nothing was run where there was no memory for the loop.
  if (parallel_for(count, static_cast<int>(count), nullptr, each) == Loop::out_of_memory) {
    for (int64_t index = 0; index < count; ++index) each(index);
  }
}

// A matrix gets the threads that a small batch leaves idle.
Execution execution_of(const kr_call* call, int64_t batch) {
  return {call->cancel, static_cast<int>(std::max<int64_t>(1, call->device->threads / batch)), run_on_pool};
}

// What is left when values and vectors are there but for scale and sign: w and v to the outputs, and the report.
template <typename T>
kr_report finish(kr_report report, int64_t n, int exponent, T* w, const T* v, Probe<T>& probe, Matrix<T> values,
                 Matrix<T> vectors) {
  Scratch scratch;
  report.condition = condition_of(n, w);
  scale_values(n, w, exponent);
  if (!all_finite(n, w)) return failed(KR_STATUS_OVERFLOW);
  for (int64_t j = 0; j < n; ++j) values(j, 0) = w[j];
  if (vectors.data != nullptr) {
    write_vectors(n, v, vectors, scratch);
    report.residual = probe.residual(w, exponent, vectors);
  }
  return report;
}

// One matrix; vectors.data is null for values only.
template <typename T>
kr_report decompose(const kr_call* call, const kr_eigh_options& options, int64_t batch, const Matrix<T>& a,
                    Matrix<T> values, Matrix<T> vectors) {
  const KernelSet& kernels = *call->device->kernels;
  const int64_t n = a.rows;
  if (n == 0) return answered(KR_METHOD_DIRECT);
  const bool wants_vectors = vectors.data != nullptr;
  Scratch scratch;
  T* symmetric = scratch.take<T>(n * n);
  const SymmetricInput input = read_symmetric(a, symmetric);
  if (input.status != KR_STATUS_OK) return failed(input.status);
  scale_by_power_of_two(n * n, symmetric, -input.exponent);

  T* w = scratch.take<T>(n);
  T* v = wants_vectors ? scratch.take<T>(n * n) : nullptr;
  Probe<T> probe(kernels_of<T>(kernels), wants_vectors ? n : 0, symmetric, scratch);
  kr_report report = answered(n == 1 ? KR_METHOD_DIRECT : KR_METHOD_QL);
  Refreshed refreshed = Refreshed::declined;
  if (options.refresh != KR_REFRESH_NONE && n > 1) {
    refreshed = refresh_basis(kernels_of<T>(kernels), options, n, symmetric, vectors, w, v, call->cancel);
  }
  switch (refreshed) {
    case Refreshed::cancelled:
      return failed(KR_STATUS_CANCELLED);
    case Refreshed::kept:
      report.method = KR_METHOD_KEPT_BASIS;
      break;
    case Refreshed::iterated:
      report.method = KR_METHOD_ORTHOGONAL_ITERATION;
      report.iterations = 1;
      break;
    case Refreshed::declined: {
      const int64_t sweeps = decompose_symmetric(kernels, n, 0, symmetric, w, v, execution_of(call, batch));
      if (sweeps < 0) return failed(sweeps == kCancelled ? KR_STATUS_CANCELLED : KR_STATUS_NOT_CONVERGED);
      report.iterations = static_cast<int32_t>(sweeps);
      break;
    }
  }
  return finish(report, n, input.exponent, w, v, probe, values, vectors);
}

// A group, one matrix to a lane; lanes without an answer are decomposed one by one.
template <typename T>
void decompose_group(const kr_call* call, const kr_eigh_options& options, const double* signs, const kr_batch& a,
                     const kr_batch& values, const kr_batch* vectors, int64_t first, int count, kr_report* reports) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const bool wants_vectors = vectors != nullptr;
  EighLanes<T> op{};
  const LaneGroup<T> from = lane_group<T>(a, first, count);
  op.a = {from.data, from.rows, from.cols, from.row_stride, from.matrix_stride, count};
  op.values = lane_group<T>(values, first, count);
  if (wants_vectors) op.vectors = lane_group<T>(*vectors, first, count);
  op.signs = signs;
  Scratch scratch;
  kernels.eigh_lanes(op, scratch.take<T>(kernels.eigh_lanes_workspace(a.rows, wants_vectors)));
  for (int l = 0; l < count; ++l) {
    const int64_t index = first + l;
    if (op.input.status[l] != KR_STATUS_OK) {
      reports[l] = failed(op.input.status[l]);
    } else if (!op.answered[l]) {
      reports[l] = decompose(call, options, a.batch, matrix_of<T>(a, index), matrix_of<T>(values, index),
                             wants_vectors ? matrix_of<T>(*vectors, index) : Matrix<T>{});
    } else {
      reports[l] = answered(a.rows == 1 ? KR_METHOD_DIRECT : KR_METHOD_QL);
      reports[l].iterations = static_cast<int32_t>(op.sweeps[l]);
      reports[l].condition = op.input.largest[l] == 0 ? not_measured : op.condition[l];
      if (wants_vectors) reports[l].residual = op.residual[l];
    }
  }
}

template <typename T>
kr_code decompose_batch(const kr_call* call, const kr_eigh_options& options, const kr_batch& a, const kr_batch& values,
                        const kr_batch* vectors, kr_report* reports) {
  const auto n = static_cast<double>(a.rows);
  const double flops = (vectors != nullptr ? 9.0 : 4.0 / 3) * n * n * n;
  const LaneOp op = vectors != nullptr ? LaneOp::eigh : LaneOp::eigh_values;
  const bool is_cold = options.refresh == KR_REFRESH_NONE && a.rows > 0;
  if (is_cold && plan_lanes(*call->device->crossovers, op, a.dtype, a.rows, a.batch)) {
    std::vector<double> signs;
    for (int64_t i = 0; i < a.rows; ++i) signs.push_back(random_sign(probe_stream, static_cast<uint64_t>(i)));
    return report_groups(call, a.batch, kernels_of<T>(*call->device->kernels).lanes, flops, reports,
                         [&](int64_t first, int count, kr_report* of_group) {
                           decompose_group<T>(call, options, signs.data(), a, values, vectors, first, count, of_group);
                         });
  }
  return report_each(call, a.batch, flops, reports, [&](int64_t index) {
    return decompose(call, options, a.batch, matrix_of<T>(a, index), matrix_of<T>(values, index),
                     vectors != nullptr ? matrix_of<T>(*vectors, index) : Matrix<T>{});
  });
}

}  // namespace

template <typename T>
int64_t decompose_symmetric(const KernelSet& kernels, int64_t n, int exponent, T* a, T* values, T* vectors,
                            const Execution& execution) {
  const Kernels<T>& table = kernels_of<T>(kernels);
  Scratch scratch;
  T* workspace = scratch.take<T>(table.eigh_workspace(n, vectors != nullptr, execution.threads));
  scale_by_power_of_two(n * n, a, -exponent);
  const int64_t sweeps = table.eigh(n, a, values, vectors, n, workspace, execution);
  if (sweeps >= 0) scale_values(n, values, exponent);
  return sweeps;
}

template int64_t decompose_symmetric<float>(const KernelSet&, int64_t, int, float*, float*, float*, const Execution&);
template int64_t decompose_symmetric<double>(const KernelSet&, int64_t, int, double*, double*, double*,
                                             const Execution&);

kr_code eigh(const kr_call* call, const kr_eigh_options* options, const kr_batch* a, const kr_batch* values,
             const kr_batch* vectors, kr_report* reports) {
  if (const kr_code code = check_eigh(call, options, a, values, vectors); code != KR_OK) return code;
  const kr_eigh_options given = options == nullptr ? kr_eigh_options{} : *options;
  return a->dtype == KR_F32 ? decompose_batch<float>(call, given, *a, *values, vectors, reports)
                            : decompose_batch<double>(call, given, *a, *values, vectors, reports);
}

}  // namespace kronroot::cpu
