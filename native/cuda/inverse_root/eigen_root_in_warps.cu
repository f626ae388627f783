// X = V diag((lambda + epsilon)^{-1/p}) V^T up to order 32: the whole op in one kernel and in f64, Jacobi's method in
// the registers of N = 4, 8, 16 or 32 lanes, which pad order n by zeros; 32 / N matrices a warp, in step.
//
// Shared memory of a matrix, in f64: V and X, N (N + 1) each; 6 N for eigenvalues, images and the certificate.
#include "eigen_root_in_warps.hpp"

#include "../eigen/jacobi.cuh"
#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

template <int N>
constexpr int warps_of_block = N == 32 ? 2 : 4;

template <int N>
struct GroupMemory {
  static constexpr int stride = N + 1;
  SharedArena arena;
  Shared<double> vectors, x, values, images, work;

  // Of group `group` of the block, in which there are `groups`.
  __host__ __device__ GroupMemory(int group, int groups)
      : vectors(arena.take<double>(groups * N * stride) + group * N * stride),
        x(arena.take<double>(groups * N * stride) + group * N * stride),
        values(arena.take<double>(groups * N) + group * N),
        images(arena.take<double>(groups * N) + group * N),
        work(arena.take<double>(groups * 4 * N) + group * 4 * N) {}
};

// S read from A; 0 for a group without a matrix.
template <typename T>
struct ReadSquare {
  SymmetricReader<T> s;
  bool is_present;
  __device__ double load(int i, int j) const { return is_present ? static_cast<double>(s(i, j)) : 0.0; }
};

template <typename T, int N>
__device__ SymmetricInput scan_columns(const MatrixView<const T>& a, bool is_present, int n) {
  const int lane = lane_index() % N;
  SymmetricScan<T> scan;
  for (int i = 0; i < n && lane < n && is_present; ++i) scan.see(a(i, lane), a(lane, i), i == lane);
  scan.template combine_lanes<N>();
  return judged(scan);
}

// Groups of a warp take the same way through this kernel, whatever their matrices are: shuffles are among all lanes.
template <typename T, int N>
__global__ void __launch_bounds__(warps_of_block<N>* warp_size)
    decompose_and_root(RootRequest request, RootTurn turn, RootBatch<T> batch) {
  constexpr int groups = warps_of_block<N> * warp_size / N;
  const LaneTeam<N> team{};
  const int n = static_cast<int>(batch.a.rows), lane = team.rank();
  const int64_t b = block_index() * groups + thread_index() / N;
  const GroupMemory<N> memory(thread_index() / N, groups);
  const bool is_in_batch = b < batch.a.batch;
  const int32_t stage = turn == RootTurn::first ? root_is_chosen : is_in_batch ? batch.stages[b] : root_is_settled;
  const bool is_present = is_in_batch && (stage == root_is_chosen || stage == root_is_next);
  if (!any_of_warp(is_present)) return;

  const MatrixView<const T> a = batch.a[is_present ? b : 0];
  const SymmetricInput input = scan_columns<T, N>(a, is_present, n);
  const bool is_sound = is_present && input.status == KR_STATUS_OK;
  const int exponent = scale_exponent(request, input);
  const ReadSquare<T> s{{a, exponent}, is_sound};

  Jacobi<double, N, true> jacobi;
  double squares = 0;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    jacobi.a[i] = i < n && lane < n ? s.load(i, lane) : 0.0;
    squares += jacobi.a[i] * jacobi.a[i];
  }
  const double size = sqrt(team.sum(squares));
  const int sweeps = jacobi.run(ulp_of<double> / (8 * N) * size, memory.work);
  // Eigenvalues in ascending order, eigenvectors in columns; what pads the matrix comes last.
  const int place = jacobi.rank(n);
  memory.values[place] = jacobi.value;
#pragma unroll
  for (int k = 0; k < N; ++k) memory.vectors[lane * memory.stride + shuffle(place, k, N)] = jacobi.v[k];
  team.sync();

  kr_report report{};
  const Spectrum spectrum = spectrum_of(
      team, request, exponent, n, [&](int i) -> double { return memory.values[i]; }, &report);
  memory.images[lane] = lane < n ? spectrum.image(request.root, memory.values[lane]) : 0.0;
  team.sync();
  // Column `lane` of X, and the same bits in row `lane`.
  double own[N];
#pragma unroll
  for (int k = 0; k < N; ++k) own[k] = memory.vectors[lane * memory.stride + k];
  double overflows = 0;
  for (int i = 0; i < n; ++i) {
    double sum = 0;
#pragma unroll
    for (int k = 0; k < N; ++k) sum += memory.images[k] * (memory.vectors[i * memory.stride + k] * own[k]);
    const T element = static_cast<T>(sum);
    memory.x[i * memory.stride + lane] = static_cast<double>(element);
    if (lane < n && !is_finite(static_cast<T>(ldexp(static_cast<double>(element), spectrum.scale.result)))) {
      overflows = 1;
    }
  }
  overflows = team.max(overflows);
  team.sync();
  using Vectors = SharedSquare<double>;
  using Negative = NegativePart<Shared<double>, Vectors>;
  const Shared<double> v = memory.work;
  const Certificate<LaneTeam<N>, ReadSquare<T>, SharedSquare<double>, Shared<double>, Negative> certificate{
      team,
      n,
      request,
      s,
      {memory.x, memory.stride},
      spectrum.epsilon,
      spectrum.scale.remainder,
      {n, memory.values, {memory.vectors, memory.stride}},
      v,
      v + N,
      v + 2 * N,
      v + 3 * N};
  const double residual = certificate.residual();
  if (!is_present) return;

  if (!is_sound) {
    report = failed(static_cast<kr_status>(input.status));
  } else if (sweeps < 0) {
    report = failed(KR_STATUS_NOT_CONVERGED);
  } else if (!is_failure(report)) {
    report.method = input.is_diagonal ? KR_METHOD_DIRECT : KR_METHOD_EIGH;
    report.iterations = input.is_diagonal ? 0 : sweeps;
    report.rung = stage == root_is_chosen ? KR_RUNG_CHOSEN : KR_RUNG_EIGH;
    report.residual = residual;
    if (!(residual <= request.residual_bound)) {
      report = failed(KR_STATUS_NOT_CONVERGED);
    } else if (overflows != 0) {
      report = failed(KR_STATUS_OVERFLOW);
    }
  }
  if (!is_failure(report) && lane < n) {
    const MatrixView<T> out = batch.x[b];
    for (int i = 0; i < n; ++i) {
      out(i, lane) = static_cast<T>(ldexp(double{memory.x[i * memory.stride + lane]}, spectrum.scale.result));
    }
  }
  if (lane != 0) return;
  batch.reports[b] = report;
  batch.stages[b] = root_is_settled;
}

template <typename T, int N>
void enqueue(Op& op, const RootRequest& request, RootTurn turn, const RootBatch<T>& batch) {
  constexpr int groups = warps_of_block<N> * warp_size / N;
  const GroupMemory<N> memory(0, groups);
  launch<decompose_and_root<T, N>>(op,
                                   {.blocks = {(batch.a.batch + groups - 1) / groups},
                                    .threads = warps_of_block<N> * warp_size,
                                    .shared_bytes = memory.arena.bytes()},
                                   request, turn, batch);
}

}  // namespace

template <typename T>
void eigen_roots_in_warps(Op& op, const RootRequest& request, RootTurn turn, const RootBatch<T>& batch) {
  const int64_t n = batch.a.rows;
  if (n <= 4) {
    enqueue<T, 4>(op, request, turn, batch);
  } else if (n <= 8) {
    enqueue<T, 8>(op, request, turn, batch);
  } else if (n <= 16) {
    enqueue<T, 16>(op, request, turn, batch);
  } else {
    enqueue<T, 32>(op, request, turn, batch);
  }
}

template void eigen_roots_in_warps(Op&, const RootRequest&, RootTurn, const RootBatch<float>&);
template void eigen_roots_in_warps(Op&, const RootRequest&, RootTurn, const RootBatch<double>&);

}  // namespace kronroot::cuda
