#include "power_iteration.hpp"

#include "../eigen/scale.cuh"
#include "../launch.hpp"
#include "answer.cuh"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
constexpr int warps = threads / warp_size;
constexpr int64_t most_in_block = int64_t{1} << 18;  // elements

// One matrix under way.
struct Iterate {
  int32_t status;
  int32_t exponent;
  double length;  // |x|
  double found;   // of A 2^-exponent
};

template <typename T>
__device__ __forceinline__ T norm_of(const Iterate& iterate) {
  return static_cast<T>(PowerOfTwo(iterate.exponent).times(iterate.found));
}

template <typename T>
struct Iteration {
  BatchView<const T> a;
  Global<double> x, y;  // n and m numbers a matrix
  Global<Iterate> iterates;

  __device__ Global<double> x_of(int64_t b) const { return x + b * a.cols; }
  __device__ Global<double> y_of(int64_t b) const { return y + b * a.rows; }
};

// By a warp, the same in every lane.
template <typename T>
__device__ double largest_of_row(const MatrixView<const T>& a, int64_t i) {
  double largest = 0;
  for (int64_t j = lane_index(); j < a.cols; j += warp_size) {
    const double size = std::abs(static_cast<double>(a(i, j)));
    // A number that is not finite is larger than all.
    largest = size - size == 0 ? std::max(largest, size) : HUGE_VAL;
  }
  return warp_max(largest);
}
template <typename T>
__device__ double squares_of_row(const MatrixView<const T>& a, int64_t i, const PowerOfTwo& down) {
  double sum = 0;
  for (int64_t j = lane_index(); j < a.cols; j += warp_size) {
    const double x = down.times(static_cast<double>(a(i, j)));
    sum += x * x;
  }
  return warp_sum(sum);
}
template <typename T>
__device__ double product_of_row(const MatrixView<const T>& a, int64_t i, const PowerOfTwo& down, Global<double> x) {
  double sum = 0;
  for (int64_t j = lane_index(); j < a.cols; j += warp_size) sum += down.times(static_cast<double>(a(i, j))) * x[j];
  return warp_sum(sum);
}

// x_j = sum_i a_ij y_i / length for 32 columns from `first` on, by a block: a column a lane, or, where there are fewer,
// a column a warp. `sums`: a number a thread.
template <typename T>
__device__ void multiply_columns(const MatrixView<const T>& a, const PowerOfTwo& down, Global<double> y, double length,
                                 int64_t first, Global<double> x, Shared<double> sums) {
  if (a.cols < warp_size) {
    for (int64_t j = warp_index(); j < a.cols; j += warp_count()) {
      double sum = 0;
      for (int64_t i = lane_index(); i < a.rows; i += warp_size) {
        sum += down.times(static_cast<double>(a(i, j))) * y[i];
      }
      sum = warp_sum(sum);
      if (lane_index() == 0) x[j] = sum / length;
    }
    return;
  }
  const int64_t j = first + lane_index();
  double sum = 0;
  for (int64_t i = warp_index(); i < a.rows && j < a.cols; i += warp_count()) {
    sum += down.times(static_cast<double>(a(i, j))) * y[i];
  }
  sums[thread_index()] = sum;
  sync_block();
  if (warp_index() != 0 || j >= a.cols) return;
  for (int warp = 1; warp < warps; ++warp) sum += double(sums[warp * warp_size + lane_index()]);
  x[j] = sum / length;
}

// By a block: what the largest magnitude says.
__device__ Iterate judged(double largest) {
  Iterate iterate{KR_STATUS_OK, 0, 0, 0};
  if (!(largest - largest == 0)) {
    iterate.status = KR_STATUS_NON_FINITE_INPUT;
  } else if (largest > 0) {
    std::frexp(largest, &iterate.exponent);
  }
  return iterate;
}

// x: the longest row, the first of equals, whose squares are in y; by a block. Ends with a barrier.
template <typename T>
__device__ void take_longest_row(const MatrixView<const T>& a, const PowerOfTwo& down, Global<double> x,
                                 Global<double> y, Shared<double> partial) {
  double most = 0;
  for (int64_t i = thread_index(); i < a.rows; i += block_threads()) most = std::max(most, double(y[i]));
  most = block_max(most, partial);
  double minus_first = -static_cast<double>(a.rows - 1);
  for (int64_t i = thread_index(); i < a.rows; i += block_threads()) {
    if (y[i] == most) minus_first = std::max(minus_first, -static_cast<double>(i));
  }
  const auto first = static_cast<int64_t>(-block_max(minus_first, partial));
  for (int64_t j = thread_index(); j < a.cols; j += block_threads()) {
    x[j] = down.times(static_cast<double>(a(first, j)));
  }
  sync_block();
}

// |x|_2 by a block.
__device__ double length_of(Global<double> x, int64_t count, Shared<double> partial) {
  double sum = 0;
  for (int64_t i = thread_index(); i < count; i += block_threads()) sum += x[i] * x[i];
  return std::sqrt(block_sum(sum, partial));
}

template <typename T>
__global__ void __launch_bounds__(threads, 2)
    iterate_in_block(Iteration<T> all, int steps, BatchView<T> values, Global<kr_report> reports) {
  const int64_t b = block_index();
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warps), sums = arena.take<double>(threads);
  const MatrixView<const T> a = all.a[b];
  const Global<double> x = all.x_of(b), y = all.y_of(b);
  double largest = 0;
  for (int64_t i = warp_index(); i < a.rows; i += warp_count()) largest = std::max(largest, largest_of_row(a, i));
  Iterate own = judged(block_max(largest, partial));
  if (own.status == KR_STATUS_OK) {
    const PowerOfTwo down(-own.exponent);
    for (int64_t i = warp_index(); i < a.rows; i += warp_count()) {
      const double squares = squares_of_row(a, i, down);
      if (lane_index() == 0) y[i] = squares;
    }
    sync_block();
    take_longest_row(a, down, x, y, partial);
    for (int step = 0;; ++step) {
      own.length = length_of(x, a.cols, partial);
      if (own.length == 0) break;  // A = 0
      for (int64_t i = warp_index(); i < a.rows; i += warp_count()) {
        const double product = product_of_row(a, i, down, x);
        if (lane_index() == 0) y[i] = product;
      }
      sync_block();
      own.found = std::max(own.found, length_of(y, a.rows, partial) / own.length);
      if (step == steps) break;
      for (int64_t first = 0; first < a.cols; first += warp_size) {
        multiply_columns(a, down, y, own.length, first, x, sums);
        sync_block();
      }
    }
  }
  if (thread_index() == 0) {
    answer_norm(own.status, norm_of<T>(own), steps, b, values, reports);
  }
}

// Of large matrices. First y_i = max_j |a_ij|, then the squares of the rows, then products; a warp a row.
enum class RowPass { largest, squares, product };

template <typename T, RowPass pass>
__global__ void __launch_bounds__(threads, 2) pass_over_rows(Iteration<T> all) {
  const int64_t row = block_index() * warps + warp_index(), b = row / all.a.rows, i = row % all.a.rows;
  if (b >= all.a.batch) return;
  double value = 0;
  if constexpr (pass == RowPass::largest) {
    value = largest_of_row(all.a[b], i);
  } else {
    const Iterate own = all.iterates[b];
    if (own.status != KR_STATUS_OK) return;
    const PowerOfTwo down(-own.exponent);
    if constexpr (pass == RowPass::squares) {
      value = squares_of_row(all.a[b], i, down);
    } else {
      value = product_of_row(all.a[b], i, down, all.x_of(b));
    }
  }
  if (lane_index() == 0) all.y_of(b)[i] = value;
}

// The scale from the largest elements of the rows.
template <typename T>
__global__ void __launch_bounds__(threads, 2) find_scale(Iteration<T> all) {
  const int64_t b = block_index();
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warps);
  double largest = 0;
  for (int64_t i = thread_index(); i < all.a.rows; i += block_threads()) {
    largest = std::max(largest, double(all.y_of(b)[i]));
  }
  const Iterate own = judged(block_max(largest, partial));
  if (thread_index() == 0) all.iterates[b] = own;
}

template <typename T>
__global__ void __launch_bounds__(threads, 2) start_iteration(Iteration<T> all) {
  const int64_t b = block_index();
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warps);
  const Iterate own = all.iterates[b];
  if (own.status != KR_STATUS_OK) return;
  take_longest_row(all.a[b], PowerOfTwo(-own.exponent), all.x_of(b), all.y_of(b), partial);
  const double length = length_of(all.x_of(b), all.a.cols, partial);
  if (thread_index() == 0) all.iterates[b].length = length;
}

// x = A^T y / |x|, 32 columns a block.
template <typename T>
__global__ void __launch_bounds__(threads, 2) multiply_transposed(Iteration<T> all, int64_t tiles) {
  const int64_t b = block_index() / tiles;
  SharedArena arena;
  const Shared<double> sums = arena.take<double>(threads);
  const Iterate own = all.iterates[b];
  if (own.status != KR_STATUS_OK || own.length == 0) return;
  multiply_columns(all.a[b], PowerOfTwo(-own.exponent), all.y_of(b), own.length, block_index() % tiles * warp_size,
                   all.x_of(b), sums);
}

// What a step found, |A x| / |x|, and, unless it is the last one, the length of the next x.
template <typename T>
__global__ void __launch_bounds__(threads, 2) judge_step(Iteration<T> all, bool is_last) {
  const int64_t b = block_index();
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warps);
  Iterate own = all.iterates[b];
  if (own.status != KR_STATUS_OK || own.length == 0) return;
  own.found = std::max(own.found, length_of(all.y_of(b), all.a.rows, partial) / own.length);
  if (!is_last) own.length = length_of(all.x_of(b), all.a.cols, partial);
  if (thread_index() == 0) all.iterates[b] = own;
}

template <typename T>
__global__ void answer_iteration(Iteration<T> all, int steps, BatchView<T> values, Global<kr_report> reports) {
  const int64_t b = block_index() * block_threads() + thread_index();
  if (b >= values.batch) return;
  const Iterate own = all.iterates[b];
  answer_norm(own.status, norm_of<T>(own), steps, b, values, reports);
}

}  // namespace

template <typename T>
void power_iteration(Op& op, int steps, const BatchView<const T>& a, const BatchView<T>& values, kr_report* reports) {
  const int64_t batch = a.batch, m = a.rows, n = a.cols;
  constexpr std::size_t partial_bytes = warps * sizeof(double);
  const LaunchShape each{.blocks = {batch}, .threads = threads, .shared_bytes = partial_bytes};
  Iteration<T> all{};
  all.a = a;
  all.x = Global<double>(op.scratch<double>(batch * n));
  all.y = Global<double>(op.scratch<double>(batch * m));
  if (m * n <= most_in_block) {
    launch<iterate_in_block<T>>(
        op, {.blocks = {batch}, .threads = threads, .shared_bytes = partial_bytes + threads * sizeof(double)}, all,
        steps, values, Global<kr_report>(reports));
    return;
  }
  all.iterates = Global<Iterate>(op.scratch<Iterate>(batch));
  const LaunchShape rows{.blocks = {(batch * m + warps - 1) / warps}, .threads = threads};
  const int64_t tiles = (n + warp_size - 1) / warp_size;
  launch<pass_over_rows<T, RowPass::largest>>(op, rows, all);
  launch<find_scale<T>>(op, each, all);
  launch<pass_over_rows<T, RowPass::squares>>(op, rows, all);
  launch<start_iteration<T>>(op, each, all);
  for (int step = 0; step <= steps && !op.failed(); ++step) {
    launch<pass_over_rows<T, RowPass::product>>(op, rows, all);
    if (step < steps) {
      launch<multiply_transposed<T>>(
          op, {.blocks = {batch * tiles}, .threads = threads, .shared_bytes = threads * sizeof(double)}, all, tiles);
    }
    launch<judge_step<T>>(op, each, all, step == steps);
  }
  launch<answer_iteration<T>>(op, {.blocks = {(batch + threads - 1) / threads}, .threads = threads}, all, steps, values,
                              Global<kr_report>(reports));
}

template void power_iteration(Op&, int, const BatchView<const float>&, const BatchView<float>&, kr_report*);
template void power_iteration(Op&, int, const BatchView<const double>&, const BatchView<double>&, kr_report*);

}  // namespace kronroot::cuda
