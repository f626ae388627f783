#include "screening.hpp"

#include <cmath>

#include "../../core/random.hpp"
#include "../../core/report.hpp"
#include "../launch.hpp"
#include "../symmetric_input.cuh"
#include "scale.cuh"

namespace kronroot::cuda {
namespace {

constexpr int screening_threads = 512;
constexpr int tile = 32;

__device__ __forceinline__ double probe(int64_t i) { return random_sign(probe_stream, static_cast<uint64_t>(i)); }

// One block a matrix. Shared memory: a number for each warp.
template <typename T>
__global__ void screen_matrices(BatchView<const T> a, Screened screened) {
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warp_count());
  const int64_t b = block_index();
  const SymmetricInput input = scan_symmetric(a[b], partial);
  if (thread_index() != 0) return;
  Global<int32_t>(screened.status)[b] = input.status;
  Global<int32_t>(screened.exponent)[b] = input.exponent;
}

// A tile of the mean of A and its transpose, scaled. Shared memory: the mirrored tile, by rows of 33.
template <typename T>
__global__ void symmetrise(BatchView<const T> a, BatchView<T> matrix, Screened screened) {
  const int64_t n = a.rows, side = (n + tile - 1) / tile;
  const int64_t b = block_index() / (side * side), at = block_index() % (side * side);
  if (Global<const int32_t>(screened.status)[b] != KR_STATUS_OK) return;
  SharedArena arena;
  const Shared<T> mirrored = arena.take<T>(tile * (tile + 1));
  const MatrixView<const T> from = a[b];
  const MatrixView<T> to = matrix[b];
  const int64_t row = at / side * tile, col = at % side * tile;
  const int lane = lane_index();
  for (int r = warp_index(); r < tile; r += warp_count()) {
    if (col + r < n && row + lane < n) mirrored[r * (tile + 1) + lane] = from(col + r, row + lane);
  }
  sync_block();
  const PowerOfTwo unit(-Global<const int32_t>(screened.exponent)[b]);
  for (int r = warp_index(); r < tile; r += warp_count()) {
    const int64_t i = row + r, j = col + lane;
    if (i >= n || j >= n) continue;
    const T here = from(i, j), other = mirrored[lane * (tile + 1) + r];
    const T low = i >= j ? here : other, high = i >= j ? other : here;
    // Of halves, so that nothing overflows; it is 0 where A is symmetric.
    to(i, j) = static_cast<T>(unit.times(static_cast<double>(low + (high / 2 - low / 2))));
  }
}

// A z and the squares of A, a warp a row; A is read by rows.
template <typename T>
__global__ void probe_matrix(BatchView<const T> matrix, Screened screened) {
  const int64_t b = block_index();
  if (Global<const int32_t>(screened.status)[b] != KR_STATUS_OK) return;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warp_count());
  const MatrixView<const T> a = matrix[b];
  double squares = 0;
  for (int64_t i = warp_index(); i < a.rows; i += warp_count()) {
    double sum = 0;
    for (int64_t j = lane_index(); j < a.rows; j += warp_size) {
      const double x = static_cast<double>(a(i, j));
      sum += probe(j) * x;
      squares += x * x;
    }
    sum = warp_sum(sum);
    if (lane_index() == 0) Global<double>(screened.image)[b * a.rows + i] = sum;
  }
  squares = block_sum(squares, partial);
  if (thread_index() == 0) Global<double>(screened.size)[b] = std::sqrt(squares);
}

// One block a matrix. `coordinates` and `signs`: n numbers of scratch memory for each matrix.
template <typename T>
__global__ void write_matrices(Screened screened, Decomposed<T> found, BatchView<T> values, BatchView<T> vectors,
                               Global<kr_report> reports, Global<double> coordinates, Global<T> signs) {
  const int64_t b = block_index();
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warp_count());
  const int64_t n = found.values.rows;
  const int32_t of_input = Global<const int32_t>(screened.status)[b];
  int32_t status = of_input != KR_STATUS_OK ? of_input : Global<const int32_t>(found.status)[b];
  double residual = not_measured, condition = not_measured;
  if (status == KR_STATUS_OK) {
    const int exponent = Global<const int32_t>(screened.exponent)[b];
    const PowerOfTwo unit(-exponent);
    const MatrixView<T> w = found.values[b];
    double largest = 0, minus_smallest = -HUGE_VAL, overflows = 0;
    for (int64_t j = thread_index(); j < n; j += block_threads()) {
      const double size = std::abs(static_cast<double>(w(j, 0)));
      largest = std::max(largest, size);
      minus_smallest = std::max(minus_smallest, -size);
      const T scaled = scaled_back<T>(w(j, 0), exponent, n);
      if (!(scaled - scaled == 0)) overflows = 1;
    }
    largest = block_max(largest, partial);
    minus_smallest = block_max(minus_smallest, partial);
    condition = largest == 0 ? not_measured : largest / -minus_smallest;
    if (block_max(overflows, partial) != 0) status = KR_STATUS_OVERFLOW;
    if (status == KR_STATUS_OK) {
      const MatrixView<T> values_out = values[b];
      for (int64_t j = thread_index(); j < n; j += block_threads()) {
        values_out(j, 0) = scaled_back<T>(w(j, 0), exponent, n);
      }
    }
    if (status == KR_STATUS_OK && found.vectors.data) {
      const MatrixView<T> v = found.vectors[b], v_out = vectors[b];
      const Global<double> coordinate = coordinates + b * n;
      const Global<T> sign = signs + b * n;
      // Of every column its leading component, the first of equals, and w (V^T z), of the values that are returned.
      for (int64_t j = thread_index(); j < n; j += block_threads()) {
        T peak = 0;
        double sum = 0;
        for (int64_t i = 0; i < n; ++i) {
          const T x = v(i, j);
          peak = std::abs(x) > std::abs(peak) ? x : peak;
          sum += probe(i) * static_cast<double>(x);
        }
        coordinate[j] = sum * unit.times(static_cast<double>(scaled_back<T>(w(j, 0), exponent, n)));
        sign[j] = peak < 0 ? T(-1) : T(1);
      }
      sync_block();
      double squares = 0;
      for (int64_t i = warp_index(); i < n; i += warp_count()) {
        double sum = 0;
        for (int64_t j = lane_index(); j < n; j += warp_size) {
          const T x = v(i, j);
          sum += static_cast<double>(x) * coordinate[j];
          v_out(i, j) = x * sign[j];
        }
        const double difference = Global<const double>(screened.image)[b * n + i] - warp_sum(sum);
        squares += lane_index() == 0 ? difference * difference : 0.0;
      }
      squares = block_sum(squares, partial);
      const double size = Global<const double>(screened.size)[b];
      residual = size == 0 ? 0 : std::sqrt(squares) / (size * std::sqrt(static_cast<double>(n)));
    }
  }
  if (thread_index() != 0 || !reports) return;
  kr_report report = failed(static_cast<kr_status>(status));
  if (status == KR_STATUS_OK) {
    report = answered(KR_METHOD_QL);
    if (found.method != nullptr) report.method = Global<const int32_t>(found.method)[b];
    report.iterations = Global<const int32_t>(found.iterations)[b];
    report.residual = residual;
    report.condition = condition;
  }
  reports[b] = report;
}

}  // namespace

template <typename T>
void screen(Op& op, const BatchView<const T>& a, const BatchView<T>& matrix, const Screened& screened) {
  constexpr std::size_t partial = screening_threads / warp_size * sizeof(double);
  launch<screen_matrices<T>>(op, {{a.batch}, screening_threads, partial}, a, screened);
  const int64_t side = (a.rows + tile - 1) / tile;
  launch<symmetrise<T>>(op, {{a.batch * side * side}, 256, tile * (tile + 1) * sizeof(T)}, a, matrix, screened);
  launch<probe_matrix<T>>(
      op, {{a.batch}, screening_threads, partial},
      BatchView<const T>{matrix.data, matrix.batch, matrix.rows, matrix.cols, matrix.row_stride, matrix.batch_stride},
      screened);
}

template <typename T>
void write_answers(Op& op, const Screened& screened, const Decomposed<T>& found, const BatchView<T>& values,
                   const BatchView<T>& vectors, kr_report* reports) {
  const int64_t count = found.values.batch * found.values.rows;
  double* const coordinates = op.scratch<double>(count);
  T* const signs = op.scratch<T>(count);
  launch<write_matrices<T>>(
      op, {{found.values.batch}, screening_threads, screening_threads / warp_size * sizeof(double)}, screened, found,
      values, vectors, Global<kr_report>(reports), Global<double>(coordinates), Global<T>(signs));
}

template void screen(Op&, const BatchView<const float>&, const BatchView<float>&, const Screened&);
template void screen(Op&, const BatchView<const double>&, const BatchView<double>&, const Screened&);
template void write_answers(Op&, const Screened&, const Decomposed<float>&, const BatchView<float>&,
                            const BatchView<float>&, kr_report*);
template void write_answers(Op&, const Screened&, const Decomposed<double>&, const BatchView<double>&,
                            const BatchView<double>&, kr_report*);

}  // namespace kronroot::cuda
