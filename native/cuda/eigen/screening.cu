#include "screening.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "../../core/random.hpp"
#include "../../core/report.hpp"
#include "../launch.hpp"
#include "../symmetric_input.cuh"
#include "scale.cuh"

namespace kronroot::cuda {
namespace {

constexpr int screening_threads = 512;
constexpr int tile = 32;

// What tiles find of a matrix, as bits whose order is that of the magnitudes: the largest element, the largest skew
// (half of a difference), and 1 where something is not finite. Maxima of integers do not depend on the order of the
// tiles.
template <typename T>
using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
constexpr int numbers_of_scan = 3;

// Tile (row, col) of A beside the tile that mirrors it, which goes through shared memory, by rows of 33.
template <typename T>
class TilePair {
 public:
  __device__ TilePair(const MatrixView<const T>& a, int64_t row, int64_t col, Shared<T> mirrored)
      : a_(a), row_(row), col_(col), mirrored_(mirrored) {
    const int lane = lane_index();
    for (int r = warp_index(); r < tile; r += warp_count()) {
      if (col + r < a.rows && row + lane < a.rows) mirrored[r * (tile + 1) + lane] = a(col + r, row + lane);
    }
    sync_block();
  }

  // each(i, j, a_ij, a_ji), by all threads of the block.
  template <typename F>
  __device__ void for_each(const F& each) const {
    const int64_t j = col_ + lane_index();
    for (int r = warp_index(); r < tile; r += warp_count()) {
      const int64_t i = row_ + r;
      if (i < a_.rows && j < a_.rows) each(i, j, a_(i, j), T(mirrored_[lane_index() * (tile + 1) + r]));
    }
  }

 private:
  MatrixView<const T> a_;
  int64_t row_, col_;
  Shared<T> mirrored_;
};

// The place of a block among the tiles of a batch of matrices of order n.
struct TileOfBatch {
  int64_t b, row, col;
  __device__ explicit TileOfBatch(int64_t n) {
    const int64_t side = (n + tile - 1) / tile, at = block_index() % (side * side);
    b = block_index() / (side * side);
    row = at / side * tile;
    col = at % side * tile;
  }
};

// The tiles of the lower triangle.
template <typename T>
__global__ void scan_tiles(BatchView<const T> a, Global<Bits<T>> scans) {
  const TileOfBatch at(a.rows);
  if (at.col > at.row) return;
  SharedArena arena;
  const TilePair<T> pair(a[at.b], at.row, at.col, arena.take<T>(tile * (tile + 1)));
  T largest = 0, largest_skew = 0;
  int is_bad = 0;
  pair.for_each([&](int64_t, int64_t, T here, T other) {
    if (!(here - here == 0) || !(other - other == 0)) {
      is_bad = 1;
      return;
    }
    largest = std::max(largest, std::max(std::abs(here), std::abs(other)));
    // Of halves, so that the difference does not overflow.
    largest_skew = std::max(largest_skew, std::abs(here / 2 - other / 2));
  });
  largest = warp_max(largest);
  largest_skew = warp_max(largest_skew);
  is_bad = warp_max(is_bad);
  if (lane_index() != 0) return;
  atomic_max(scans, numbers_of_scan * at.b, std::bit_cast<Bits<T>>(largest));
  atomic_max(scans, numbers_of_scan * at.b + 1, std::bit_cast<Bits<T>>(largest_skew));
  if (is_bad != 0) atomic_max(scans, numbers_of_scan * at.b + 2, Bits<T>{1});
}

// The mean of A and its transpose, scaled, a tile a block; and what became of the scan.
template <typename T>
__global__ void symmetrise(BatchView<const T> a, Global<const Bits<T>> scans, BatchView<T> matrix, Screened screened) {
  const TileOfBatch at(a.rows);
  SymmetricScan<T> scan;
  scan.largest = std::bit_cast<T>(scans[numbers_of_scan * at.b]);
  scan.largest_skew = std::bit_cast<T>(scans[numbers_of_scan * at.b + 1]);
  scan.is_finite = scans[numbers_of_scan * at.b + 2] == 0 ? 1 : 0;
  const SymmetricInput input = judged(scan);
  if (at.row == 0 && at.col == 0 && thread_index() == 0) {
    Global<int32_t>(screened.status)[at.b] = input.status;
    Global<int32_t>(screened.exponent)[at.b] = input.exponent;
  }
  if (input.status != KR_STATUS_OK) return;
  SharedArena arena;
  const TilePair<T> pair(a[at.b], at.row, at.col, arena.take<T>(tile * (tile + 1)));
  const PowerOfTwo unit(-input.exponent);
  const MatrixView<T> to = matrix[at.b];
  pair.for_each([&](int64_t i, int64_t j, T here, T other) {
    const T low = i >= j ? here : other, high = i >= j ? other : here;
    // Of halves, so that nothing overflows; it is 0 where A is symmetric.
    to(i, j) = static_cast<T>(unit.times(static_cast<double>(low + (high / 2 - low / 2))));
  });
}

// The probe and a number for each warp.
struct ProbeMemory {
  SharedArena arena;
  Shared<float> signs;
  Shared<double> partial;
  __host__ __device__ ProbeMemory(int n, int warps) : signs(arena.take<float>(n)), partial(arena.take<double>(warps)) {}
  __device__ void fill() const {
    for (int i = thread_index(); i < signs.count(); i += block_threads()) {
      signs[i] = static_cast<float>(random_sign(probe_stream, static_cast<uint64_t>(i)));
    }
    sync_block();
  }
};

// A z and the squares of A, a warp a row; A is read by rows. One block a matrix.
template <typename T>
__global__ void probe_matrix(BatchView<const T> matrix, Screened screened) {
  const int64_t b = block_index();
  if (Global<const int32_t>(screened.status)[b] != KR_STATUS_OK) return;
  const int n = static_cast<int>(matrix.rows);
  const ProbeMemory memory(n, warp_count());
  memory.fill();
  const MatrixView<const T> a = matrix[b];
  double squares = 0;
  for (int i = warp_index(); i < n; i += warp_count()) {
    double sum = 0;
    for (int j = lane_index(); j < n; j += warp_size) {
      const double x = static_cast<double>(a(i, j));
      sum += static_cast<double>(float(memory.signs[j])) * x;
      squares += x * x;
    }
    sum = warp_sum(sum);
    if (lane_index() == 0) Global<double>(screened.image)[b * n + i] = sum;
  }
  squares = block_sum(squares, memory.partial);
  if (thread_index() == 0) Global<double>(screened.size)[b] = std::sqrt(squares);
}

// One block a matrix. `coordinates` and `signs`: n numbers of scratch memory for each matrix.
template <typename T>
__global__ void write_matrices(Screened screened, Decomposed<T> found, BatchView<T> values, BatchView<T> vectors,
                               Global<kr_report> reports, Global<double> coordinates, Global<T> signs) {
  const int64_t b = block_index();
  const int64_t n = found.values.rows;
  const ProbeMemory memory(static_cast<int>(n), warp_count());
  memory.fill();
  const Shared<double> partial = memory.partial;
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
          sum += static_cast<double>(float(memory.signs[static_cast<int>(i)])) * static_cast<double>(x);
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

std::size_t probe_bytes(int64_t n) {
  return ProbeMemory(static_cast<int>(n), screening_threads / warp_size).arena.bytes();
}

}  // namespace

template <typename T>
void screen(Op& op, const BatchView<const T>& a, const BatchView<T>& matrix, const Screened& screened) {
  const int64_t side = (a.rows + tile - 1) / tile, tiles = a.batch * side * side;
  const std::size_t bytes = tile * (tile + 1) * sizeof(T);
  Bits<T>* const scans = op.scratch<Bits<T>>(numbers_of_scan * a.batch);
  if (op.failed() || a.batch == 0) return;
  op.fill(scans, 0, static_cast<std::size_t>(numbers_of_scan * a.batch) * sizeof(T));
  launch<scan_tiles<T>>(op, {{tiles}, 256, bytes}, a, Global<Bits<T>>(scans));
  launch<symmetrise<T>>(op, {{tiles}, 256, bytes}, a, Global<const Bits<T>>(scans), matrix, screened);
  launch<probe_matrix<T>>(
      op, {{a.batch}, screening_threads, probe_bytes(a.rows)},
      BatchView<const T>{matrix.data, matrix.batch, matrix.rows, matrix.cols, matrix.row_stride, matrix.batch_stride},
      screened);
}

template <typename T>
void write_answers(Op& op, const Screened& screened, const Decomposed<T>& found, const BatchView<T>& values,
                   const BatchView<T>& vectors, kr_report* reports) {
  const int64_t count = found.values.batch * found.values.rows;
  double* const coordinates = op.scratch<double>(count);
  T* const signs = op.scratch<T>(count);
  launch<write_matrices<T>>(op, {{found.values.batch}, screening_threads, probe_bytes(found.values.rows)}, screened,
                            found, values, vectors, Global<kr_report>(reports), Global<double>(coordinates),
                            Global<T>(signs));
}

template void screen(Op&, const BatchView<const float>&, const BatchView<float>&, const Screened&);
template void screen(Op&, const BatchView<const double>&, const BatchView<double>&, const Screened&);
template void write_answers(Op&, const Screened&, const Decomposed<float>&, const BatchView<float>&,
                            const BatchView<float>&, kr_report*);
template void write_answers(Op&, const Screened&, const Decomposed<double>&, const BatchView<double>&,
                            const BatchView<double>&, kr_report*);

}  // namespace kronroot::cuda
