// One-sided Jacobi in f64: J A = W with orthogonal J and orthogonal rows w_i = sigma_i v_i^T, so that
//   U V^T = J^T diag(1 / sigma) W.
// A block has a matrix and a warp a pair of its rows; a round of a tournament has m / 2 disjoint pairs.
// Source: Hestenes, J. SIAM 6 (1958); Golub and Van Loan, Matrix Computations, section 8.6.3.
#include "polar.hpp"

#include <algorithm>
#include <cmath>

#include "../gemm/product.hpp"
#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
constexpr int most_sweeps = 40;
// Of scratch memory; larger batches are answered in parts.
constexpr int64_t most_bytes = int64_t{4} << 30;

template <typename T>
struct PolarPart {
  OrthogonalizeBatch<T> batch;
  int64_t first, count;
  BatchView<double> rows;      // m x n: A, then W, then diag(1 / sigma) W
  BatchView<double> rotation;  // m x m: J
  BatchView<double> x;         // m x n
  Global<double> vectors;      // m + n for each matrix
  Global<int32_t> is_settled;
};

// Pair number `index` of a round among `players`, an even number: the circle method.
struct RowPair {
  int first, second;
  __device__ static RowPair of(int round, int index, int players) {
    const int others = players - 1;
    const int i = index == 0 ? others : (round + index) % others;
    const int j = index == 0 ? round : (round - index + others) % others;
    return i < j ? RowPair{i, j} : RowPair{j, i};
  }
};

// (x, y) <- (c x - s y, s x + c y) of two rows, by a warp.
__device__ void rotate_rows(const MatrixView<double>& a, const RowPair& pair, double c, double s) {
  for (int64_t j = lane_index(); j < a.cols; j += warp_size) {
    const double x = a(pair.first, j), y = a(pair.second, j);
    a(pair.first, j) = c * x - s * y;
    a(pair.second, j) = s * x + c * y;
  }
}

// Makes two rows orthogonal, by a warp; false where they were. `negligible` is the square of a length that is rounding.
__device__ bool orthogonalize_pair(const MatrixView<double>& w, const MatrixView<double>& rotation, const RowPair& pair,
                                   double negligible) {
  double xx = 0, yy = 0, xy = 0;
  for (int64_t j = lane_index(); j < w.cols; j += warp_size) {
    const double x = w(pair.first, j), y = w(pair.second, j);
    xx += x * x;
    yy += y * y;
    xy += x * y;
  }
  xx = warp_sum(xx);
  yy = warp_sum(yy);
  xy = warp_sum(xy);
  const double tolerance = 0x1p-52 * sqrt(static_cast<double>(w.cols));
  if (xx <= negligible || yy <= negligible || std::abs(xy) <= tolerance * sqrt(xx) * sqrt(yy)) return false;
  const double theta = (yy - xx) / (2 * xy);
  const double t = copysign(1 / (std::abs(theta) + sqrt(1 + theta * theta)), theta);
  const double c = 1 / sqrt(1 + t * t);
  rotate_rows(w, pair, c, c * t);
  rotate_rows(rotation, pair, c, c * t);
  return true;
}

template <typename T>
__global__ void __launch_bounds__(threads) orthogonalize_rows(PolarPart<T> part) {
  const int64_t b = block_index(), index = part.first + b;
  const int m = static_cast<int>(part.rows.rows), n = static_cast<int>(part.rows.cols);
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  const MatrixView<const T> a = part.batch.a[index];
  const RectangleInput input = scan_rectangle(team, a);
  const bool is_failed = input.status != KR_STATUS_OK;
  if (thread_index() == 0) {
    part.is_settled[b] = is_failed || input.is_zero ? 1 : 0;
    if (is_failed) part.batch.reports[index] = failed(static_cast<kr_status>(input.status));
  }
  if (is_failed) return;
  if (input.is_zero) {
    answer_zero(team, part.batch, index);
    return;
  }
  const MatrixView<double> w = part.rows[b], rotation = part.rotation[b];
  const WideView<const T> wide{a, part.batch.is_tall()};
  for (int64_t e = team.rank(); e < int64_t{m} * n; e += team.size()) {
    wide.visit(e, [&](int64_t i, int64_t j) { w(i, j) = ldexp(static_cast<double>(wide(i, j)), -input.exponent); });
  }
  for (int64_t e = team.rank(); e < int64_t{m} * m; e += team.size()) rotation(e / m, e % m) = e / m == e % m ? 1 : 0;
  team.sync();
  const int players = m + m % 2;
  const double rounding = 0x1p-59 * input.norm, negligible = rounding * rounding;
  int sweep = 0;
  bool rotates = m > 1;
  for (; rotates && sweep < most_sweeps; ++sweep) {
    double rotated = 0;
    for (int round = 0; round < players - 1; ++round) {
      for (int k = team.warp(); k < players / 2; k += team.warps()) {
        const RowPair pair = RowPair::of(round, k, players);
        if (pair.second < m && orthogonalize_pair(w, rotation, pair, negligible)) rotated = 1;
      }
      team.sync();
    }
    rotates = team.max(rotated) != 0;
  }
  if (rotates) {
    if (thread_index() == 0) {
      part.is_settled[b] = 1;
      part.batch.reports[index] = failed(KR_STATUS_NOT_CONVERGED);
    }
    return;
  }

  const Global<double> lengths = part.vectors + b * (m + n);
  double longest = 0;
  for (int i = team.warp(); i < m; i += team.warps()) {
    double squares = 0;
    for (int j = lane_index(); j < n; j += warp_size) squares += w(i, j) * w(i, j);
    const double length = sqrt(warp_sum(squares));
    if (lane_index() == 0) lengths[i] = length;
    longest = length > longest ? length : longest;
  }
  longest = team.max(longest);
  const double cutoff = n * ulp_of<T> * longest;
  double shortest = longest, rank = 0;
  for (int i = team.rank(); i < m; i += team.size()) {
    if (!(lengths[i] > cutoff)) continue;
    rank += 1;
    shortest = lengths[i] < shortest ? lengths[i] : shortest;
  }
  rank = team.sum(rank);
  shortest = -team.max(-shortest);
  for (int i = team.warp(); i < m; i += team.warps()) {
    const double length = lengths[i];
    for (int j = lane_index(); j < n; j += warp_size) w(i, j) = length > cutoff ? w(i, j) / length : 0;
  }
  if (thread_index() != 0) return;
  kr_report report = answered(KR_METHOD_POLAR);
  report.iterations = sweep;
  report.condition = longest / shortest;
  if (rank < m) report = rank_deficient(report, static_cast<int64_t>(rank));
  part.batch.reports[index] = report;
}

template <typename T>
struct RoundedRectangle {
  MatrixView<double> matrix;
  __device__ T load(int i, int j) const { return static_cast<T>(matrix(i, j)); }
};

template <typename T>
__global__ void __launch_bounds__(threads) finish_polar(PolarPart<T> part) {
  const int64_t b = block_index(), index = part.first + b;
  const int m = static_cast<int>(part.rows.rows), n = static_cast<int>(part.rows.cols);
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  if (part.is_settled[b] != 0) return;
  const RoundedRectangle<T> x{part.x[b]};
  const Global<double> of_rows = part.vectors + b * (m + n);
  const double residual = partial_isometry_residual(team, m, n, x, of_rows, of_rows + m);
  const MatrixView<T> out = part.batch.x[index];
  const WideView<T> wide{out, part.batch.is_tall()};
  for (int64_t e = team.rank(); e < int64_t{m} * n; e += team.size()) {
    wide.visit(e, [&](int64_t i, int64_t j) { wide(i, j) = x.load(static_cast<int>(i), static_cast<int>(j)); });
  }
  if (team.rank() == 0) part.batch.reports[index].residual = residual;
}

BatchView<const double> readable(const BatchView<double>& view) {
  return {
      Global<const double>(view.data.address()), view.batch, view.rows, view.cols, view.row_stride, view.batch_stride};
}

}  // namespace

template <typename T>
void polar(Op& op, const OrthogonalizeBatch<T>& batch) {
  const int64_t m = batch.rows(), n = batch.cols();
  const int64_t bytes_each = (2 * m * n + m * m) * static_cast<int64_t>(sizeof(double));
  const int64_t together = std::min(batch.a.batch, std::max<int64_t>(1, most_bytes / bytes_each));
  double* rows = op.scratch<double>(together * m * n);
  double* rotation = op.scratch<double>(together * m * m);
  double* x = op.scratch<double>(together * m * n);
  double* vectors = op.scratch<double>(together * (m + n));
  int32_t* is_settled = op.scratch<int32_t>(together);
  for (int64_t first = 0; first < batch.a.batch; first += together) {
    const int64_t count = std::min(together, batch.a.batch - first);
    const PolarPart<T> part{batch,
                            first,
                            count,
                            dense_view(rows, count, m, n),
                            dense_view(rotation, count, m, m),
                            dense_view(x, count, m, n),
                            Global<double>(vectors),
                            Global<int32_t>(is_settled)};
    const LaunchShape each{.blocks = {count}, .threads = threads, .shared_bytes = threads / warp_size * sizeof(double)};
    launch<orthogonalize_rows<T>>(op, each, part);
    Product<double> product;
    product.a = readable(part.rotation);
    product.transpose_a = true;
    product.b = readable(part.rows);
    product.c = part.x;
    product.skip = is_settled;
    multiply(op, product);
    launch<finish_polar<T>>(op, each, part);
  }
}

template void polar<float>(Op&, const OrthogonalizeBatch<float>&);
template void polar<double>(Op&, const OrthogonalizeBatch<double>&);

}  // namespace kronroot::cuda
