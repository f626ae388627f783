#include "spectral.hpp"

#include <algorithm>
#include <limits>

#include "../../core/matrix.hpp"
#include "../eigen/scale.cuh"
#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "../svd/rows.hpp"
#include "answer.cuh"
#include "power_traces.cuh"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
constexpr int warps = threads / warp_size;
constexpr int side = 16;   // threads along a side of the Gram matrix
constexpr int depth = 32;  // of a tile of A
constexpr int64_t most_in_shared = 64;

// The bound, raised by what rounding may have taken of the Gram matrix and its powers, and rounded upwards.
template <typename T>
__device__ __forceinline__ T norm_of(double upper, int exponent, int64_t shorter, int64_t longer) {
  const double rounding = static_cast<double>(longer + 4 * shorter + 8) * ulp_of<double>;
  const double bound = std::sqrt(upper * (1 + rounding));
  const T norm = static_cast<T>(PowerOfTwo(exponent).times(bound));
  const bool is_below = PowerOfTwo(-exponent).times(static_cast<double>(norm)) < bound;
  return is_below ? std::nextafter(norm, std::numeric_limits<T>::infinity()) : norm;
}

struct SpectralMemory {
  Shared<double> tile;   // `depth` rows of the long side
  Shared<double> power;  // rows an odd number of elements apart
  Shared<double> partial;

  __host__ __device__ static SpectralMemory take(SharedArena& arena, int width) {
    return {arena.take<double>(depth * (width + 1)), arena.take<double>(width * (width + 1)),
            arena.take<double>(warps)};
  }
};

// A matrix with a short side of at most width = 16 E: a thread has E x E elements of the Gram matrix, 16 apart.
template <typename T, int E>
class SmallSpectrum {
 public:
  static constexpr int width = side * E, stride = width + 1;

  __device__ SmallSpectrum(const MatrixView<const T>& a, const SpectralMemory& memory)
      : a_(a),
        memory_(memory),
        is_tall_(a.rows > a.cols),
        order_(static_cast<int>(a.rows > a.cols ? a.cols : a.rows)),
        longer_(a.rows > a.cols ? a.rows : a.cols) {}

  // Of the elements; false where one is not finite.
  __device__ bool find_scale() {
    double largest = 0, bad = 0;
    for (int64_t i = warp_index(); i < a_.rows; i += warp_count()) {
      for (int64_t j = lane_index(); j < a_.cols; j += warp_size) {
        const double size = std::abs(static_cast<double>(a_(i, j)));
        if (!(size - size == 0)) bad = 1;
        if (size > largest) largest = size;
      }
    }
    if (block_max(bad, memory_.partial) != 0) return false;
    largest = block_max(largest, memory_.partial);
    if (largest > 0) std::frexp(largest, &exponent_);
    return true;
  }

  __device__ T norm() {
    double own[E][E] = {};
    form_gram(own);
    store(own, 1);
    double infinity = 0;
    for (int i = warp_index(); i < order_; i += warp_count()) {
      double sum = 0;
      for (int j = lane_index(); j < order_; j += warp_size) sum += std::abs(double(memory_.power[i * stride + j]));
      infinity = std::max(infinity, warp_sum(sum));
    }
    infinity = block_max(infinity, memory_.partial);
    double frobenius, largest_row;
    measure(frobenius, largest_row);
    PowerTraces traces = PowerTraces::of(frobenius, largest_row, infinity);
    while (!traces.is_settled) {
      square(own);
      sync_block();
      store(own, std::ldexp(1.0, -2 * traces.shift()));
      measure(frobenius, largest_row);
      traces.squared(frobenius, largest_row, order_);
    }
    return norm_of<T>(traces.upper, exponent_, order_, longer_);
  }

 private:
  __device__ static int row() { return thread_index() / side; }
  __device__ static int col() { return thread_index() % side; }

  __device__ void form_gram(double (&own)[E][E]) {
    const PowerOfTwo down(-exponent_);
    for (int64_t first = 0; first < longer_; first += depth) {
      for (int e = thread_index(); e < depth * width; e += block_threads()) {
        const int l = is_tall_ ? e / width : e % depth, i = is_tall_ ? e % width : e / depth;
        double x = 0;
        if (i < order_ && first + l < longer_) {
          x = down.times(static_cast<double>(is_tall_ ? a_(first + l, i) : a_(i, first + l)));
        }
        memory_.tile[l * stride + i] = x;
      }
      sync_block();
      add_products(memory_.tile, depth, own);
      sync_block();
    }
  }

  // own_ij += sum_l x_li x_lj
  __device__ __forceinline__ void add_products(Shared<double> x, int count, double (&own)[E][E]) const {
    for (int l = 0; l < count; ++l) {
      double left[E], right[E];
#pragma unroll
      for (int e = 0; e < E; ++e) {
        left[e] = x[l * stride + row() + side * e];
        right[e] = x[l * stride + col() + side * e];
      }
#pragma unroll
      for (int e = 0; e < E; ++e) {
#pragma unroll
        for (int f = 0; f < E; ++f) own[e][f] += left[e] * right[f];
      }
    }
  }

  __device__ void square(double (&own)[E][E]) const {
#pragma unroll
    for (int e = 0; e < E; ++e) {
#pragma unroll
      for (int f = 0; f < E; ++f) own[e][f] = 0;
    }
    add_products(memory_.power, order_, own);
  }

  __device__ void store(const double (&own)[E][E], double factor) const {
#pragma unroll
    for (int e = 0; e < E; ++e) {
#pragma unroll
      for (int f = 0; f < E; ++f) {
        memory_.power[(row() + side * e) * stride + col() + side * f] = own[e][f] * factor;
      }
    }
    sync_block();
  }

  __device__ void measure(double& frobenius, double& largest_row) const {
    double squares = 0, most = 0;
    for (int i = warp_index(); i < order_; i += warp_count()) {
      double sum = 0;
      for (int j = lane_index(); j < order_; j += warp_size) {
        const double x = memory_.power[i * stride + j];
        sum += x * x;
      }
      sum = warp_sum(sum);
      squares += lane_index() == 0 ? sum : 0;
      most = std::max(most, sum);
    }
    frobenius = std::sqrt(block_sum(squares, memory_.partial));
    largest_row = std::sqrt(block_max(most, memory_.partial));
  }

  MatrixView<const T> a_;
  SpectralMemory memory_;
  bool is_tall_;
  int order_;
  int64_t longer_;
  int exponent_ = 0;
};

template <typename T, int E>
__global__ void __launch_bounds__(threads, 2)
    spectral_in_shared(BatchView<const T> a, BatchView<T> values, Global<kr_report> reports) {
  const int64_t b = block_index();
  SharedArena arena;
  SmallSpectrum<T, E> matrix(a[b], SpectralMemory::take(arena, side * E));
  int32_t status = KR_STATUS_NON_FINITE_INPUT;
  T norm = 0;
  if (matrix.find_scale()) {
    status = KR_STATUS_OK;
    norm = matrix.norm();
  }
  if (thread_index() == 0) answer_norm(status, norm, 0, b, values, reports);
}

// The norms of a power in global memory, which is scaled for the next squaring. One block a matrix.
__global__ void __launch_bounds__(threads, 2)
    judge_power(BatchView<double> powers, Global<PowerTraces> traces, Global<int32_t> skip, bool is_first) {
  const int64_t b = block_index(), n = powers.rows;
  const bool is_skipped = skip[b] != 0;
  sync_block();
  if (is_skipped) return;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warps);
  const MatrixView<double> power = powers[b];
  double squares = 0, most = 0, infinity = 0;
  for (int64_t i = warp_index(); i < n; i += warp_count()) {
    double sum = 0, magnitudes = 0;
    for (int64_t j = lane_index(); j < n; j += warp_size) {
      const double x = power(i, j);
      sum += x * x;
      magnitudes += std::abs(x);
    }
    sum = warp_sum(sum);
    infinity = std::max(infinity, warp_sum(magnitudes));
    squares += lane_index() == 0 ? sum : 0;
    most = std::max(most, sum);
  }
  const double frobenius = std::sqrt(block_sum(squares, partial));
  const double largest_row = std::sqrt(block_max(most, partial));
  infinity = block_max(infinity, partial);
  PowerTraces own = PowerTraces::of(frobenius, largest_row, infinity);
  if (!is_first) {
    own = traces[b];
    own.squared(frobenius, largest_row, n);
  }
  sync_block();
  if (thread_index() == 0) {
    traces[b] = own;
    skip[b] = own.is_settled ? 1 : 0;
  }
  if (own.is_settled) return;
  const double factor = std::ldexp(1.0, -own.shift());
  for (int64_t i = warp_index(); i < n; i += warp_count()) {
    for (int64_t j = lane_index(); j < n; j += warp_size) power(i, j) *= factor;
  }
}

// Matrices that cannot be answered have no powers.
__global__ void start_skipping(Global<const int32_t> status, Global<int32_t> skip, int64_t batch) {
  const int64_t b = block_index() * block_threads() + thread_index();
  if (b < batch) skip[b] = status[b] == KR_STATUS_OK ? 0 : 1;
}

template <typename T>
__global__ void answer_large(Global<const int32_t> status, Global<const int32_t> exponents,
                             Global<const PowerTraces> traces, int64_t shorter, int64_t longer, BatchView<T> values,
                             Global<kr_report> reports) {
  const int64_t b = block_index() * block_threads() + thread_index();
  if (b >= values.batch) return;
  const bool is_sound = status[b] == KR_STATUS_OK;
  const T norm = is_sound ? norm_of<T>(PowerTraces(traces[b]).upper, exponents[b], shorter, longer) : T(0);
  answer_norm(status[b], norm, 0, b, values, reports);
}

template <typename T>
void large_spectral_norms(Op& op, const BatchView<const T>& a, const BatchView<T>& values, kr_report* reports) {
  const int64_t batch = a.batch, shorter = std::min(a.rows, a.cols), longer = std::max(a.rows, a.cols);
  const bool is_tall = a.rows > a.cols;
  const auto matrices = [&](int64_t cols) {
    return dense_view(op.scratch<double>(batch * shorter * cols), batch, shorter, cols);
  };
  const BatchView<double> wide = matrices(longer);
  BatchView<double> power = matrices(shorter), square = matrices(shorter);
  const Rectangles rectangles{op.scratch<int32_t>(batch), op.scratch<int32_t>(batch), nullptr};
  int32_t* const skip = op.scratch<int32_t>(batch);
  const Global<PowerTraces> traces(op.scratch<PowerTraces>(batch));
  if constexpr (sizeof(T) == 8) {
    read_wide<T>(op, a, is_tall, wide, nullptr, rectangles);
  } else {
    read_wide<T>(op, a, is_tall, dense_view<T>(nullptr, batch, shorter, longer), wide.data.address(), rectangles);
  }
  const LaunchShape each{.blocks = {(batch + threads - 1) / threads}, .threads = threads};
  launch<start_skipping>(op, each, Global<const int32_t>(rectangles.status), Global<int32_t>(skip), batch);
  multiply<double>(
      op, {.a = as_input(wide), .b = as_input(wide), .c = power, .transpose_b = true, .symmetric = true, .skip = skip});
  const auto judge = [&](bool is_first) {
    launch<judge_power>(op, {.blocks = {batch}, .threads = threads, .shared_bytes = warps * sizeof(double)}, power,
                        traces, Global<int32_t>(skip), is_first);
  };
  judge(true);
  for (int left = PowerTraces::most_squarings(shorter); left > 0; --left) {
    multiply<double>(op, {.a = as_input(power), .b = as_input(power), .c = square, .symmetric = true, .skip = skip});
    std::swap(power, square);
    judge(false);
  }
  launch<answer_large<T>>(op, each, Global<const int32_t>(rectangles.status),
                          Global<const int32_t>(rectangles.exponent), Global<const PowerTraces>(traces), shorter,
                          longer, values, Global<kr_report>(reports));
}

template <typename T, int E>
void in_shared(Op& op, const BatchView<const T>& a, const BatchView<T>& values, kr_report* reports) {
  SharedArena arena;
  SpectralMemory::take(arena, side * E);
  launch<spectral_in_shared<T, E>>(op, {.blocks = {a.batch}, .threads = threads, .shared_bytes = arena.bytes()}, a,
                                   values, Global<kr_report>(reports));
}

}  // namespace

template <typename T>
void spectral_norms(Op& op, const BatchView<const T>& a, const BatchView<T>& values, kr_report* reports) {
  const int64_t shorter = std::min(a.rows, a.cols);
  if (shorter <= 16) return in_shared<T, 1>(op, a, values, reports);
  if (shorter <= 32) return in_shared<T, 2>(op, a, values, reports);
  if (shorter <= most_in_shared) return in_shared<T, 4>(op, a, values, reports);
  large_spectral_norms(op, a, values, reports);
}

template void spectral_norms(Op&, const BatchView<const float>&, const BatchView<float>&, kr_report*);
template void spectral_norms(Op&, const BatchView<const double>&, const BatchView<double>&, kr_report*);

}  // namespace kronroot::cuda
