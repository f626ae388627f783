// N = 4, 8, 16 or 32 lanes a matrix, padded by zeros; lane i holds row i of everything. Row i of A B is a sum of rows
// of B, which all lanes of the matrix read from shared memory at the same time; row i of X X^T is row i of X times
// them.
//
// Shared memory of a matrix: three squares of N rows, N + 4 apart so that rows are stored without conflicts, and 2 N
// numbers of f64.
#include "newton_schulz_in_warps.hpp"

#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int warps_of_block = 4;

template <typename T, int N>
struct RowSquare {
  static constexpr int stride = N + 4;
  Shared<T> data;

  __device__ T load(int i, int j) const { return data[i * stride + j]; }
  __device__ __forceinline__ void store_row(int i, const T (&row)[N]) const {
#pragma unroll
    for (int j = 0; j < N; j += 4) {
      store_vector<4>(data, i * stride + j, Vector<T, 4>{{row[j], row[j + 1], row[j + 2], row[j + 3]}});
    }
  }
  __device__ __forceinline__ void load_row(int i, T (&row)[N]) const {
#pragma unroll
    for (int j = 0; j < N; j += 4) {
      const Vector<T, 4> four = load_vector<4>(data, i * stride + j);
#pragma unroll
      for (int k = 0; k < 4; ++k) row[j + k] = four[k];
    }
  }
};

// The rows of one matrix that a lane works on.
template <typename T, int N>
class WarpNewtonSchulz {
 public:
  __device__ WarpNewtonSchulz(const RowSquare<T, N>& x, const RowSquare<T, N>& right, const RowSquare<T, N>& q)
      : x_(x), right_(right), q_(q) {}

  // X is in x_.
  __device__ void iterate(const QuinticList& list) {
    T g[N], w[N], row[N];
    for (int k = 0; k < list.count; ++k) {
      gram(g);
      form_factor(list.steps[k], g, w);
      multiply(w, x_, row);
      replace(x_, row);
    }
  }

  // newton_schulz.cu says why.
  __device__ void iterate_gram(const QuinticList& list) {
    constexpr int restart = 2;
    T r[N], w[N], row[N];
    for (int k = 0; k < list.count; ++k) {
      const bool starts = k == 0 || k == restart, ends = k + 1 == list.count || k + 1 == restart;
      if (starts) gram(r);
      form_factor(list.steps[k], r, w);
      if (starts) {
        replace(q_, w);
      } else {
        multiply(w, q_, row);
        replace(q_, row);
      }
      if (ends) {
        q_.load_row(lane(), w);
        multiply(w, x_, row);
        replace(x_, row);
        continue;
      }
      // R <- W R W
      replace(right_, w);
      multiply(r, right_, row);
      replace(right_, row);
      multiply(w, right_, r);
    }
  }

  // Row i divided by (sum_j |X X^T|_ij)^{1/2} safety.
  __device__ void divide_by_row_sums(double safety) {
    T row[N];
    gram(row);
    double sum = 0;
#pragma unroll
    for (int j = 0; j < N; ++j) sum += std::abs(static_cast<double>(row[j]));
    const double size = sum > 0 ? safety * sqrt(sum) : 1;
    x_.load_row(lane(), row);
#pragma unroll
    for (int j = 0; j < N; ++j) row[j] = static_cast<T>(static_cast<double>(row[j]) / size);
    replace(x_, row);
  }

 private:
  static __device__ __forceinline__ int lane() { return lane_index() % N; }

  // A row of X X^T.
  __device__ __forceinline__ void gram(T (&row)[N]) const {
    T own[N];
    x_.load_row(lane(), own);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      T other[N], sum = 0;
      x_.load_row(k, other);
#pragma unroll
      for (int j = 0; j < N; ++j) sum += own[j] * other[j];
      row[k] = sum;
    }
  }
  // A row of A B from the row of A.
  __device__ __forceinline__ void multiply(const T (&a)[N], const RowSquare<T, N>& b, T (&row)[N]) const {
#pragma unroll
    for (int j = 0; j < N; ++j) row[j] = 0;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      T other[N];
      b.load_row(k, other);
#pragma unroll
      for (int j = 0; j < N; ++j) row[j] += a[k] * other[j];
    }
  }
  // w = a I + b G + c G^2
  __device__ __forceinline__ void form_factor(const Quintic& step, const T (&g)[N], T (&w)[N]) const {
    replace(right_, g);
    multiply(g, right_, w);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      w[j] = static_cast<T>(step.c) * w[j] + static_cast<T>(step.b) * g[j] + (j == lane() ? static_cast<T>(step.a) : 0);
    }
  }
  // All rows of a square, which nobody reads before and after.
  __device__ __forceinline__ void replace(const RowSquare<T, N>& square, const T (&row)[N]) const {
    sync_warp();
    square.store_row(lane(), row);
    sync_warp();
  }

  RowSquare<T, N> x_, right_, q_;
};

template <typename T, int N>
struct GroupMemory {
  static constexpr int elements = N * RowSquare<T, N>::stride;
  SharedArena arena;
  RowSquare<T, N> x, right, q;
  Shared<double> vectors;

  __host__ __device__ GroupMemory(int group, int groups)
      : x{arena.take<T>(groups * elements) + group * elements},
        right{arena.take<T>(groups * elements) + group * elements},
        q{arena.take<T>(groups * elements) + group * elements},
        vectors(arena.take<double>(groups * 2 * N) + group * 2 * N) {}
};

// Groups of a warp take the same way through this kernel: shuffles are among all lanes.
template <typename T, int N>
__global__ void __launch_bounds__(warps_of_block* warp_size)
    newton_schulz_of_groups(OrthogonalizeRequest request, OrthogonalizeBatch<T> batch,
                            const __grid_constant__ QuinticList list) {
  constexpr int groups = warps_of_block * warp_size / N;
  const LaneTeam<N> team{};
  const int lane = team.rank(), m = batch.rows(), n = batch.cols();
  const int64_t b = block_index() * groups + thread_index() / N;
  const GroupMemory<T, N> memory(thread_index() / N, groups);
  const bool is_present = b < batch.a.batch;
  const WideView<const T> a{batch.a[is_present ? b : 0], batch.is_tall()};

  T row[N];
  T largest = 0;
  bool is_bad = false;
#pragma unroll
  for (int j = 0; j < N; ++j) {
    row[j] = is_present && lane < m && j < n ? a(lane, j) : T(0);
    is_bad = is_bad || !(row[j] - row[j] == 0);
    const T magnitude = row[j] < 0 ? -row[j] : row[j];
    largest = magnitude > largest ? magnitude : largest;
  }
  is_bad = team.max(is_bad ? 1 : 0) != 0;
  largest = static_cast<T>(team.max(is_bad ? 0.0 : static_cast<double>(largest)));
  const bool is_zero = largest == 0;
  int exponent = 0;
  frexp(static_cast<double>(largest), &exponent);
  double squares = 0;
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const double each = is_bad ? 0 : ldexp(static_cast<double>(row[j]), -exponent);
    squares += each * each;
  }
  squares = team.sum(squares);
  const double size = request.scales_rows || squares == 0 ? 1 : request.safety * sqrt(squares);
#pragma unroll
  for (int j = 0; j < N; ++j) {
    row[j] = is_bad ? T(0) : static_cast<T>(ldexp(static_cast<double>(row[j]), -exponent) / size);
  }
  memory.x.store_row(lane, row);
  team.sync();

  WarpNewtonSchulz<T, N> iteration(memory.x, memory.right, memory.q);
  if (request.scales_rows) iteration.divide_by_row_sums(request.safety);
  request.method == KR_METHOD_GRAM_NEWTON_SCHULZ ? iteration.iterate_gram(list) : iteration.iterate(list);
  const double residual = partial_isometry_residual(team, m, n, memory.x, memory.vectors, memory.vectors + N);
  if (!is_present) return;

  // Every element has a part in the residual, so that its not being finite shows there.
  kr_report report = answered(static_cast<kr_method>(request.method));
  report.iterations = request.steps;
  report.residual = residual;
  if (is_bad) {
    report = failed(KR_STATUS_NON_FINITE_INPUT);
  } else if (is_zero) {
    report = rank_deficient(answered(KR_METHOD_DIRECT), 0);
    report.residual = 0;
  } else if (!(residual - residual == 0)) {
    report = failed(KR_STATUS_OVERFLOW);
  }
  if (!is_failure(report) && lane < m) {
    const WideView<T> x{batch.x[b], batch.is_tall()};
    for (int j = 0; j < n; ++j) x(lane, j) = memory.x.load(lane, j);
  }
  if (lane == 0) batch.reports[b] = report;
}

template <typename T, int N>
void enqueue(Op& op, const OrthogonalizeRequest& request, const OrthogonalizeBatch<T>& batch, const QuinticList& list) {
  constexpr int groups = warps_of_block * warp_size / N;
  const GroupMemory<T, N> memory(0, groups);
  launch<newton_schulz_of_groups<T, N>>(op,
                                        {.blocks = {(batch.a.batch + groups - 1) / groups},
                                         .threads = warps_of_block * warp_size,
                                         .shared_bytes = memory.arena.bytes()},
                                        request, batch, list);
}

}  // namespace

template <typename T>
void newton_schulz_in_warps(Op& op, const OrthogonalizeRequest& request, const std::vector<Quintic>& steps,
                            const OrthogonalizeBatch<T>& batch) {
  const QuinticList list(steps);
  const int n = batch.cols();
  if (n <= 4) {
    enqueue<T, 4>(op, request, batch, list);
  } else if (n <= 8) {
    enqueue<T, 8>(op, request, batch, list);
  } else if (n <= 16) {
    enqueue<T, 16>(op, request, batch, list);
  } else {
    enqueue<T, 32>(op, request, batch, list);
  }
}

template void newton_schulz_in_warps(Op&, const OrthogonalizeRequest&, const std::vector<Quintic>&,
                                     const OrthogonalizeBatch<float>&);
template void newton_schulz_in_warps(Op&, const OrthogonalizeRequest&, const std::vector<Quintic>&,
                                     const OrthogonalizeBatch<double>&);

}  // namespace kronroot::cuda
