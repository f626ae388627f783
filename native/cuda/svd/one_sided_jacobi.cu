// One-sided Jacobi rotations (Hestenes, J. SIAM 6 (1958); Golub and Van Loan, 8.6.3), one block a matrix, a warp a pair
// of rows. The pairs of a round are disjoint and those of m - 1 rounds all pairs: one row stays, the others go round
// (the order of tournaments). A sweep is a round each; it ends the work when it turned nothing. Shared memory: W and J
// where they fit, m n + m^2 elements, else they stay in global memory; three numbers a warp.
#include "one_sided_jacobi.hpp"

#include <cmath>

#include "../../core/matrix.hpp"
#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int most_sweeps = 40;

// Rows that lie `stride` apart.
template <typename Storage>
struct Rows {
  Storage data;
  int count;
  int stride;
};

// The `pair`-th pair of round `round` among `players`, an even number.
__device__ __forceinline__ void pair_of_round(int round, int pair, int players, int& p, int& q) {
  const int others = players - 1;
  p = pair == 0 ? others : (round + pair) % others;
  q = (round + others - pair) % others;
}

template <typename T, typename Storage>
class Sweeps {
 public:
  __device__ Sweeps(Rows<Storage> w, int n, Rows<Storage> j, Shared<double> partial)
      : w_(w), n_(n), j_(j), partial_(partial), tolerance_(ulp_of<T> * std::sqrt(static_cast<double>(n))) {}

  // The number of sweeps, or -1.
  __device__ int run() {
    for (int sweep = 0; sweep < most_sweeps; ++sweep) {
      if (!turn_all()) return sweep;
    }
    return -1;
  }

 private:
  __device__ bool turn_all() {
    double longest = 0;
    for (int i = warp_index(); i < w_.count; i += warp_count()) longest = std::max(longest, product(i, i));
    longest = std::sqrt(block_max(longest, partial_));
    double has_turned = 0;
    const int players = w_.count + w_.count % 2;
    for (int round = 0; round < players - 1; ++round) {
      for (int pair = warp_index(); pair < players / 2; pair += warp_count()) {
        int p, q;
        pair_of_round(round, pair, players, p, q);
        if (p >= w_.count || q >= w_.count) continue;
        if (turn(p < q ? p : q, p < q ? q : p, longest)) has_turned = 1;
      }
      sync_block();
    }
    return block_max(has_turned, partial_) != 0;
  }

  __device__ double product(int p, int q) const {
    double sum = 0;
    for (int k = lane_index(); k < n_; k += warp_size) {
      sum += static_cast<double>(T(w_.data[p * w_.stride + k])) * static_cast<double>(T(w_.data[q * w_.stride + k]));
    }
    return warp_sum(sum);
  }

  // The Jacobi rotation of the 2 x 2 Gram matrix; false where rows p and q are orthogonal.
  __device__ bool turn(int p, int q, double longest) {
    const double pp = product(p, p), qq = product(q, q), pq = product(p, q);
    if (!(std::abs(pq) > tolerance_ * longest * std::sqrt(std::max(pp, qq)))) return false;
    const double theta = (qq - pp) / (2 * pq);
    const double t = std::copysign(1.0, theta) / (std::abs(theta) + std::sqrt(1 + theta * theta));
    const double c = 1 / std::sqrt(1 + t * t);
    rotate(w_, n_, p, q, static_cast<T>(c), static_cast<T>(t * c));
    rotate(j_, j_.count, p, q, static_cast<T>(c), static_cast<T>(t * c));
    return true;
  }

  static __device__ void rotate(const Rows<Storage>& rows, int n, int p, int q, T c, T s) {
    for (int k = lane_index(); k < n; k += warp_size) {
      const T x = rows.data[p * rows.stride + k], y = rows.data[q * rows.stride + k];
      rows.data[p * rows.stride + k] = c * x - s * y;
      rows.data[q * rows.stride + k] = s * x + c * y;
    }
  }

  Rows<Storage> w_;
  int n_;
  Rows<Storage> j_;
  Shared<double> partial_;
  double tolerance_;
};

template <typename T>
struct SweepMemory {
  SharedArena arena;
  Shared<double> partial;
  Shared<T> w, j;
  __host__ __device__ SweepMemory(int warps, int of_w, int of_j)
      : partial(arena.take<double>(warps)), w(arena.take<T>(of_w)), j(arena.take<T>(of_j)) {}
};

template <typename T, typename Storage>
__device__ void move_rows(const MatrixView<T>& matrix, const Storage& storage, bool is_load) {
  const int cols = static_cast<int>(matrix.cols);
  for (int i = warp_index(); i < matrix.rows; i += warp_count()) {
    for (int k = lane_index(); k < cols; k += warp_size) {
      if (is_load) {
        storage[i * cols + k] = matrix(i, k);
      } else {
        matrix(i, k) = storage[i * cols + k];
      }
    }
  }
}

template <typename T, bool is_in_shared>
__global__ void orthogonalise(BatchView<T> w, BatchView<T> j, Global<int32_t> status, Global<int32_t> sweeps) {
  const int64_t b = block_index();
  if (status[b] != KR_STATUS_OK) return;
  const int m = static_cast<int>(w.rows), n = static_cast<int>(w.cols);
  const SweepMemory<T> memory(warp_count(), is_in_shared ? m * n : 0, is_in_shared ? m * m : 0);
  const MatrixView<T> w_matrix = w[b], j_matrix = j[b];
  int done;
  if constexpr (is_in_shared) {
    move_rows(w_matrix, memory.w, true);
    move_rows(j_matrix, memory.j, true);
    sync_block();
    done = Sweeps<T, Shared<T>>({memory.w, m, n}, n, {memory.j, m, m}, memory.partial).run();
    move_rows(w_matrix, memory.w, false);
    move_rows(j_matrix, memory.j, false);
  } else {
    done = Sweeps<T, Global<T>>({w_matrix.data, m, static_cast<int>(w_matrix.stride)}, n,
                                {j_matrix.data, m, static_cast<int>(j_matrix.stride)}, memory.partial)
               .run();
  }
  if (thread_index() != 0) return;
  if (done < 0) status[b] = KR_STATUS_NOT_CONVERGED;
  sweeps[b] = done;
}

}  // namespace

template <typename T>
void orthogonalise_rows(Op& op, const BatchView<T>& w, const BatchView<T>& j, int32_t* status, int32_t* sweeps) {
  const int64_t m = w.rows, n = w.cols;
  const int threads = m <= 8 ? 128 : m <= 64 ? 256 : 512;
  const int warps = threads / warp_size;
  const auto most = static_cast<int64_t>(op.device().shared_bytes);
  const Global<int32_t> flags(status), counts(sweeps);
  if (m * (m + n) * static_cast<int64_t>(sizeof(T)) + 1024 <= most) {
    const SweepMemory<T> memory(warps, static_cast<int>(m * n), static_cast<int>(m * m));
    launch<orthogonalise<T, true>>(op, {{w.batch}, threads, memory.arena.bytes()}, w, j, flags, counts);
  } else {
    const SweepMemory<T> memory(warps, 0, 0);
    launch<orthogonalise<T, false>>(op, {{w.batch}, threads, memory.arena.bytes()}, w, j, flags, counts);
  }
}

template void orthogonalise_rows(Op&, const BatchView<double>&, const BatchView<double>&, int32_t*, int32_t*);

}  // namespace kronroot::cuda
