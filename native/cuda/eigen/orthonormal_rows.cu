// Householder's method (Golub and Van Loan, 5.2). Reflector k acts on the components from k on of the rows below it;
// every warp works out the reflector for itself, so that two barriers a step are left. Row i of Q is then H_0 ... H_i
// e_i: the reflectors after the i-th do not see it.
//
// Few rows: one launch, one block a matrix, and a warp a row of Q without barriers. Many: panels of 32 rows by a block
// a matrix, the rows below them and Q by blocks of reflectors (compact.hpp), two products each. Shared memory: n
// elements, where they fit; else a vector lies in global memory.
#include "orthonormal_rows.hpp"

#include <algorithm>

#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "../sub_batch.hpp"
#include "compact.hpp"
#include "reflector.cuh"

namespace kronroot::cuda {
namespace {

constexpr int panel_rows = 32;

template <typename T>
class RowReduction {
 public:
  // v: x.cols elements, unless `spare` has them.
  __device__ RowReduction(const MatrixView<T>& x, Shared<T> v, Global<T> spare, Global<T> tau, Global<T> diagonal)
      : x_(x), n_(static_cast<int>(x.cols)), v_(v), spare_(spare), tau_(tau), diagonal_(diagonal) {}

  // Reflectors first, ..., last - 1 of the rows that bear their numbers, seen by all rows before `end`. v_k goes to the
  // components from k on of row k of `y`.
  __device__ void factor(int first, int last, int end, const MatrixView<T>& y) {
    for (int k = first; k < last; ++k) {
      const T alpha = x_(k, k);
      const Reflector<T> reflector = reflector_of_column(alpha, [&](T scale) {
        T squares = 0;
        for (int j = first_of_lane(k); j < n_; j += warp_size) {
          const T each = scale * x_(k, j);
          if (j > k) squares += each * each;
        }
        return warp_sum(squares);
      });
      for (int j = k + thread_index(); j < n_; j += block_threads()) put(j, j == k ? T(1) : x_(k, j) * reflector.scale);
      sync_block();
      for (int i = k + 1 + warp_index(); i < end; i += warp_count()) reflect(k, i, reflector.tau);
      for (int j = k + thread_index(); j < n_; j += block_threads()) y(k, j) = v(j);
      if (thread_index() == 0) {
        tau_[k] = reflector.tau;
        diagonal_[k] = reflector.beta;
      }
      sync_block();
    }
  }

  // Rows of Q from `count` reflectors, with the v_k in x.
  __device__ void form(int count, const MatrixView<T>& q) {
    for (int i = warp_index(); i < q.rows; i += warp_count()) {
      const T own = i < count && diagonal_[i] < 0 ? T(-1) : T(1);
      for (int j = lane_index(); j < n_; j += warp_size) q(i, j) = j == i ? own : T(0);
      for (int k = i < count ? i : count - 1; k >= 0; --k) {
        T sum = 0;
        for (int j = first_of_lane(k); j < n_; j += warp_size) {
          if (j >= k) sum += x_(k, j) * q(i, j);
        }
        const T share = tau_[k] * warp_sum(sum);
        for (int j = first_of_lane(k); j < n_; j += warp_size) {
          if (j >= k) q(i, j) -= share * x_(k, j);
        }
      }
    }
  }

 private:
  __device__ T v(int j) const { return spare_ ? spare_[j] : T(v_[j]); }
  __device__ void put(int j, T value) const {
    if (spare_) {
      spare_[j] = value;
    } else {
      v_[j] = value;
    }
  }

  // A lane keeps to the same components of every row.
  __device__ int first_of_lane(int k) const { return k / warp_size * warp_size + lane_index(); }

  __device__ __forceinline__ void reflect(int k, int i, T tau) {
    T sum = 0;
    for (int j = first_of_lane(k); j < n_; j += warp_size) {
      if (j >= k) sum += v(j) * x_(i, j);
    }
    const T share = tau * warp_sum(sum);
    for (int j = first_of_lane(k); j < n_; j += warp_size) {
      if (j >= k) x_(i, j) -= share * v(j);
    }
  }

  MatrixView<T> x_;
  int n_;
  Shared<T> v_;
  Global<T> spare_, tau_, diagonal_;
};

// A batch under way.
template <typename T>
struct RowsBatch {
  BatchView<T> x, q;
  Global<T> spare;  // x.cols elements a matrix where shared memory does not have them, else nullptr
  Global<T> tau, diagonal, signs;
  Global<const int32_t> skip;
  int count;  // of reflectors

  __device__ bool is_skipped(int64_t b) const { return skip && skip[b] != 0; }
  __device__ RowReduction<T> reduction(int64_t b, Shared<T> v) const {
    return RowReduction<T>(x[b], v, spare ? spare + b * x.cols : spare, tau + b * count, diagonal + b * count);
  }
  __device__ Shared<T> take_vector(SharedArena& arena) const {
    return arena.take<T>(spare ? 0 : static_cast<int>(x.cols));
  }
  // The sign of number i of the diagonals of the batch goes over to `signs`.
  __device__ void leave_positive(int64_t i) const {
    const T own = diagonal[i];
    if (signs) signs[i] = own < 0 ? T(-1) : T(1);
    diagonal[i] = std::abs(own);
  }
};

template <typename T>
__global__ void factor_at_once(RowsBatch<T> rows) {
  const int64_t b = block_index();
  if (rows.is_skipped(b)) return;
  SharedArena arena;
  RowReduction<T> reduction = rows.reduction(b, rows.take_vector(arena));
  reduction.factor(0, rows.count, static_cast<int>(rows.x.rows), rows.x[b]);
  if (rows.q.data) reduction.form(rows.count, rows.q[b]);
  sync_block();
  for (int i = thread_index(); i < rows.count; i += block_threads()) rows.leave_positive(b * rows.count + i);
}

// Rows first, ..., first + 31 among themselves.
template <typename T>
__global__ void factor_panel(RowsBatch<T> rows, BatchView<T> y, int first) {
  const int64_t b = block_index();
  if (rows.is_skipped(b)) return;
  SharedArena arena;
  const int last = first + panel_rows < rows.count ? first + panel_rows : rows.count;
  rows.reduction(b, rows.take_vector(arena)).factor(first, last, last, y[b]);
}

// Row i of q is e_i with the sign of the diagonal of R, which becomes positive. One block a row.
template <typename T>
__global__ void start_rows(RowsBatch<T> rows, int64_t blocks) {
  const int64_t b = block_index() / blocks, i = block_index() % blocks, at = b * rows.count + i;
  if (rows.is_skipped(b)) return;
  const T own = i < rows.count && rows.diagonal[at] < 0 ? T(-1) : T(1);
  if (rows.q.data) {
    const MatrixView<T> q = rows.q[b];
    for (int64_t j = thread_index(); j < q.cols; j += block_threads()) q(i, j) = j != i ? T(0) : own;
  }
  sync_block();
  if (thread_index() == 0 && i < rows.count) rows.leave_positive(at);
}

template <typename T>
void factor_by_panels(Op& op, const RowsBatch<T>& rows, std::size_t shared_bytes, const int32_t* skip) {
  const BatchView<T>&x = rows.x, q = rows.q;
  const int64_t batch = x.batch, n = x.cols, l = rows.count, of_q = q.data ? q.rows : 0;
  CompactReflectors<T> y;
  y.batch = batch;
  y.count = l;
  y.cols = y.stride = n;
  static_assert(CompactReflectors<T>::block == panel_rows);
  y.y = op.scratch<T>(batch * l * n);
  y.factors = op.scratch<T>(batch * l * n);
  y.tau = rows.tau.address();
  T* const products = op.scratch<T>(batch * std::max(x.rows, of_q) * panel_rows);
  // X <- X (I - Y S Y^T), rows of x or q, with Y S Y^T or its transpose.
  const auto reflect = [&](const BatchView<T>& rest, const T* left, const T* right, int64_t first) {
    const BatchView<T> product = dense_view(products, batch, rest.rows, y.count_of(first));
    multiply<T>(op,
                {.a = as_input(rest), .b = y.rows_of(left, first), .c = product, .transpose_b = true, .skip = skip});
    multiply<T>(
        op, {.a = as_input(product), .b = y.rows_of(right, first), .c = rest, .alpha = -1, .beta = 1, .skip = skip});
  };
  for (int64_t first = 0; first < l; first += panel_rows) {
    launch<factor_panel<T>>(op, {{batch}, 512, shared_bytes}, rows, dense_view(y.y, batch, l, n),
                            static_cast<int>(first));
    form_compact(op, y, first, 1, skip);
    const int64_t next = first + y.count_of(first);
    if (next < x.rows) reflect(part_of(x, next, first, x.rows - next, n - first), y.y, y.factors, first);
  }
  const int64_t blocks = std::max(l, of_q);
  launch<start_rows<T>>(op, {{batch * blocks}, 128, 0}, rows, blocks);
  for (int64_t first = (l - 1) / panel_rows * panel_rows; first >= 0 && of_q > 0; first -= panel_rows) {
    reflect(part_of(q, first, first, of_q - first, n - first), y.factors, y.y, first);
  }
}

}  // namespace

template <typename T>
void factor_rows(Op& op, const RowFactors<T>& factors) {
  const int64_t batch = factors.x.batch, n = factors.x.cols, l = std::min(factors.x.rows, n);
  const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(T);
  const bool fits = bytes <= static_cast<std::size_t>(op.device().shared_bytes);
  RowsBatch<T> rows{};
  rows.x = factors.x;
  rows.q = factors.q;
  rows.spare = Global<T>(fits ? nullptr : op.scratch<T>(batch * n));
  rows.tau = Global<T>(op.scratch<T>(batch * l));
  rows.diagonal = Global<T>(factors.diagonal);
  rows.signs = Global<T>(factors.signs);
  rows.skip = Global<const int32_t>(factors.skip);
  rows.count = static_cast<int>(l);
  const int64_t longest = std::max(factors.x.rows, factors.q.data ? factors.q.rows : 0);
  if (longest > 2 * panel_rows) return factor_by_panels(op, rows, fits ? bytes : 0, factors.skip);
  const int threads = longest <= 32 ? 128 : 256;
  launch<factor_at_once<T>>(op, {{batch}, threads, fits ? bytes : 0}, rows);
}

template void factor_rows(Op&, const RowFactors<float>&);
template void factor_rows(Op&, const RowFactors<double>&);

}  // namespace kronroot::cuda
