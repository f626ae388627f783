// X and one square, G and then W in its place, stay in shared memory as planes of fp16 (gemm/pair_product.hpp), rows of
// P + 8 numbers, so that ldmatrix meets no bank twice. A warp computes a part of the product in registers; when all
// have read what they need, the result takes its place.
//
// Shared memory: 4 P (P + 8) bytes a plane of both, P = 64 or 128; at the end X in f32 takes the same place.
#include "newton_schulz_in_blocks.hpp"

#include <cmath>

#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

// C of P x P by warps of 32 x 32 or 64 x 32.
template <int P>
struct BlockTile {
  static constexpr int stride = P + 8, elements = P * stride;
  static constexpr int rows = P / 2, cols = 32;
  static constexpr int down = rows / 16, across = cols / 8;
  static constexpr int warps_across = P / cols;
  static constexpr int threads = 2 * warps_across * warp_size;
};

struct PlaneScale {
  int x, square;  // exponents of the planes
};

// A square in planes; without `low` its high plane alone.
template <int P, bool is_full>
struct Planes {
  Shared<Half> high, low;

  __device__ __forceinline__ float load(int i, int j) const {
    const int at = i * BlockTile<P>::stride + j;
    return to_float(high[at]) + (is_full ? to_float(low[at]) : 0);
  }
  __device__ __forceinline__ void store(int i, int j, float x) const {
    const int at = i * BlockTile<P>::stride + j;
    const Half rounded = to_half(x);
    high[at] = rounded;
    if constexpr (is_full) low[at] = to_half(x - to_float(rounded));
  }
};

template <int P>
struct Sums {
  using Tile = BlockTile<P>;
  float values[Tile::down][Tile::across][4];
  int row, col;  // of the warp's part

  __device__ Sums()
      : row(warp_index() / Tile::warps_across * Tile::rows), col(warp_index() % Tile::warps_across * Tile::cols) {}

  // f(i, j, sum) for all elements of this thread.
  template <typename F>
  __device__ __forceinline__ void for_each(const F& f) {
    const int lane = lane_index();
#pragma unroll
    for (int i = 0; i < Tile::down; ++i) {
#pragma unroll
      for (int j = 0; j < Tile::across; ++j) {
#pragma unroll
        for (int r = 0; r < 4; ++r) {
          f(row + 16 * i + lane / 4 + r / 2 * 8, col + 8 * j + lane % 4 * 2 + r % 2, values[i][j][r]);
        }
      }
    }
  }
};

// Sums of A B, or of A B^T where B is given by rows: `depth` terms, a multiple of 16. Small terms first.
template <int P, bool is_full, bool b_by_rows>
__device__ __forceinline__ void multiply(const Planes<P, is_full>& a, const Planes<P, is_full>& b, int depth,
                                         Sums<P>& sums) {
  using Tile = BlockTile<P>;
  const int lane = lane_index();
  const auto load_a = [&](uint32_t(&to)[Tile::down][4], Shared<Half> plane, int k) {
#pragma unroll
    for (int i = 0; i < Tile::down; ++i) {
      load_matrices(to[i], plane, (sums.row + 16 * i + lane % 16) * Tile::stride + k + lane / 16 * 8);
    }
  };
  const auto load_b = [&](uint32_t(&to)[Tile::across][2], Shared<Half> plane, int k) {
#pragma unroll
    for (int j = 0; j < Tile::across; j += 2) {
      uint32_t both[4];
      if constexpr (b_by_rows) {
        load_matrices(both, plane, (sums.col + 8 * j + lane / 16 * 8 + lane % 8) * Tile::stride + k + lane / 8 % 2 * 8);
      } else {
        load_matrices<4, true>(both, plane,
                               (k + lane / 8 % 2 * 8 + lane % 8) * Tile::stride + sums.col + 8 * j + lane / 16 * 8);
      }
      to[j][0] = both[0], to[j][1] = both[1];
      to[j + 1][0] = both[2], to[j + 1][1] = both[3];
    }
  };
  const auto add = [&](const uint32_t(&x)[Tile::down][4], const uint32_t(&y)[Tile::across][2]) {
#pragma unroll
    for (int j = 0; j < Tile::across; ++j) {
#pragma unroll
      for (int i = 0; i < Tile::down; ++i) mma_m16n8k16<Half>(sums.values[i][j], x[i], y[j]);
    }
  };
  sums.for_each([](int, int, float& sum) { sum = 0; });
  for (int k = 0; k < depth; k += 16) {
    uint32_t a_high[Tile::down][4], b_high[Tile::across][2];
    load_a(a_high, a.high, k);
    load_b(b_high, b.high, k);
    if constexpr (is_full) {
      uint32_t a_low[Tile::down][4], b_low[Tile::across][2];
      load_a(a_low, a.low, k);
      add(a_low, b_high);
      load_b(b_low, b.low, k);
      add(a_high, b_low);
    }
    add(a_high, b_high);
  }
}

template <int P, bool is_full>
struct BlockMemory {
  static constexpr int planes = is_full ? 2 : 1;
  SharedArena arena;
  Shared<Half> all;        // planes of X, then of the square
  Shared<double> vectors;  // 2 P
  Shared<double> partial;

  __host__ __device__ BlockMemory()
      : all(arena.take<Half>(2 * planes * BlockTile<P>::elements)),
        vectors(arena.take<double>(2 * P)),
        partial(arena.take<double>(BlockTile<P>::threads / warp_size)) {}

  __device__ Planes<P, is_full> square(int index) const {
    const Shared<Half> high = all + index * planes * BlockTile<P>::elements;
    return {high, is_full ? high + BlockTile<P>::elements : high};
  }
};

template <int P>
struct FloatSquare {
  Shared<float> data;
  __device__ __forceinline__ float load(int i, int j) const { return data[i * BlockTile<P>::stride + j]; }
};

template <int P, bool is_full>
__global__ void __launch_bounds__(BlockTile<P>::threads)
    newton_schulz_of_block(OrthogonalizeRequest request, OrthogonalizeBatch<float> batch, PlaneScale scale,
                           const __grid_constant__ QuinticList list) {
  const BlockMemory<P, is_full> memory;
  const BlockTeam team{memory.partial};
  const int64_t b = block_index();
  const int m = batch.rows(), n = batch.cols();
  const int depth_of_rows = (n + 15) / 16 * 16, depth = (m + 15) / 16 * 16;
  const MatrixView<const float> a = batch.a[b];
  const RectangleInput input = scan_rectangle(team, a);
  if (input.status != KR_STATUS_OK) {
    if (team.rank() == 0) batch.reports[b] = failed(static_cast<kr_status>(input.status));
    return;
  }
  if (input.is_zero) {
    answer_zero(team, batch, b);
    return;
  }

  const Planes<P, is_full> x = memory.square(0), square = memory.square(1);
  const WideView<const float> wide{a, batch.is_tall()};
  const float x_scale = ldexpf(1, scale.x), square_scale = ldexpf(1, scale.square);
  // X_ij = A_ij 2^-exponent / size(i), zeros around it.
  const auto fill = [&](const auto& size) {
    for (int e = team.rank(); e < P * P; e += team.size()) {
      const int i = e / P, j = e % P;
      float value = 0;
      if (i < m && j < n) {
        value = static_cast<float>(ldexp(static_cast<double>(wide(i, j)), -input.exponent) / size(i));
      }
      x.store(i, j, x_scale * value);
    }
    team.sync();
  };
  Sums<P> sums;
  const auto gram = [&] {
    multiply<P, is_full, true>(x, x, depth_of_rows, sums);
    const float unit = square_scale / (x_scale * x_scale);
    sums.for_each([&](int i, int j, float& sum) { square.store(i, j, unit * sum); });
    team.sync();
  };
  const double safe_norm = request.safety * input.norm;
  fill([&](int) { return request.scales_rows ? input.norm : safe_norm; });
  if (request.scales_rows) {
    // Rows over (sum_j |A A^T|_ij)^{1/2} safety, see divide_by_row_sums.
    gram();
    for (int i = team.rank(); i < m; i += team.size()) {
      double sum = 0;
      for (int j = 0; j < m; ++j) sum += std::abs(static_cast<double>(square.load(i, j)));
      memory.vectors[i] = sum > 0 ? safe_norm * sqrt(sum / static_cast<double>(square_scale)) : 1;
    }
    team.sync();
    fill([&](int i) { return double{memory.vectors[i]}; });
  }

  const Shared<float> x_in_f32 = memory.all.template as<float>();
  for (int k = 0; k < list.count; ++k) {
    const Quintic step = list.steps[k];
    gram();
    // W = a I + b G + c G^2
    multiply<P, is_full, true>(square, square, depth, sums);
    const float c = static_cast<float>(step.c) / (square_scale * square_scale);
    const float a_of_step = static_cast<float>(step.a), b_of_step = static_cast<float>(step.b) / square_scale;
    sums.for_each([&](int i, int j, float& sum) {
      sum = c * sum + b_of_step * square.load(i, j) + (i == j && i < m ? a_of_step : 0);
    });
    team.sync();
    sums.for_each([&](int i, int j, float& sum) { square.store(i, j, square_scale * sum); });
    team.sync();
    // X <- W X
    multiply<P, is_full, false>(square, x, depth, sums);
    const float unit = 1 / (x_scale * square_scale);
    const bool is_last = k + 1 == list.count;
    team.sync();
    sums.for_each([&](int i, int j, float& sum) {
      if (is_last) {
        x_in_f32[i * BlockTile<P>::stride + j] = unit * sum;
      } else {
        x.store(i, j, x_scale * unit * sum);
      }
    });
    team.sync();
  }

  const FloatSquare<P> result{x_in_f32};
  const double residual = partial_isometry_residual(team, m, n, result, memory.vectors, memory.vectors + m);
  // Every element has a part in the residual, so that its not being finite shows there.
  const bool is_finite = residual - residual == 0;
  if (team.rank() == 0) {
    kr_report report = answered(KR_METHOD_NEWTON_SCHULZ);
    report.iterations = request.steps;
    report.residual = residual;
    batch.reports[b] = is_finite ? report : failed(KR_STATUS_OVERFLOW);
  }
  if (!is_finite) return;
  const MatrixView<float> out = batch.x[b];
  const WideView<float> wide_out{out, batch.is_tall()};
  for (int64_t e = team.rank(); e < out.rows * out.cols; e += team.size()) {
    wide_out.visit(
        e, [&](int64_t i, int64_t j) { wide_out(i, j) = result.load(static_cast<int>(i), static_cast<int>(j)); });
  }
}

template <int P, bool is_full>
void enqueue(Op& op, const OrthogonalizeRequest& request, const OrthogonalizeBatch<float>& batch,
             const PlaneScale& scale, const QuinticList& list) {
  const BlockMemory<P, is_full> memory;
  launch<newton_schulz_of_block<P, is_full>>(
      op, {.blocks = {batch.a.batch}, .threads = BlockTile<P>::threads, .shared_bytes = memory.arena.bytes()}, request,
      batch, scale, list);
}

}  // namespace

void newton_schulz_in_blocks(Op& op, const OrthogonalizeRequest& request, const std::vector<Quintic>& steps,
                             const PolynomialBounds& bounds, const OrthogonalizeBatch<float>& batch) {
  const QuinticList list(steps);
  const PlaneScale scale{plane_exponent(bounds.x), plane_exponent(bounds.square)};
  const bool is_full = request.precision == PairPrecision::full;
  if (batch.cols() <= 64) {
    is_full ? enqueue<64, true>(op, request, batch, scale, list) : enqueue<64, false>(op, request, batch, scale, list);
  } else {
    is_full ? enqueue<128, true>(op, request, batch, scale, list)
            : enqueue<128, false>(op, request, batch, scale, list);
  }
}

}  // namespace kronroot::cuda
