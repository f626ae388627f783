// Source: Kovarik, SIAM J. Numer. Anal. 7 (1970); Bjorck and Bowie, SIAM J. Numer. Anal. 8 (1971); Gram form:
// Dao-AILab, Gram-Newton-Schulz (2026).
#include "newton_schulz.hpp"

#include <algorithm>
#include <utility>

#include "../gemm/product.hpp"
#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
// Of scratch memory; larger batches are answered in parts.
constexpr int64_t most_bytes = int64_t{4} << 30;

// A part of a batch, from matrix `first` on.
template <typename T>
struct WidePart {
  OrthogonalizeRequest request;
  OrthogonalizeBatch<T> batch;
  int64_t first, count;
  BatchView<T> x;          // m x n
  Global<double> vectors;  // m + n for each matrix
  Global<int32_t> is_settled;
};

// X = A 2^-exponent, over safety |A|_F unless rows are scaled afterwards.
template <typename T>
__global__ void __launch_bounds__(threads) read_wide(WidePart<T> part) {
  const int64_t b = block_index(), index = part.first + b;
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  const MatrixView<const T> a = part.batch.a[index];
  const RectangleInput input = scan_rectangle(team, a);
  const bool is_failed = input.status != KR_STATUS_OK;
  if (thread_index() == 0) {
    part.is_settled[b] = is_failed || input.is_zero ? 1 : 0;
    if (is_failed) part.batch.reports[index] = failed(static_cast<kr_status>(input.status));
  }
  if (is_failed) return;
  if (input.is_zero) {
    answer_zero(team, part.batch, index);
    return;
  }
  const MatrixView<T> x = part.x[b];
  const double size = part.request.scales_rows ? 1 : part.request.safety * input.norm;
  const WideView<const T> wide{a, part.batch.is_tall()};
  for (int64_t e = team.rank(); e < a.rows * a.cols; e += team.size()) {
    wide.visit(e, [&](int64_t i, int64_t j) {
      x(i, j) = static_cast<T>(ldexp(static_cast<double>(wide(i, j)), -input.exponent) / size);
    });
  }
}

// X <- D^{-1/2} X / safety, D_ii = sum_j |X X^T|_ij: the norm is at most 1 by Gershgorin's theorem.
// Source: Prach and Lampert, Almost-orthogonal layers, ECCV 2022.
template <typename T>
__global__ void __launch_bounds__(threads) divide_by_row_sums(WidePart<T> part, BatchView<T> gram) {
  const int64_t m = part.x.rows, n = part.x.cols, b = block_index() / m, i = block_index() % m;
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  if (part.is_settled[b] != 0) return;
  const MatrixView<T> x = part.x[b], g = gram[b];
  double sum = 0;
  for (int64_t j = team.rank(); j < m; j += team.size()) sum += std::abs(static_cast<double>(g(i, j)));
  sum = team.sum(sum);
  if (!(sum > 0)) return;
  const double size = part.request.safety * sqrt(sum);
  for (int64_t j = team.rank(); j < n; j += team.size()) x(i, j) = static_cast<T>(static_cast<double>(x(i, j)) / size);
}

// W = a I + b G + c W, W the square of G before (not read where c = 0).
template <typename T>
__global__ void form_quintic(BatchView<const T> gram, BatchView<T> w, Quintic p, Global<const int32_t> is_settled) {
  const int64_t m = gram.rows, e = block_index() * block_threads() + thread_index();
  if (e >= gram.batch * m * m) return;
  const int64_t b = e / (m * m), i = e / m % m, j = e % m;
  if (is_settled[b] != 0) return;
  T value = static_cast<T>(p.b) * gram[b](i, j) + (i == j ? static_cast<T>(p.a) : T(0));
  if (p.c != 0) value += static_cast<T>(p.c) * w[b](i, j);
  w[b](i, j) = value;
}

template <typename T>
struct LoadedRectangle {
  MatrixView<T> matrix;
  __device__ T load(int i, int j) const { return matrix(i, j); }
};

template <typename T>
__global__ void __launch_bounds__(threads) finish_wide(WidePart<T> part, BatchView<T> xs) {
  const int64_t b = block_index(), index = part.first + b;
  const int m = static_cast<int>(xs.rows), n = static_cast<int>(xs.cols);
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  if (part.is_settled[b] != 0) return;
  const MatrixView<T> x = xs[b];
  double overflows = 0;
  for (int64_t e = team.rank(); e < int64_t{m} * n; e += team.size()) {
    const T each = x(e / n, e % n);
    if (!(each - each == 0)) overflows = 1;
  }
  if (team.max(overflows) != 0) {
    if (team.rank() == 0) part.batch.reports[index] = failed(KR_STATUS_OVERFLOW);
    return;
  }
  const Global<double> of_rows = part.vectors + b * (m + n);
  const double residual = partial_isometry_residual(team, m, n, LoadedRectangle<T>{x}, of_rows, of_rows + m);
  const MatrixView<T> out = part.batch.x[index];
  const WideView<T> wide{out, part.batch.is_tall()};
  for (int64_t e = team.rank(); e < int64_t{m} * n; e += team.size()) {
    wide.visit(e, [&](int64_t i, int64_t j) { wide(i, j) = x(i, j); });
  }
  if (team.rank() != 0) return;
  kr_report report = answered(static_cast<kr_method>(part.request.method));
  report.iterations = part.request.steps;
  report.residual = residual;
  part.batch.reports[index] = report;
}

template <typename T>
BatchView<const T> readable(const BatchView<T>& view) {
  return {Global<const T>(view.data.address()), view.batch, view.rows, view.cols, view.row_stride, view.batch_stride};
}

// The host's side of a part.
template <typename T>
class NewtonSchulz {
 public:
  NewtonSchulz(Op& op, const WidePart<T>& part, T* (&squares)[4], T* next)
      : op_(op), part_(part), next_(dense_view(next, part.count, part.x.rows, part.x.cols)) {
    for (int k = 0; k < 4; ++k) square_[k] = dense_view(squares[k], part.count, part.x.rows, part.x.rows);
    each_matrix_ = {.blocks = {part.count}, .threads = threads, .shared_bytes = shared_bytes};
  }

  void run(const std::vector<Quintic>& steps) {
    launch<read_wide<T>>(op_, each_matrix_, part_);
    if (part_.request.scales_rows) {
      gram(square_[0]);
      launch<divide_by_row_sums<T>>(
          op_, {.blocks = {part_.count * part_.x.rows}, .threads = threads, .shared_bytes = shared_bytes}, part_,
          square_[0]);
    }
    part_.request.method == KR_METHOD_GRAM_NEWTON_SCHULZ ? iterate_gram(steps) : iterate(steps);
    launch<finish_wide<T>>(op_, each_matrix_, part_, part_.x);
  }

 private:
  static constexpr std::size_t shared_bytes = threads / warp_size * sizeof(double);

  void iterate(const std::vector<Quintic>& steps) {
    for (const Quintic& step : steps) {
      gram(square_[0]);
      form_factor(step, square_[0], square_[1]);
      advance_x(square_[1]);
    }
  }

  // R = X X^T, which a step turns into W R W; X is multiplied once by the product Q of all W, and once more after step
  // 2, where R is formed anew from X, because rounding that makes eigenvalues of R negative grows by up to a^2 a step.
  void iterate_gram(const std::vector<Quintic>& steps) {
    constexpr std::size_t restart = 2;
    BatchView<T>&r = square_[0], &w = square_[1], &q = square_[2], &spare = square_[3];
    for (std::size_t k = 0; k < steps.size(); ++k) {
      const bool starts = k == 0 || k == restart, ends = k + 1 == steps.size() || k + 1 == restart;
      if (starts) gram(r);
      form_factor(steps[k], r, w);
      if (starts) {
        std::swap(w, q);
      } else {
        symmetric(w, q, spare);
        std::swap(q, spare);
      }
      if (ends) {
        advance_x(q);
        continue;
      }
      const BatchView<T> factor = starts ? q : w;
      symmetric(r, factor, spare);
      symmetric(factor, spare, r);
    }
  }

  void gram(const BatchView<T>& to) { product(part_.x, part_.x, to, true, true); }
  void symmetric(const BatchView<T>& a, const BatchView<T>& b, const BatchView<T>& c) { product(a, b, c, true, true); }
  void form_factor(const Quintic& step, const BatchView<T>& g, const BatchView<T>& w) {
    if (step.c != 0) symmetric(g, g, w);
    const int64_t elements = g.batch * g.rows * g.rows;
    launch<form_quintic<T>>(op_, {.blocks = {(elements + threads - 1) / threads}, .threads = threads}, readable(g), w,
                            step, Global<const int32_t>(part_.is_settled.address()));
  }
  void advance_x(const BatchView<T>& w) {
    product(w, part_.x, next_, false, false);
    std::swap(part_.x, next_);
  }
  void product(const BatchView<T>& a, const BatchView<T>& b, const BatchView<T>& c, bool transpose_b,
               bool is_symmetric) {
    Product<T> product;
    product.a = readable(a);
    product.b = readable(b);
    product.c = c;
    product.transpose_b = transpose_b;
    product.symmetric = is_symmetric;
    product.skip = part_.is_settled.address();
    multiply(op_, product);
  }

  Op& op_;
  WidePart<T> part_;
  BatchView<T> next_;
  BatchView<T> square_[4];
  LaunchShape each_matrix_;
};

}  // namespace

template <typename T>
void newton_schulz(Op& op, const OrthogonalizeRequest& request, const std::vector<Quintic>& steps,
                   const OrthogonalizeBatch<T>& batch) {
  const int64_t m = batch.rows(), n = batch.cols();
  const int64_t bytes_each = (2 * m * n + 4 * m * m) * static_cast<int64_t>(sizeof(T));
  const int64_t together = std::min(batch.a.batch, std::max<int64_t>(1, most_bytes / bytes_each));
  T* x = op.scratch<T>(together * m * n);
  T* next = op.scratch<T>(together * m * n);
  T* squares[4];
  for (T*& each : squares) each = op.scratch<T>(together * m * m);
  double* vectors = op.scratch<double>(together * (m + n));
  int32_t* is_settled = op.scratch<int32_t>(together);
  for (int64_t first = 0; first < batch.a.batch; first += together) {
    const int64_t count = std::min(together, batch.a.batch - first);
    const WidePart<T> part{
        request, batch, first, count, dense_view(x, count, m, n), Global<double>(vectors), Global<int32_t>(is_settled)};
    NewtonSchulz<T>(op, part, squares, next).run(steps);
  }
}

template void newton_schulz<float>(Op&, const OrthogonalizeRequest&, const std::vector<Quintic>&,
                                   const OrthogonalizeBatch<float>&);
template void newton_schulz<double>(Op&, const OrthogonalizeRequest&, const std::vector<Quintic>&,
                                    const OrthogonalizeBatch<double>&);

}  // namespace kronroot::cuda
