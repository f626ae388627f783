// Householder reduction to tridiagonal form, one block for each matrix, in two stages.
//
// Row k = n-1, ..., 1 is reduced in turn (Wilkinson and Reinsch, Handbook for Automatic Computation II, contribution
// II/2): with the reflector H_k = I - tau v v^T, v of k components,
//   H A H = A - v w^T - w v^T,   p = tau A v,   w = p - (tau / 2) (p . v) v.
//
// What fits in shared memory is reduced there by one launch, n^2 + 4 n elements. The update stays pending and is
// applied in the pass over A that forms the next A v, so that each element is read and written once a step. What a step
// needs beside the pass, two dot products and a row, every warp does for itself: two barriers a step are left.
//
// Of larger matrices panels of rows are reduced until the rest fits (panel.hpp).
#include "tridiagonal.hpp"

#include <cmath>

#include "../launch.hpp"
#include "panel.hpp"
#include "reflector.cuh"
#include "warp_sums.cuh"

namespace kronroot::cuda {
namespace {

// Rows that a warp takes at a time, so that a load of v, w and x serves all of them.
constexpr int rows_at_once = 4;

template <typename T>
struct ReductionMemory {
  SharedArena arena;
  Shared<T> v, w, y, matrix;  // v: of two reflectors in turn
  Shared<double> partial;

  __host__ __device__ ReductionMemory(int n, int warps)
      : v(arena.take<T>(2 * n)),
        w(arena.take<T>(n)),
        y(arena.take<T>(n)),
        matrix(arena.take<T>(n * n)),
        partial(arena.take<double>(warps)) {}
};

// Where a reduction leaves its results, of one matrix.
template <typename T>
struct TridiagonalForm {
  Global<T> reflectors;
  int64_t stride;
  Global<T> tau;
  Global<double> d;
  Global<double> e;
};

template <typename T>
class Reduction {
 public:
  __device__ Reduction(int n, const ReductionMemory<T>& memory)
      : n_(n), matrix_(memory.matrix), v_(memory.v), w_(memory.w), y_(memory.y) {}

  __device__ void run(const TridiagonalForm<T>& form) {
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
      const auto updated = [&](int j) { return T(matrix_[k * n_ + j]) - vk * w_of(j) - wk * T(v_[before + j]); };
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
        form.reflectors[k * form.stride + j] = own;
      }
      tau = reflector.tau;
      if (thread_index() == 0) {
        form.d[k] = static_cast<double>(diagonal);
        if (k > 0) form.e[k - 1] = static_cast<double>(reflector.beta);
        form.tau[k] = tau;
      }
      sync_block();
      update_and_multiply(k, now, before);
      sync_block();
    }
  }

 private:
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
          const T a = T(matrix_[(first + r) * n_ + j]) - vi[r] * wj - wi[r] * vj;
          matrix_[(first + r) * n_ + j] = a;
          sum[r] += a * xj;
        }
      }
      const T total = sum_for_lane(sum);
      const int row = first + sum_of_lane<rows_at_once>();
      if (lane_index() % (warp_size / rows_at_once) == 0 && row < k) y_[row] = total;
    }
  }

  int n_;
  Shared<T> matrix_, v_, w_, y_;
};

// The leading `count` rows and columns of a, and, d and e being complete then, what depends on all of them.
template <typename T>
__global__ void reduce_in_shared(BatchView<const T> a, int count, TridiagonalBatch<T> form,
                                 Global<const int32_t> skip) {
  const int64_t b = block_index();
  if (skip && skip[b] != 0) return;
  const int n = static_cast<int>(form.order);
  const ReductionMemory<T> memory(count, warp_count());
  const MatrixView<const T> matrix = a[b];
  const Global<double> d = Global<double>(form.d) + b * form.padded, e = Global<double>(form.e) + b * form.padded;
  for (int i = warp_index(); i < count; i += warp_count()) {
    for (int j = lane_index(); j < count; j += warp_size) memory.matrix[i * count + j] = matrix(i, j);
  }
  Reduction<T>(count, memory)
      .run({Global<T>(form.reflectors) + b * n * form.stride, form.stride, Global<T>(form.tau) + b * n, d, e});

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

// The largest order of which a block holds the matrix.
template <typename T>
int64_t most_in_shared(const Op& op, int warps) {
  int64_t n = 32;
  while (ReductionMemory<T>(static_cast<int>(n) + 1, warps).arena.bytes() <=
         static_cast<std::size_t>(op.device().shared_bytes)) {
    ++n;
  }
  return n;
}

}  // namespace

template <typename T>
void tridiagonalise(Op& op, const BatchView<const T>& a, const TridiagonalBatch<T>& form, const int32_t* skip) {
  const int64_t n = form.order, most = most_in_shared<T>(op, 16);
  BatchView<const T> rest = a;
  int64_t count = n;
  if (n > most) {
    count = reduce_panels(op, a, form, most, skip);
    rest = {Global<const T>(form.reflectors), form.batch, n, n, form.stride, n * form.stride};
  }
  const int threads = count <= 64 ? 128 : count <= 128 ? 256 : 512;
  const ReductionMemory<T> memory(static_cast<int>(count), threads / warp_size);
  launch<reduce_in_shared<T>>(op, {{form.batch}, threads, memory.arena.bytes()}, rest, static_cast<int>(count), form,
                              Global<const int32_t>(skip));
}

template void tridiagonalise(Op&, const BatchView<const float>&, const TridiagonalBatch<float>&, const int32_t*);
template void tridiagonalise(Op&, const BatchView<const double>&, const TridiagonalBatch<double>&, const int32_t*);

}  // namespace kronroot::cuda
