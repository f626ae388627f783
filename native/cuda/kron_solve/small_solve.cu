// kron_solve with one block a matrix, X, the bases and new statistics in shared memory. Rows are padded to an odd
// stride, so that neither rows nor columns of threads meet in one bank. Elements of shared memory: 2 m (n + 1) for X
// and a product, m (m + 1) and n (n + 1) for bases, m (n + 1) for statistics, and 2 n + 3 m doubles. Threads: a tile of
// 4 x 4 elements of a product each; a row each of the probe's images.
#include "small_solve.hpp"

#include <algorithm>

#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int most_threads = 256;
constexpr int64_t longest_side = 256;
constexpr int tile = 4;
constexpr int threads_across = 16;

// A matrix in shared memory, transposed by exchanging its strides.
template <typename T>
struct Tile {
  Shared<T> data;
  int row, column;

  __device__ __forceinline__ T get(int i, int j) const { return data[i * row + j * column]; }
  __device__ __forceinline__ void set(int i, int j, T value) const { data[i * row + j * column] = value; }
  __device__ __forceinline__ Tile transposed() const { return {data, column, row}; }
};

// C = A B, C m x n, of k columns of A. By the whole block; ends with a barrier.
template <typename T>
__device__ void multiply_in_block(const Tile<T>& a, const Tile<T>& b, const Tile<T>& c, int m, int n, int k) {
  const int across = thread_index() % threads_across, down = thread_index() / threads_across;
  const int rows = block_threads() / threads_across;
  for (int i0 = down; i0 < m; i0 += tile * rows) {
    for (int j0 = across; j0 < n; j0 += tile * threads_across) {
      // Places beyond the edge repeat the last row or column and are not stored.
      int at_row[tile], at_column[tile];
      for (int t = 0; t < tile; ++t) {
        at_row[t] = (i0 + t * rows < m ? i0 + t * rows : m - 1) * a.row;
        at_column[t] = (j0 + t * threads_across < n ? j0 + t * threads_across : n - 1) * b.column;
      }
      T sum[tile][tile] = {};
      for (int l = 0; l < k; ++l) {
        T x[tile], y[tile];
        for (int t = 0; t < tile; ++t) {
          x[t] = a.data[at_row[t] + l * a.column];
          y[t] = b.data[at_column[t] + l * b.row];
        }
        for (int r = 0; r < tile; ++r) {
          for (int s = 0; s < tile; ++s) sum[r][s] = std::fma(x[r], y[s], sum[r][s]);
        }
      }
      for (int r = 0; r < tile; ++r) {
        for (int s = 0; s < tile; ++s) {
          if (i0 + r * rows < m && j0 + s * threads_across < n) {
            c.set(i0 + r * rows, j0 + s * threads_across, sum[r][s]);
          }
        }
      }
    }
  }
  sync_block();
}

// One matrix of the batch, by a block.
template <typename T>
class SmallSolve {
 public:
  // The host makes one, too, to learn what a launch needs.
  __host__ __device__ SmallSolve(SharedArena& arena, const KronProblem<T>& problem)
      : m_(static_cast<int>(problem.x.rows)), n_(static_cast<int>(problem.x.cols)) {
    const int stride = n_ | 1;
    z_ = {arena.take<T>(m_ * stride), stride, 1};
    other_ = {arena.take<T>(m_ * stride), stride, 1};
    if (problem.a.data) a_ = {arena.take<T>(m_ * (m_ | 1)), m_ | 1, 1};
    if (problem.b.data) b_ = {arena.take<T>(n_ * stride), stride, 1};
    if (problem.statistics.data) statistics_ = {arena.take<T>(m_ * stride), stride, 1};
    probe_ = arena.take<double>(n_);
    probe_in_basis_ = arena.take<double>(n_);
    product_ = arena.take<double>(m_);
    image_in_basis_ = arena.take<double>(m_);
    image_ = arena.take<double>(m_);
    partial_ = arena.take<double>(most_threads / warp_size);
  }

  __device__ kr_report run(const KronProblem<T>& problem, int64_t b) {
    double square = 0;
    bool all_finite = load(problem.x[b], z_, square);
    double unused = 0;
    if (problem.a.data) all_finite = load(problem.a[b], a_, unused) && all_finite;
    if (problem.b.data) all_finite = load(problem.b[b], b_, unused) && all_finite;
    if (block_max(all_finite ? 0.0 : 1.0, partial_) > 0) return failed(KR_STATUS_NON_FINITE_INPUT);
    kr_report report = answered(KR_METHOD_DIRECT);
    square = block_sum(square, partial_);
    make_probe(problem);
    multiply_probe();
    rotate_in(problem);
    report.residual = lost(problem, square);
    if (problem.statistics.data) {
      if (const int32_t status = blend(problem, b); status != KR_STATUS_OK) return failed(kr_status(status));
    }
    if (problem.y.data) {
      const Spectrum spectrum = spectrum_of_scale(problem, b);
      if (spectrum.status != KR_STATUS_OK) return failed(kr_status(spectrum.status), detail_of(spectrum.negative));
      divide(problem, b, divisor_of(problem, spectrum.largest)).report_to(report, int64_t{m_} * n_);
      rotate_image(problem);
      rotate_out(problem);
      if (!is_result_finite(square)) return failed(KR_STATUS_OVERFLOW);
      multiply_probe();
      const double residual = lost_of_image(square);
      report.residual = residual > report.residual ? residual : report.residual;
      store(z_, problem.y[b]);
    }
    if (problem.statistics.data) store(statistics_, problem.statistics[b]);
    return report;
  }

 private:
  // Whether this thread's elements are finite; their squares are added. No barrier.
  __device__ bool load(const MatrixView<const T>& from, const Tile<T>& to, double& square) {
    bool all_finite = true;
    const int cols = static_cast<int>(from.cols), count = static_cast<int>(from.rows) * cols;
    for (int e = thread_index(); e < count; e += block_threads()) {
      const T x = from(e / cols, e % cols);
      to.set(e / cols, e % cols, x);
      all_finite = all_finite && is_finite(x);
      square = std::fma(static_cast<double>(x), static_cast<double>(x), square);
    }
    return all_finite;
  }

  __device__ void store(const Tile<T>& from, const MatrixView<T>& to) const {
    for (int e = thread_index(); e < m_ * n_; e += block_threads()) to(e / n_, e % n_) = from.get(e / n_, e % n_);
  }

  // v and Q_B^T v.
  __device__ void make_probe(const KronProblem<T>& problem) {
    for (int j = thread_index(); j < n_; j += block_threads()) probe_[j] = probe_sign(j);
    sync_block();
    for (int j = thread_index(); j < n_; j += block_threads()) {
      double sum = problem.b.data ? 0 : double(probe_[j]);
      if (problem.b.data) {
        for (int k = 0; k < n_; ++k) sum = std::fma(double(probe_[k]), static_cast<double>(b_.get(k, j)), sum);
      }
      probe_in_basis_[j] = sum;
    }
    sync_block();
  }

  // product = z v
  __device__ void multiply_probe() {
    multiply_vector(z_, probe_, product_, n_);
    sync_block();
  }
  __device__ void multiply_vector(const Tile<T>& matrix, Shared<double> vector, Shared<double> result, int cols) {
    for (int i = thread_index(); i < m_; i += block_threads()) {
      double sum = 0;
      for (int j = 0; j < cols; ++j) sum = std::fma(static_cast<double>(matrix.get(i, j)), double(vector[j]), sum);
      result[i] = sum;
    }
  }

  // image = Q_A z Q_B^T v
  __device__ void rotate_image(const KronProblem<T>& problem) {
    multiply_vector(z_, probe_in_basis_, problem.a.data ? image_in_basis_ : image_, n_);
    sync_block();
    if (!problem.a.data) return;
    multiply_vector(a_, image_in_basis_, image_, m_);
    sync_block();
  }
  __device__ double lost(const KronProblem<T>& problem, double square) {
    rotate_image(problem);
    return lost_of_image(square);
  }
  // |image - product|_2 over the norm of the matrix that product was made of.
  __device__ double lost_of_image(double square) {
    double error = 0;
    for (int i = thread_index(); i < m_; i += block_threads()) {
      const double difference = double(image_[i]) - double(product_[i]);
      error = std::fma(difference, difference, error);
    }
    return relative(block_sum(error, partial_), square);
  }

  __device__ void swap_z() {
    const Tile<T> z = z_;
    z_ = other_;
    other_ = z;
  }
  // z <- Q_A^T z Q_B
  __device__ void rotate_in(const KronProblem<T>& problem) {
    if (problem.a.data) {
      multiply_in_block(a_.transposed(), z_, other_, m_, n_, m_);
      swap_z();
    }
    if (problem.b.data) {
      multiply_in_block(z_, b_, other_, m_, n_, n_);
      swap_z();
    }
  }
  // z <- Q_A z Q_B^T
  __device__ void rotate_out(const KronProblem<T>& problem) {
    if (problem.a.data) {
      multiply_in_block(a_, z_, other_, m_, n_, m_);
      swap_z();
    }
    if (problem.b.data) {
      multiply_in_block(z_, b_.transposed(), other_, m_, n_, n_);
      swap_z();
    }
  }

  // The new statistics, which are the scale from here on.
  __device__ int32_t blend(const KronProblem<T>& problem, int64_t b) {
    const MatrixView<T> statistics = problem.statistics[b];
    bool is_input_finite = true, is_blend_finite = true;
    for (int e = thread_index(); e < m_ * n_; e += block_threads()) {
      const int i = e / n_, j = e % n_;
      const T old = problem.reads_statistics ? statistics(i, j) : T(0);
      const T blended = problem.blended(old, z_.get(i, j));
      is_input_finite = is_input_finite && is_finite(old);
      is_blend_finite = is_blend_finite && is_finite(blended);
      statistics_.set(i, j, blended);
    }
    const double worst = block_max(!is_input_finite ? 2.0 : !is_blend_finite ? 1.0 : 0.0, partial_);
    return worst == 0 ? KR_STATUS_OK : worst == 1 ? KR_STATUS_OVERFLOW : KR_STATUS_NON_FINITE_INPUT;
  }

  __device__ Spectrum spectrum_of_scale(const KronProblem<T>& problem, int64_t b) {
    const int64_t count = int64_t{m_} * n_, order = m_ > n_ ? m_ : n_;
    if (problem.statistics.data) {
      const auto at = [this](int64_t e) { return statistics_.get(static_cast<int>(e) / n_, static_cast<int>(e) % n_); };
      return spectrum_of<T>(count, order, at, partial_);
    }
    if (!problem.scale.data) return spectrum_of_values(problem, b, partial_);
    const MatrixView<const T> scale = problem.scale[b];
    return spectrum_of<T>(
        count, order, [this, &scale](int64_t e) { return scale(e / n_, e % n_); }, partial_);
  }

  __device__ double scale_at(const KronProblem<T>& problem, int64_t b, int i, int j) const {
    if (problem.statistics.data) return static_cast<double>(statistics_.get(i, j));
    if (problem.scale.data) return static_cast<double>(problem.scale[b](i, j));
    return value_of(problem.a_values, b, i) * value_of(problem.b_values, b, j);
  }

  __device__ DivisorRange divide(const KronProblem<T>& problem, int64_t b, const Divisor& divisor) {
    DivisorRange range;
    for (int e = thread_index(); e < m_ * n_; e += block_threads()) {
      const int i = e / n_, j = e % n_;
      const auto z = static_cast<double>(z_.get(i, j));
      z_.set(i, j, static_cast<T>(divisor.quotient(z, scale_at(problem, b, i, j), range)));
    }
    return range.over_block(partial_);
  }

  // Of z, whose square is put down.
  __device__ bool is_result_finite(double& square) {
    bool all_finite = true;
    double own = 0;
    for (int e = thread_index(); e < m_ * n_; e += block_threads()) {
      const T x = z_.get(e / n_, e % n_);
      all_finite = all_finite && is_finite(x);
      own = std::fma(static_cast<double>(x), static_cast<double>(x), own);
    }
    square = block_sum(own, partial_);
    return block_max(all_finite ? 0.0 : 1.0, partial_) == 0;
  }

  int m_, n_;
  Tile<T> z_, other_, a_, b_, statistics_;
  Shared<double> probe_, probe_in_basis_, product_, image_in_basis_, image_, partial_;
};

template <typename T>
__global__ void __launch_bounds__(most_threads) solve_in_block(const __grid_constant__ KronProblem<T> problem) {
  const int64_t b = block_index();
  kr_report report = answered(KR_METHOD_DIRECT);
  if (problem.x.rows > 0 && problem.x.cols > 0) {
    SharedArena arena;
    SmallSolve<T> solve(arena, problem);
    report = solve.run(problem, b);
  }
  if (problem.reports && thread_index() == 0) problem.reports[b] = report;
}

template <typename T>
std::size_t shared_bytes(const KronProblem<T>& problem) {
  SharedArena arena;
  const SmallSolve<T> solve(arena, problem);
  return arena.bytes();
}

}  // namespace

template <typename T>
bool is_small_solve(const kr_device& device, const KronProblem<T>& problem) {
  if (problem.x.rows == 0 || problem.x.cols == 0) return true;
  if (std::max(problem.x.rows, problem.x.cols) > longest_side) return false;
  return shared_bytes(problem) <= static_cast<std::size_t>(device.shared_bytes);
}

template <typename T>
void solve_small(Op& op, const KronProblem<T>& problem) {
  const int64_t side = std::max(problem.x.rows, problem.x.cols);
  const int threads = side <= 16 ? 64 : side <= 32 ? 128 : most_threads;
  launch<solve_in_block<T>>(
      op, {.blocks = {problem.x.batch}, .threads = threads, .shared_bytes = shared_bytes(problem)}, problem);
}

template bool is_small_solve(const kr_device&, const KronProblem<float>&);
template bool is_small_solve(const kr_device&, const KronProblem<double>&);
template void solve_small(Op&, const KronProblem<float>&);
template void solve_small(Op&, const KronProblem<double>&);

}  // namespace kronroot::cuda
