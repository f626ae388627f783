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
#include "compact.hpp"
#include "reflector.cuh"

namespace kronroot::cuda {
namespace {

constexpr int panel_rows = 32;

template <typename T>
class RowReduction {
 public:
  // v: n elements, unless `spare` has them.
  __device__ RowReduction(const MatrixView<T>& x, Shared<T> v, Global<T> spare, Global<T> tau, Global<T> diagonal)
      : x_(x),
        m_(static_cast<int>(x.rows)),
        n_(static_cast<int>(x.cols)),
        v_(v),
        spare_(spare),
        tau_(tau),
        diagonal_(diagonal) {}

  // Rows first, ..., last - 1 among themselves, v_k to the components from k on of row k of `y`.
  __device__ void factor(int first, int last, const MatrixView<T>& y) {
    for (int k = first; k < last; ++k) {
      T squares = 0;
      for (int j = first_of_lane(k); j < n_; j += warp_size) {
        const T each = x_(k, j);
        if (j > k) squares += each * each;
      }
      const T alpha = x_(k, k);
      const Reflector<T> reflector = reflector_of(warp_sum(squares), alpha);
      for (int j = k + thread_index(); j < n_; j += block_threads()) put(j, j == k ? T(1) : x_(k, j) * reflector.scale);
      sync_block();
      for (int i = k + 1 + warp_index(); i < last; i += warp_count()) reflect(k, i, reflector.tau);
      for (int j = k + thread_index(); j < n_; j += block_threads()) y(k, j) = v(j);
      if (thread_index() == 0) {
        tau_[k] = reflector.tau;
        diagonal_[k] = reflector.beta;
      }
      sync_block();
    }
  }

  // Rows of Q, with the v_k in x; the diagonal of R becomes positive.
  __device__ void form(const MatrixView<T>& q) {
    for (int i = warp_index(); i < m_; i += warp_count()) {
      const T sign = diagonal_[i] < 0 ? T(-1) : T(1);
      for (int j = lane_index(); j < n_; j += warp_size) q(i, j) = j == i ? sign : T(0);
      for (int k = i; k >= 0; --k) {
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
    sync_block();
    for (int i = thread_index(); i < m_; i += block_threads()) diagonal_[i] = std::abs(diagonal_[i]);
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
  int m_, n_;
  Shared<T> v_;
  Global<T> spare_, tau_, diagonal_;
};

template <typename T>
__device__ Global<T> spare_of(const Global<T>& spare, int64_t b, int64_t n) {
  return spare ? spare + b * n : spare;
}

template <typename T>
__global__ void orthonormalise(BatchView<T> x, BatchView<T> q, Global<T> spare, Global<T> tau, Global<T> diagonal,
                               Global<const int32_t> skip) {
  const int64_t b = block_index();
  if (skip && skip[b] != 0) return;
  SharedArena arena;
  const Shared<T> v = arena.take<T>(spare ? 0 : static_cast<int>(x.cols));
  RowReduction<T> reduction(x[b], v, spare_of(spare, b, x.cols), tau + b * x.rows, diagonal + b * x.rows);
  reduction.factor(0, static_cast<int>(x.rows), x[b]);
  reduction.form(q[b]);
}

// Rows first, ..., first + 31 among themselves.
template <typename T>
__global__ void factor_panel(BatchView<T> x, BatchView<T> y, Global<T> spare, Global<T> tau, Global<T> diagonal,
                             int first, Global<const int32_t> skip) {
  const int64_t b = block_index();
  if (skip && skip[b] != 0) return;
  SharedArena arena;
  const Shared<T> v = arena.take<T>(spare ? 0 : static_cast<int>(x.cols));
  const int last = static_cast<int>(std::min<int64_t>(first + panel_rows, x.rows));
  RowReduction<T>(x[b], v, spare_of(spare, b, x.cols), tau + b * x.rows, diagonal + b * x.rows)
      .factor(first, last, y[b]);
}

// Row i of q is e_i with the sign of the diagonal of R, which becomes positive.
template <typename T>
__global__ void start_rows(BatchView<T> q, Global<T> diagonal, Global<const int32_t> skip) {
  const int64_t b = block_index() / q.rows, i = block_index() % q.rows;
  if (skip && skip[b] != 0) return;
  const T each = diagonal[block_index()];
  const MatrixView<T> rows = q[b];
  for (int64_t j = thread_index(); j < q.cols; j += block_threads())
    rows(i, j) = j != i ? T(0) : each < 0 ? T(-1) : T(1);
  sync_block();
  if (thread_index() == 0) diagonal[block_index()] = std::abs(each);
}

// The rows from `row` on, and their components from `column` on.
template <typename T>
BatchView<T> lower_corner(const BatchView<T>& x, int64_t row, int64_t column) {
  return {x.data + (row * x.row_stride + column), x.batch, x.rows - row, x.cols - column, x.row_stride, x.batch_stride};
}
template <typename T>
BatchView<const T> to_read(const BatchView<T>& x) {
  return {x.data, x.batch, x.rows, x.cols, x.row_stride, x.batch_stride};
}

// Where the vectors of n elements lie that a block shares.
template <typename T>
struct VectorPlace {
  std::size_t shared_bytes;
  Global<T> spare{nullptr};
  VectorPlace(Op& op, int64_t batch, int64_t n) : shared_bytes(static_cast<std::size_t>(n) * sizeof(T)) {
    if (shared_bytes <= static_cast<std::size_t>(op.device().shared_bytes)) return;
    shared_bytes = 0;
    spare = Global<T>(op.scratch<T>(batch * n));
  }
};

template <typename T>
void orthonormalise_by_panels(Op& op, const BatchView<T>& x, const BatchView<T>& q, T* tau, T* diagonal,
                              const int32_t* skip) {
  const int64_t batch = x.batch, m = x.rows, n = x.cols;
  const Global<const int32_t> skipped(skip);
  CompactReflectors<T> y;
  y.batch = batch;
  y.count = m;
  y.cols = y.stride = n;
  y.block = panel_rows;
  y.y = op.scratch<T>(batch * m * n);
  y.factors = op.scratch<T>(batch * m * n);
  y.tau = tau;
  T* const products = op.scratch<T>(batch * m * panel_rows);
  const VectorPlace<T> v(op, batch, n);
  for (int64_t first = 0; first < m; first += panel_rows) {
    launch<factor_panel<T>>(op, {{batch}, 512, v.shared_bytes}, x, dense_view(y.y, batch, m, n), v.spare,
                            Global<T>(tau), Global<T>(diagonal), static_cast<int>(first), skipped);
    form_compact(op, y, first, 1, skip);
    const int64_t count = y.count_of(first), next = first + count;
    if (next == m) break;
    // X <- X - (X Y) S Y^T
    const BatchView<T> rest = lower_corner(x, next, first);
    const BatchView<T> product = dense_view(products, batch, m - next, count);
    multiply<T>(op, {.a = to_read(rest), .b = y.rows_of(y.y, first), .c = product, .transpose_b = true, .skip = skip});
    multiply<T>(
        op, {.a = to_read(product), .b = y.rows_of(y.factors, first), .c = rest, .alpha = -1, .beta = 1, .skip = skip});
  }
  launch<start_rows<T>>(op, {{batch * m}, 128, 0}, q, Global<T>(diagonal), skipped);
  for (int64_t first = (m - 1) / panel_rows * panel_rows; first >= 0; first -= panel_rows) {
    // Q^T <- (I - Y S Y^T) Q^T
    const BatchView<T> rest = lower_corner(q, first, first);
    const BatchView<T> product = dense_view(products, batch, m - first, y.count_of(first));
    multiply<T>(
        op, {.a = to_read(rest), .b = y.rows_of(y.factors, first), .c = product, .transpose_b = true, .skip = skip});
    multiply<T>(op,
                {.a = to_read(product), .b = y.rows_of(y.y, first), .c = rest, .alpha = -1, .beta = 1, .skip = skip});
  }
}

}  // namespace

template <typename T>
void orthonormalise_rows(Op& op, const BatchView<T>& x, const BatchView<T>& q, T* diagonal, const int32_t* skip) {
  T* const tau = op.scratch<T>(x.batch * x.rows);
  if (x.rows > 2 * panel_rows) return orthonormalise_by_panels(op, x, q, tau, diagonal, skip);
  const VectorPlace<T> v(op, x.batch, x.cols);
  const int threads = x.rows <= 32 ? 128 : 256;
  launch<orthonormalise<T>>(op, {{x.batch}, threads, v.shared_bytes}, x, q, v.spare, Global<T>(tau),
                            Global<T>(diagonal), Global<const int32_t>(skip));
}

template void orthonormalise_rows(Op&, const BatchView<float>&, const BatchView<float>&, float*, const int32_t*);
template void orthonormalise_rows(Op&, const BatchView<double>&, const BatchView<double>&, double*, const int32_t*);

}  // namespace kronroot::cuda
