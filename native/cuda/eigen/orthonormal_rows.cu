// Householder's method, one block a matrix. Reflector k acts on the components from k on of the rows below it; every
// warp works out the reflector for itself, so that two barriers a step are left. Row i of Q is then H_0 ... H_i e_i, a
// warp a row without barriers: the reflectors after the i-th do not see it. Source: Golub and Van Loan, 5.2. Shared
// memory: n elements.
#include "orthonormal_rows.hpp"

#include "../launch.hpp"
#include "reflector.cuh"

namespace kronroot::cuda {
namespace {

template <typename T>
class RowReduction {
 public:
  __device__ RowReduction(const MatrixView<T>& x, Shared<T> v, Global<T> tau, Global<T> diagonal)
      : x_(x), m_(static_cast<int>(x.rows)), n_(static_cast<int>(x.cols)), v_(v), tau_(tau), diagonal_(diagonal) {}

  // v_k to the components from k on of row k.
  __device__ void factor() {
    for (int k = 0; k < m_; ++k) {
      T squares = 0;
      for (int j = first_of_lane(k); j < n_; j += warp_size) {
        const T each = x_(k, j);
        if (j > k) squares += each * each;
      }
      const T alpha = x_(k, k);
      const Reflector<T> reflector = reflector_of(warp_sum(squares), alpha);
      for (int j = k + thread_index(); j < n_; j += block_threads()) v_[j] = j == k ? T(1) : x_(k, j) * reflector.scale;
      sync_block();
      for (int i = k + 1 + warp_index(); i < m_; i += warp_count()) reflect(k, i, reflector.tau);
      for (int j = k + thread_index(); j < n_; j += block_threads()) x_(k, j) = v_[j];
      if (thread_index() == 0) {
        tau_[k] = reflector.tau;
        diagonal_[k] = reflector.beta;
      }
      sync_block();
    }
  }

  // Rows of Q; the diagonal of R becomes positive.
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
  // A lane keeps to the same components of every row.
  __device__ int first_of_lane(int k) const { return k / warp_size * warp_size + lane_index(); }

  __device__ __forceinline__ void reflect(int k, int i, T tau) {
    T sum = 0;
    for (int j = first_of_lane(k); j < n_; j += warp_size) {
      if (j >= k) sum += T(v_[j]) * x_(i, j);
    }
    const T share = tau * warp_sum(sum);
    for (int j = first_of_lane(k); j < n_; j += warp_size) {
      if (j >= k) x_(i, j) -= share * T(v_[j]);
    }
  }

  MatrixView<T> x_;
  int m_, n_;
  Shared<T> v_;
  Global<T> tau_, diagonal_;
};

template <typename T>
__global__ void orthonormalise(BatchView<T> x, BatchView<T> q, Global<T> tau, Global<T> diagonal,
                               Global<const int32_t> skip) {
  const int64_t b = block_index();
  if (skip && skip[b] != 0) return;
  SharedArena arena;
  const Shared<T> v = arena.take<T>(static_cast<int>(x.cols));
  RowReduction<T> reduction(x[b], v, tau + b * x.rows, diagonal + b * x.rows);
  reduction.factor();
  reduction.form(q[b]);
}

}  // namespace

template <typename T>
void orthonormalise_rows(Op& op, const BatchView<T>& x, const BatchView<T>& q, T* diagonal, const int32_t* skip) {
  T* const tau = op.scratch<T>(x.batch * x.rows);
  const std::size_t bytes = static_cast<std::size_t>(x.cols) * sizeof(T);
  if (bytes > static_cast<std::size_t>(op.device().shared_bytes)) op.fail(KR_BAD_SHAPE);
  const int threads = x.rows <= 32 ? 128 : x.rows <= 128 ? 256 : 512;
  launch<orthonormalise<T>>(op, {{x.batch}, threads, bytes}, x, q, Global<T>(tau), Global<T>(diagonal),
                            Global<const int32_t>(skip));
}

template void orthonormalise_rows(Op&, const BatchView<float>&, const BatchView<float>&, float*, const int32_t*);
template void orthonormalise_rows(Op&, const BatchView<double>&, const BatchView<double>&, double*, const int32_t*);

}  // namespace kronroot::cuda
