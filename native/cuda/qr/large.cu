#include "large.hpp"

#include <algorithm>

#include "../eigen/orthonormal_rows.hpp"
#include "../launch.hpp"
#include "../svd/rows.hpp"
#include "probe.cuh"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
constexpr int tile = 32;

// A batch that was factored; the columns of A and Q lie in rows.
template <typename T>
struct LargeQr {
  BatchView<const T> a;
  BatchView<T> x, q;  // as RowFactors has them
  Global<T> diagonal, signs;
  Global<int32_t> status, exponent;
  Global<double> vectors;  // m + l + m a matrix: A z, R z, Q y
  int64_t l;

  // r_kj 2^-exponent of matrix b, k <= j, k < l.
  __device__ double element_of_r(int64_t b, int64_t k, int64_t j) const {
    return static_cast<double>(j == k ? diagonal[b * l + k] : signs[b * l + k] * x[b](j, k));
  }
};

// |A z - Q R z|^2 and |Q^T Q y - y|^2 by a block; the first without r is nothing.
template <typename T>
__device__ double residual_of(const LargeQr<T>& batch, int64_t b, bool has_r, const PowerOfTwo& down,
                              Shared<double> partial) {
  const int64_t m = batch.a.rows, n = batch.a.cols, l = batch.l;
  const MatrixView<const T> a = batch.a[b];
  const MatrixView<T> q = batch.q[b];
  const Global<double> image = batch.vectors + b * (2 * m + l), coordinates = image + m, combined = coordinates + l;
  QrErrors errors;
  double squares = 0, apart = 0, lost = 0;
  for (int64_t i = warp_index(); i < m && has_r; i += warp_count()) {
    double sum = 0;
    for (int64_t j = lane_index(); j < n; j += warp_size) {
      const double x = down.times(static_cast<double>(a(i, j)));
      squares += x * x;
      sum += x * probe(j);
    }
    sum = warp_sum(sum);
    if (lane_index() == 0) image[i] = sum;
  }
  for (int64_t k = thread_index(); k < l && has_r; k += block_threads()) {
    double sum = 0;
    for (int64_t j = k; j < n; ++j) sum += batch.element_of_r(b, k, j) * probe(j);
    coordinates[k] = sum;
  }
  sync_block();
  for (int64_t i = thread_index(); i < m; i += block_threads()) {
    double difference = has_r ? -image[i] : 0, sum = 0;
    for (int64_t k = 0; k < q.rows; ++k) {
      const double x = static_cast<double>(q(k, i));
      if (has_r && k < l) difference += x * coordinates[k];
      sum += x * probe(k);
    }
    combined[i] = sum;
    apart += difference * difference;
  }
  sync_block();
  for (int64_t k = warp_index(); k < q.rows; k += warp_count()) {
    double sum = 0;
    for (int64_t i = lane_index(); i < m; i += warp_size) sum += static_cast<double>(q(k, i)) * combined[i];
    const double back = warp_sum(sum) - probe(k);
    lost += lane_index() == 0 ? back * back : 0;
  }
  errors.squares_of_a = block_sum(squares, partial);
  errors.of_product = block_sum(apart, partial);
  errors.of_q = block_sum(lost, partial);
  return errors.residual(n, q.rows);
}

// Reports, and the status of matrices whose R is out of range. One block a matrix.
template <typename T>
__global__ void __launch_bounds__(threads, 2)
    judge_factors(LargeQr<T> batch, bool has_q, bool has_r, Global<kr_report> reports) {
  const int64_t b = block_index(), n = batch.a.cols, l = batch.l;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(threads / warp_size);
  const int32_t status = batch.status[b];
  sync_block();
  if (status != KR_STATUS_OK) {
    if (reports && thread_index() == 0) reports[b] = failed(static_cast<kr_status>(status));
    return;
  }
  double most = 0, least = -std::numeric_limits<double>::infinity(), is_bad = 0;
  for (int64_t k = thread_index(); k < l; k += block_threads()) {
    const double own = static_cast<double>(batch.diagonal[b * l + k]);
    most = std::max(most, own);
    least = std::max(least, -own);
  }
  most = block_max(most, partial);
  least = -block_max(least, partial);
  const int32_t exponent = batch.exponent[b];
  const PowerOfTwo up(exponent), down(-exponent);
  for (int64_t j = warp_index(); j < n && has_r; j += warp_count()) {
    for (int64_t k = lane_index(); k < l && k <= j; k += warp_size) {
      const T x = static_cast<T>(up.times(batch.element_of_r(b, k, j)));
      if (!(x - x == 0)) is_bad = 1;
    }
  }
  kr_report report = answered(KR_METHOD_HOUSEHOLDER);
  report.condition = condition_of_diagonal(most, least);
  if (block_max(is_bad, partial) != 0) {
    report = failed(KR_STATUS_OVERFLOW);
    if (thread_index() == 0) batch.status[b] = KR_STATUS_OVERFLOW;
  } else if (has_q && reports) {
    report.residual = residual_of(batch, b, has_r, down, partial);
  }
  if (reports && thread_index() == 0) reports[b] = report;
}

// Tiles of 32 x 32, of every matrix.
template <typename T>
__host__ __device__ int64_t tiles_of(const BatchView<T>& view) {
  return ((view.rows + tile - 1) / tile) * ((view.cols + tile - 1) / tile);
}

// to(i, j) = element(i, j) of one matrix, a tile a block; element is read along i and written along j.
template <typename T, typename F>
__device__ void write_transposed(const BatchView<T>& to, const F& element) {
  SharedArena arena;
  const Shared<T> memory = arena.take<T>(tile * (tile + 1));
  const int64_t cols = (to.cols + tile - 1) / tile, at = block_index() % tiles_of(to);
  const int64_t i0 = at / cols * tile, j0 = at % cols * tile;
  const int lane = lane_index();
  for (int r = warp_index(); r < tile; r += warp_count()) {
    const bool is_inside = i0 + lane < to.rows && j0 + r < to.cols;
    memory[r * (tile + 1) + lane] = is_inside ? element(i0 + lane, j0 + r) : T(0);
  }
  sync_block();
  const MatrixView<T> matrix = to[block_index() / tiles_of(to)];
  for (int r = warp_index(); r < tile; r += warp_count()) {
    if (i0 + r < to.rows && j0 + lane < to.cols) matrix(i0 + r, j0 + lane) = memory[lane * (tile + 1) + r];
  }
}

template <typename T>
__global__ void __launch_bounds__(threads, 2) write_large_q(LargeQr<T> batch, BatchView<T> q) {
  const int64_t b = block_index() / tiles_of(q);
  if (batch.status[b] != KR_STATUS_OK) return;
  write_transposed(q, [&](int64_t i, int64_t j) { return T(batch.q[b](j, i)); });
}

template <typename T>
__global__ void __launch_bounds__(threads, 2) write_large_r(LargeQr<T> batch, BatchView<T> r) {
  const int64_t b = block_index() / tiles_of(r);
  if (batch.status[b] != KR_STATUS_OK) return;
  const PowerOfTwo up(batch.exponent[b]);
  write_transposed(r, [&](int64_t k, int64_t j) {
    return k > j || k >= batch.l ? T(0) : static_cast<T>(up.times(batch.element_of_r(b, k, j)));
  });
}

template <typename T>
LaunchShape shape_of_tiles(const BatchView<T>& to) {
  return {.blocks = {to.batch * tiles_of(to)}, .threads = threads, .shared_bytes = tile * (tile + 1) * sizeof(T)};
}

}  // namespace

template <typename T>
void qr_large(Op& op, const BatchView<const T>& a, const BatchView<T>& q, const BatchView<T>& r, kr_report* reports) {
  const int64_t batch = a.batch, m = a.rows, n = a.cols;
  const bool has_q = static_cast<bool>(q.data), has_r = static_cast<bool>(r.data);
  LargeQr<T> all{};
  all.a = a;
  all.l = std::min(m, n);
  all.x = dense_view(op.scratch<T>(batch * m * n), batch, n, m);
  all.q = dense_view(has_q ? op.scratch<T>(batch * m * q.cols) : nullptr, batch, has_q ? q.cols : 0, m);
  all.diagonal = Global<T>(op.scratch<T>(batch * all.l));
  all.signs = Global<T>(op.scratch<T>(batch * all.l));
  const Rectangles rectangles{op.scratch<int32_t>(batch), op.scratch<int32_t>(batch), nullptr};
  all.status = Global<int32_t>(rectangles.status);
  all.exponent = Global<int32_t>(rectangles.exponent);
  all.vectors = Global<double>(op.scratch<double>(batch * (2 * m + all.l)));
  read_wide<T>(op, a, true, all.x, nullptr, rectangles);
  factor_rows<T>(op, {.x = all.x,
                      .q = all.q,
                      .diagonal = all.diagonal.address(),
                      .signs = all.signs.address(),
                      .skip = rectangles.status});
  launch<judge_factors<T>>(
      op, {.blocks = {batch}, .threads = threads, .shared_bytes = threads / warp_size * sizeof(double)}, all, has_q,
      has_r, Global<kr_report>(reports));
  if (has_q) launch<write_large_q<T>>(op, shape_of_tiles(q), all, q);
  if (has_r) launch<write_large_r<T>>(op, shape_of_tiles(r), all, r);
}

template void qr_large(Op&, const BatchView<const float>&, const BatchView<float>&, const BatchView<float>&,
                       kr_report*);
template void qr_large(Op&, const BatchView<const double>&, const BatchView<double>&, const BatchView<double>&,
                       kr_report*);

}  // namespace kronroot::cuda
