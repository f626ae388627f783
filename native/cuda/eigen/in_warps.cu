// eigh up to order 32: the whole op in one kernel, Jacobi's method in registers (jacobi.cuh), order n padded by zeros
// to 4, 8, 16 or 32 lanes. Shared memory of a group of N lanes: the angles, V by rows, and N numbers in f64.
#include "in_warps.hpp"

#include "../../core/random.hpp"
#include "../../core/report.hpp"
#include "../launch.hpp"
#include "../symmetric_input.cuh"
#include "jacobi.cuh"
#include "scale.cuh"

namespace kronroot::cuda {
namespace {

constexpr int warps_of_block = 4;

template <typename T, int N>
struct GroupMemory {
  SharedArena arena;
  Shared<T> angles, values, vectors;
  Shared<double> coordinates;

  // Of group `group` of the block, in which there are `groups`.
  __host__ __device__ GroupMemory(int group, int groups)
      : angles(arena.take<T>(groups * 2 * N) + group * 2 * N),
        values(arena.take<T>(groups * N) + group * N),
        vectors(arena.take<T>(groups * N * (N + 1)) + group * N * (N + 1)),
        coordinates(arena.take<double>(groups * N) + group * N) {}
};

// Column `lane` of (A + A^T) / 2 to registers; what is not finite becomes 0. The scan of all lanes of the group.
template <typename T, int N>
__device__ SymmetricScan<T> read_columns(const MatrixView<const T>& matrix, int n, int lane, T (&a)[N]) {
  SymmetricScan<T> scan;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    a[i] = 0;
    if (i >= n || lane >= n) continue;
    const T here = matrix(i, lane), mirrored = matrix(lane, i);
    if (!(here - here == 0) || !(mirrored - mirrored == 0)) {
      scan.is_finite = 0;
      continue;
    }
    const T low = i >= lane ? here : mirrored, high = i >= lane ? mirrored : here;
    // Of halves, so that nothing overflows; it is 0 where A is symmetric.
    const T half_skew = high / 2 - low / 2;
    a[i] = low + half_skew;
    scan.largest = std::max(scan.largest, std::max(std::abs(here), std::abs(mirrored)));
    scan.largest_skew = std::max(scan.largest_skew, std::abs(half_skew));
  }
  scan.largest = warp_max(scan.largest, N);
  scan.largest_skew = warp_max(scan.largest_skew, N);
  scan.is_finite = warp_max(1 - scan.is_finite, N) == 0 ? 1 : 0;
  return scan;
}

template <typename T, int N, bool has_vectors>
__global__ void __launch_bounds__(warps_of_block* warp_size) decompose_in_warps(EighInWarps<T> p, int n) {
  constexpr int groups = warps_of_block * warp_size / N;
  const int lane = thread_index() % N;
  const int64_t b = block_index() * groups + thread_index() / N;
  const GroupMemory<T, N> memory(thread_index() / N, groups);
  const bool is_present = b < p.a.batch && (!p.skip || p.skip[b] == 0);
  const MatrixView<const T> matrix = p.a[is_present ? b : 0];

  Jacobi<T, N, has_vectors> jacobi;
  const SymmetricInput input = judged(read_columns(matrix, is_present ? n : 0, lane, jacobi.a));
  const bool is_sound = input.status == KR_STATUS_OK;
  const PowerOfTwo unit(-input.exponent);
  // A z for the probe z, and |A|_F^2.
  double product = 0, squares = 0;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    jacobi.a[i] = is_sound ? static_cast<T>(unit.times(jacobi.a[i])) : T(0);
    const double x = jacobi.a[i];
    product += random_sign(probe_stream, static_cast<uint64_t>(i)) * x;
    squares += x * x;
  }
  const double size = std::sqrt(warp_sum(squares, N));
  const int sweeps = jacobi.run(static_cast<T>(ulp_of<T> / (8 * N) * size), memory.angles);

  // To ascending order.
  const int place = jacobi.rank(n);
  memory.values[place] = jacobi.value;
  if constexpr (has_vectors) {
#pragma unroll
    for (int k = 0; k < N; ++k) memory.vectors[lane * (N + 1) + shuffle(place, k, N)] = jacobi.v[k];
  }
  sync_warp();
  const T w = memory.values[lane];
  const T scaled = scaled_back<T>(w, input.exponent, n);
  const bool overflows = warp_max(lane < n && !(scaled - scaled == 0) ? 1 : 0, N) != 0;
  const double magnitude = std::abs(static_cast<double>(w));
  const double largest = warp_max(lane < n ? magnitude : 0, N);
  const double smallest = -warp_max(lane < n ? -magnitude : -HUGE_VAL, N);

  T sign = 1;
  double residual = not_measured;
  if constexpr (has_vectors) {
    // Column `lane`: its leading component, and w (V^T z), of the values that are returned.
    T peak = 0;
    double coordinate = 0;
    for (int i = 0; i < n; ++i) {
      const T x = memory.vectors[i * (N + 1) + lane];
      peak = std::abs(x) > std::abs(peak) ? x : peak;
      coordinate += random_sign(probe_stream, static_cast<uint64_t>(i)) * static_cast<double>(x);
    }
    sign = peak < 0 ? T(-1) : T(1);
    memory.coordinates[lane] = coordinate * unit.times(scaled);
    sync_warp();
    for (int j = 0; j < n; ++j) {
      product -= static_cast<double>(memory.vectors[lane * (N + 1) + j]) * static_cast<double>(memory.coordinates[j]);
    }
    const double error = std::sqrt(warp_sum(lane < n ? product * product : 0.0, N));
    residual = size == 0 ? 0 : error / (size * std::sqrt(static_cast<double>(n)));
  }

  if (!is_present) return;
  const int32_t status = !is_sound    ? input.status
                         : sweeps < 0 ? KR_STATUS_NOT_CONVERGED
                         : overflows  ? KR_STATUS_OVERFLOW
                                      : KR_STATUS_OK;
  if (status == KR_STATUS_OK && lane < n) {
    p.values[b](lane, 0) = scaled;
    if constexpr (has_vectors) {
      const MatrixView<T> vectors = p.vectors[b];
      for (int i = 0; i < n; ++i) vectors(i, lane) = sign * static_cast<T>(memory.vectors[i * (N + 1) + lane]);
    }
  }
  if (lane != 0) return;
  if (p.status) p.status[b] = status;
  if (p.sweeps) p.sweeps[b] = sweeps;
  if (!p.reports) return;
  kr_report report = failed(static_cast<kr_status>(status));
  if (status == KR_STATUS_OK) {
    report = answered(n <= 1 ? KR_METHOD_DIRECT : KR_METHOD_JACOBI);
    report.iterations = sweeps;
    report.residual = residual;
    report.condition = largest == 0 ? not_measured : largest / smallest;
  }
  p.reports[b] = report;
}

template <typename T, int N, bool has_vectors>
void enqueue(Op& op, const EighInWarps<T>& problem) {
  constexpr int groups = warps_of_block * warp_size / N;
  const GroupMemory<T, N> memory(0, groups);
  launch<decompose_in_warps<T, N, has_vectors>>(op,
                                                {.blocks = {(problem.a.batch + groups - 1) / groups},
                                                 .threads = warps_of_block * warp_size,
                                                 .shared_bytes = memory.arena.bytes()},
                                                problem, static_cast<int>(problem.a.rows));
}

template <typename T, int N>
void enqueue(Op& op, const EighInWarps<T>& problem) {
  problem.vectors.data ? enqueue<T, N, true>(op, problem) : enqueue<T, N, false>(op, problem);
}

}  // namespace

template <typename T>
void eigh_in_warps(Op& op, const EighInWarps<T>& problem) {
  const int64_t n = problem.a.rows;
  if (n <= 4) {
    enqueue<T, 4>(op, problem);
  } else if (n <= 8) {
    enqueue<T, 8>(op, problem);
  } else if (n <= 16) {
    enqueue<T, 16>(op, problem);
  } else {
    enqueue<T, 32>(op, problem);
  }
}

template void eigh_in_warps(Op&, const EighInWarps<float>&);
template void eigh_in_warps(Op&, const EighInWarps<double>&);

}  // namespace kronroot::cuda
