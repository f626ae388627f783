#include "exact.hpp"

#include <algorithm>

#include "../launch.hpp"
#include "../team.cuh"
#include "answer.cuh"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
constexpr int warps = threads / warp_size;
constexpr int64_t most_in_warp = 1024;       // elements
constexpr int64_t elements_of_part = 32768;  // about
constexpr int64_t most_parts = 256;

// A sum of squares of f64 numbers of any size in three accumulators, each free of overflow and of harmful underflow.
// Source: Blue, ACM Trans. Math. Softw. 4 (1978); constants as in LAPACK's dnrm2 (Anderson, ACM TOMS 44 (2017)).
struct SquareSum {
  static constexpr double small_limit = 0x1p-511, large_limit = 0x1p486, small_scale = 0x1p537, large_scale = 0x1p-538;
  double small = 0, medium = 0, large = 0;

  __device__ __forceinline__ void add(double size) {
    if (size > large_limit) {
      large += (size * large_scale) * (size * large_scale);
    } else if (size < small_limit) {
      small += (size * small_scale) * (size * small_scale);
    } else {
      medium += size * size;
    }
  }
  __device__ __forceinline__ double root() const {
    if (large > 0) return std::sqrt(large + medium * large_scale * large_scale) / large_scale;
    const double of_small = std::sqrt(small) / small_scale, of_medium = std::sqrt(medium);
    const double most = std::max(of_small, of_medium), least = std::min(of_small, of_medium);
    return most == 0 ? 0 : most * std::sqrt(1 + (least / most) * (least / most));
  }
};

// What is known of some rows of a matrix.
struct NormPart {
  double bad = 0;      // not 0: an element is not finite
  double largest = 0;  // element, or sum of a row or column, as the kind has it
  SquareSum squares;
};

struct Parts {
  int64_t count, rows;
  static Parts of(int64_t m, int64_t n) {
    if (m * n <= elements_of_part) return {1, m};
    const int64_t rows = std::max((elements_of_part + n - 1) / n, (m + most_parts - 1) / most_parts);
    return {(m + rows - 1) / rows, rows};
  }
};

// Magnitudes of some elements, each looked at once.
struct MagnitudeSum {
  double sum = 0;
  double bad = 0;
  __device__ __forceinline__ void add(double size) {
    if (!(size - size == 0)) bad = 1;
    sum += size;
  }
};

// Sums of the columns of rows [first, last) through shared memory, one number for every thread of the team; take(j,
// sum) by one lane each. Not 0 in some thread of the team where an element is not finite.
template <typename T, typename Team, typename F>
__device__ double sum_columns(const MatrixView<const T>& a, int64_t first, int64_t last, const Team& team,
                              Shared<double> sums, const F& take) {
  const int lane = lane_index();
  double bad = 0;
  for (int64_t j = lane; j - lane < a.cols; j += warp_size) {
    MagnitudeSum own;
    for (int64_t i = first + team.warp(); i < last && j < a.cols; i += team.warps()) {
      own.add(std::abs(static_cast<double>(a(i, j))));
    }
    bad = std::max(bad, own.bad);
    sums[team.warp() * warp_size + lane] = own.sum;
    team.sync();
    if (team.warp() == 0 && j < a.cols) {
      double total = 0;
      for (int warp = 0; warp < team.warps(); ++warp) total += double(sums[warp * warp_size + lane]);
      take(j, total);
    }
    team.sync();
  }
  return bad;
}

// Rows [first, last) by a team, the same in all its threads. `columns`: where sums of columns go, or nullptr where the
// part is the whole matrix.
template <typename T, typename Team>
__device__ NormPart measure(int32_t kind, const MatrixView<const T>& a, int64_t first, int64_t last, const Team& team,
                            Shared<double> sums, Global<double> columns) {
  NormPart part;
  if (kind == KR_NORM_ONE) {
    part.bad = sum_columns(a, first, last, team, sums, [&](int64_t j, double sum) {
      if (columns) columns[j] = sum;
      part.largest = std::max(part.largest, sum);
    });
  } else if (kind == KR_NORM_INFINITY) {
    for (int64_t i = first + team.warp(); i < last; i += team.warps()) {
      MagnitudeSum own;
      for (int64_t j = lane_index(); j < a.cols; j += warp_size) own.add(std::abs(static_cast<double>(a(i, j))));
      part.bad = std::max(part.bad, own.bad);
      part.largest = std::max(part.largest, warp_sum(own.sum));
    }
  } else {
    const int64_t count = (last - first) * a.cols;
    for (int64_t e = team.rank(); e < count; e += team.size()) {
      const uint32_t at = static_cast<uint32_t>(e), cols = static_cast<uint32_t>(a.cols);
      const double size = std::abs(static_cast<double>(a(first + at / cols, at % cols)));
      if (!(size - size == 0)) part.bad = 1;
      if (kind == KR_NORM_FROBENIUS) {
        part.squares.add(size);
      } else if (size > part.largest) {
        part.largest = size;
      }
    }
  }
  part.bad = team.max(part.bad);
  part.largest = team.max(part.largest);
  if (kind == KR_NORM_FROBENIUS) {
    part.squares.small = team.sum(part.squares.small);
    part.squares.medium = team.sum(part.squares.medium);
    part.squares.large = team.sum(part.squares.large);
  }
  return part;
}

template <typename T>
__device__ __forceinline__ void answer_part(int32_t kind, const NormPart& whole, int64_t b, const BatchView<T>& values,
                                            Global<kr_report> reports) {
  const int32_t status = whole.bad != 0 ? KR_STATUS_NON_FINITE_INPUT : KR_STATUS_OK;
  const double norm = kind == KR_NORM_FROBENIUS ? whole.squares.root() : whole.largest;
  answer_norm(status, static_cast<T>(norm), 0, b, values, reports);
}

// A warp a matrix.
template <typename T>
__global__ void __launch_bounds__(threads, 2)
    measure_in_warps(int32_t kind, BatchView<const T> a, BatchView<T> values, Global<kr_report> reports) {
  SharedArena arena;
  const Shared<double> sums = arena.take<double>(threads) + warp_index() * warp_size;
  const int64_t own = block_index() * warps + warp_index(), b = own < a.batch ? own : a.batch - 1;
  const NormPart whole = measure(kind, a[b], 0, a.rows, WarpTeam{}, sums, Global<double>(nullptr));
  if (own < a.batch && lane_index() == 0) answer_part(kind, whole, b, values, reports);
}

// A block a part.
template <typename T>
__global__ void __launch_bounds__(threads, 2)
    measure_parts(int32_t kind, BatchView<const T> a, Parts parts, Global<NormPart> found, Global<double> columns,
                  BatchView<T> values, Global<kr_report> reports) {
  const int64_t b = block_index() / parts.count, first = block_index() % parts.count * parts.rows;
  SharedArena arena;
  const BlockTeam team{arena.take<double>(warps)};
  const Shared<double> sums = arena.take<double>(threads);
  const NormPart part = measure(kind, a[b], first, std::min(first + parts.rows, a.rows), team, sums,
                                columns ? columns + block_index() * a.cols : columns);
  if (thread_index() != 0) return;
  if (parts.count == 1) {
    answer_part(kind, part, b, values, reports);
  } else {
    found[block_index()] = part;
  }
}

// The parts of a matrix put together, by a block.
template <typename T>
__global__ void __launch_bounds__(threads, 2)
    join_parts(int32_t kind, int64_t cols, Parts parts, Global<const NormPart> found, Global<const double> columns,
               BatchView<T> values, Global<kr_report> reports) {
  const int64_t b = block_index();
  SharedArena arena;
  const BlockTeam team{arena.take<double>(warps)};
  NormPart whole;
  for (int64_t p = thread_index(); p < parts.count; p += block_threads()) {
    const NormPart part = found[b * parts.count + p];
    whole.bad = std::max(whole.bad, part.bad);
    if (!columns) whole.largest = std::max(whole.largest, part.largest);
    whole.squares.small += part.squares.small;
    whole.squares.medium += part.squares.medium;
    whole.squares.large += part.squares.large;
  }
  for (int64_t j = thread_index(); columns && j < cols; j += block_threads()) {
    double sum = 0;
    for (int64_t p = 0; p < parts.count; ++p) sum += columns[(b * parts.count + p) * cols + j];
    whole.largest = std::max(whole.largest, sum);
  }
  whole.bad = team.max(whole.bad);
  whole.largest = team.max(whole.largest);
  whole.squares.small = team.sum(whole.squares.small);
  whole.squares.medium = team.sum(whole.squares.medium);
  whole.squares.large = team.sum(whole.squares.large);
  if (thread_index() == 0) answer_part(kind, whole, b, values, reports);
}

}  // namespace

template <typename T>
void exact_norms(Op& op, int32_t kind, const BatchView<const T>& a, const BatchView<T>& values, kr_report* reports) {
  const int64_t batch = a.batch, m = a.rows, n = a.cols;
  const Global<kr_report> to(reports);
  if (m * n <= most_in_warp) {
    launch<measure_in_warps<T>>(
        op, {.blocks = {(batch + warps - 1) / warps}, .threads = threads, .shared_bytes = threads * sizeof(double)},
        kind, a, values, to);
    return;
  }
  const Parts parts = Parts::of(m, n);
  const bool has_columns = parts.count > 1 && kind == KR_NORM_ONE;
  const Global<NormPart> found(parts.count > 1 ? op.scratch<NormPart>(batch * parts.count) : nullptr);
  const Global<double> columns(has_columns ? op.scratch<double>(batch * parts.count * n) : nullptr);
  launch<measure_parts<T>>(
      op, {.blocks = {batch * parts.count}, .threads = threads, .shared_bytes = (warps + threads) * sizeof(double)},
      kind, a, parts, found, columns, values, to);
  if (parts.count == 1) return;
  launch<join_parts<T>>(op, {.blocks = {batch}, .threads = threads, .shared_bytes = warps * sizeof(double)}, kind, n,
                        parts, Global<const NormPart>(found), Global<const double>(columns), values, to);
}

template void exact_norms(Op&, int32_t, const BatchView<const float>&, const BatchView<float>&, kr_report*);
template void exact_norms(Op&, int32_t, const BatchView<const double>&, const BatchView<double>&, kr_report*);

}  // namespace kronroot::cuda
