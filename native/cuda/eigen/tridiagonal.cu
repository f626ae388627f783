// Householder reduction to tridiagonal form, one block for each matrix.
//
// Row k = n-1, ..., 1 is reduced in turn (Wilkinson and Reinsch, Handbook for Automatic Computation II, contribution
// II/2): with the reflector H_k = I - tau v v^T, v of k components,
//   H A H = A - v w^T - w v^T,   p = tau A v,   w = p - (tau / 2) (p . v) v.
// The update stays pending and is applied in the pass over A that forms the next A v, so that each element is read and
// written once a step. What a step needs beside the pass, two dot products and a row, every warp does for itself: two
// barriers a step are left.
//
// A lies in shared memory where it fits, n^2 + 4 n elements; else in global memory, where row k of what is reduced
// gives way to v_k.
#include "tridiagonal.hpp"

#include <cmath>

#include "../launch.hpp"
#include "reflector.cuh"

namespace kronroot::cuda {
namespace {

// Rows that a warp takes at a time, so that a load of v, w and x serves all of them.
constexpr int rows_at_once = 4;

template <typename T, bool is_in_shared>
struct ReductionMemory {
  SharedArena arena;
  Shared<T> v, w, y, matrix;  // v: of two reflectors in turn
  Shared<double> partial;

  __host__ __device__ ReductionMemory(int n, int warps)
      : v(arena.take<T>(2 * n)),
        w(arena.take<T>(n)),
        y(arena.take<T>(n)),
        matrix(arena.take<T>(is_in_shared ? n * n : 0)),
        partial(arena.take<double>(warps)) {}
};

template <typename T, typename Storage>
class Reduction {
 public:
  __device__ Reduction(int n, Storage matrix, Shared<T> v, Shared<T> w, Shared<T> y)
      : n_(n), matrix_(matrix), v_(v), w_(w), y_(y) {}

  __device__ void run(Global<T> reflectors, Global<T> tau_out, Global<double> d, Global<double> e) {
    for (int j = thread_index(); j < n_; j += block_threads()) {
      v_[j] = 0;
      v_[n_ + j] = 0;
      w_[j] = 0;
      y_[j] = 0;
    }
    sync_block();
    T tau = 0;
    for (int k = n_ - 1; k >= 0; --k) {
      const int now = k % 2 * n_, before = n_ - now;
      const T half = -tau / 2 * dot_of_pending(k + 1, before);
      const auto w_of = [&](int j) { return tau * (T(y_[j]) + half * T(v_[before + j])); };
      const T vk = v_[before + k], wk = w_of(k);
      const auto updated = [&](int j) { return matrix_at(k, j) - vk * w_of(j) - wk * T(v_[before + j]); };
      T squares = 0;
      for (int j = lane_index(); j < k - 1; j += warp_size) {
        const T x = updated(j);
        squares += x * x;
      }
      squares = warp_sum(squares);
      const T diagonal = updated(k), alpha = k > 0 ? updated(k - 1) : T(0);
      const Reflector<T> reflector = reflector_of(squares, alpha);
      for (int j = thread_index(); j < k; j += block_threads()) {
        const T own = reflector.tau == 0 ? T(0) : j == k - 1 ? T(1) : updated(j) * reflector.scale;
        w_[j] = w_of(j);
        v_[now + j] = own;
      }
      tau = reflector.tau;
      if (thread_index() == 0) {
        d[k] = static_cast<double>(diagonal);
        if (k > 0) e[k - 1] = static_cast<double>(reflector.beta);
        tau_out[k] = tau;
      }
      sync_block();
      for (int j = thread_index(); j < k; j += block_threads()) reflectors[int64_t{k} * n_ + j] = v_[now + j];
      update_and_multiply(k, now, before);
      sync_block();
    }
  }

 private:
  __device__ __forceinline__ T matrix_at(int i, int j) const { return matrix_[i * n_ + j]; }

  __device__ __forceinline__ T dot_of_pending(int count, int before) const {
    T sum = 0;
    for (int j = lane_index(); j < count; j += warp_size) sum += T(y_[j]) * T(v_[before + j]);
    return warp_sum(sum);
  }

  // The pending update on the leading k rows and columns, and y = A v with the new v.
  __device__ __forceinline__ void update_and_multiply(int k, int now, int before) {
    for (int first = warp_index() * rows_at_once; first < k; first += warp_count() * rows_at_once) {
      T vi[rows_at_once], wi[rows_at_once], sum[rows_at_once];
#pragma unroll
      for (int r = 0; r < rows_at_once; ++r) {
        const int i = first + r < k ? first + r : k - 1;
        vi[r] = v_[before + i];
        wi[r] = w_[i];
        sum[r] = 0;
      }
      for (int j = lane_index(); j < k; j += warp_size) {
        const T vj = v_[before + j], wj = w_[j], xj = v_[now + j];
#pragma unroll
        for (int r = 0; r < rows_at_once; ++r) {
          if (first + r >= k) continue;
          const T a = matrix_at(first + r, j) - vi[r] * wj - wi[r] * vj;
          matrix_[(first + r) * n_ + j] = a;
          sum[r] += a * xj;
        }
      }
#pragma unroll
      for (int r = 0; r < rows_at_once; ++r) {
        const T total = warp_sum(sum[r]);
        if (lane_index() == 0 && first + r < k) y_[first + r] = total;
      }
    }
  }

  int n_;
  Storage matrix_;
  Shared<T> v_, w_, y_;
};

template <typename T, bool is_in_shared>
__global__ void reduce_in_block(BatchView<const T> a, TridiagonalBatch<T> form, Global<const int32_t> skip) {
  const int64_t b = block_index();
  if (skip && skip[b] != 0) return;
  const int n = static_cast<int>(form.order);
  const ReductionMemory<T, is_in_shared> memory(n, warp_count());
  const MatrixView<const T> matrix = a[b];
  const Global<T> reflectors = Global<T>(form.reflectors) + b * n * n;
  const Global<double> d = Global<double>(form.d) + b * form.padded, e = Global<double>(form.e) + b * form.padded;
  for (int i = warp_index(); i < n; i += warp_count()) {
    for (int j = lane_index(); j < n; j += warp_size) {
      if constexpr (is_in_shared) {
        memory.matrix[i * n + j] = matrix(i, j);
      } else {
        reflectors[int64_t{i} * n + j] = matrix(i, j);
      }
    }
  }
  const Global<T> tau = Global<T>(form.tau) + b * n;
  if constexpr (is_in_shared) {
    Reduction<T, Shared<T>>(n, memory.matrix, memory.v, memory.w, memory.y).run(reflectors, tau, d, e);
  } else {
    Reduction<T, Global<T>>(n, reflectors, memory.v, memory.w, memory.y).run(reflectors, tau, d, e);
  }

  double largest = 0;
  for (int i = thread_index(); i < n; i += block_threads()) {
    const double left = i > 0 ? std::abs(e[i - 1]) : 0, right = i < n - 1 ? std::abs(e[i]) : 0;
    largest = std::max(largest, std::abs(d[i]) + left + right);
  }
  largest = block_max(largest, memory.partial);
  for (int64_t i = n + thread_index(); i < form.padded; i += block_threads()) d[i] = largest > 0 ? 1.25 * largest : 1;
  for (int64_t i = n - 1 + thread_index(); i < form.padded; i += block_threads()) e[i] = 0;
  if (thread_index() == 0) Global<double>(form.bound)[b] = largest;
}

}  // namespace

template <typename T>
void tridiagonalise(Op& op, const BatchView<const T>& a, const TridiagonalBatch<T>& form, const int32_t* skip) {
  const int n = static_cast<int>(form.order);
  const int threads = n <= 64 ? 128 : n <= 128 ? 256 : 512;
  const int warps = threads / warp_size;
  const LaunchShape shape{.blocks = {form.batch}, .threads = threads};
  const Global<const int32_t> skipped(skip);
  const std::size_t most = static_cast<std::size_t>(op.device().shared_bytes);
  if (ReductionMemory<T, true> memory(n, warps); n < 256 && memory.arena.bytes() <= most) {
    launch<reduce_in_block<T, true>>(op, {shape.blocks, threads, memory.arena.bytes()}, a, form, skipped);
  } else if (ReductionMemory<T, false> vectors(n, warps); vectors.arena.bytes() <= most) {
    launch<reduce_in_block<T, false>>(op, {shape.blocks, threads, vectors.arena.bytes()}, a, form, skipped);
  } else {
    op.fail(KR_BAD_SHAPE);
  }
}

template void tridiagonalise(Op&, const BatchView<const float>&, const TridiagonalBatch<float>&, const int32_t*);
template void tridiagonalise(Op&, const BatchView<const double>&, const TridiagonalBatch<double>&, const int32_t*);

}  // namespace kronroot::cuda
