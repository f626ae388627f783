// Source: Kovarik, SIAM J. Numer. Anal. 7 (1970); Bjorck and Bowie, SIAM J. Numer. Anal. 8 (1971); Gram form:
// Dao-AILab, Gram-Newton-Schulz (2026).
#include "newton_schulz.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../gemm/pair_product.hpp"
#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "newton_schulz_in_blocks.hpp"
#include "newton_schulz_in_warps.hpp"
#include "rectangles.hpp"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
// Of scratch memory; larger batches are answered in parts.
constexpr int64_t most_bytes = int64_t{4} << 30;

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

// Matrices in the element type.
template <typename T>
class DenseProducts {
 public:
  using Square = BatchView<T>;

  DenseProducts(Op& op, const WidePart<T>& part) : op_(op), part_(part), x_(part.x), next_(matrices(part.x.cols)) {}

  Square square() const { return matrices(part_.x.rows); }
  void gram(const Square& to) const { product(x_, x_, to, true); }
  void multiply_squares(const Square& a, const Square& b, const Square& c) const { product(a, b, c, true); }
  // W = a I + b G + c G^2
  void form_factor(const Quintic& step, const Square& g, const Square& w) const {
    if (step.c != 0) multiply_squares(g, g, w);
    const int64_t elements = g.batch * g.rows * g.rows;
    launch<form_quintic<T>>(op_, {.blocks = {(elements + threads - 1) / threads}, .threads = threads}, as_input(g), w,
                            step, Global<const int32_t>(part_.is_settled.address()));
  }
  // X <- W X, which is in part.x after the last time.
  void advance_x(const Square& w, bool is_last) {
    product(w, x_, next_, false);
    std::swap(x_, next_);
    if (is_last) part_.x = x_;
  }
  const WidePart<T>& part() const { return part_; }

 private:
  BatchView<T> matrices(int64_t cols) const {
    const int64_t rows = part_.x.rows;
    return dense_view(op_.scratch<T>(part_.count * rows * cols), part_.count, rows, cols);
  }
  void product(const BatchView<T>& a, const BatchView<T>& b, const BatchView<T>& c, bool is_square) const {
    Product<T> product;
    product.a = as_input(a);
    product.b = as_input(b);
    product.c = c;
    product.transpose_b = is_square;
    product.symmetric = is_square;
    product.skip = part_.is_settled.address();
    multiply(op_, product);
  }

  Op& op_;
  WidePart<T> part_;
  BatchView<T> x_, next_;
};

// Matrices in planes of fp16, two for f32 accuracy; X together with X^T, so that all operands are read by rows, and W
// formed by the product that squares G.
class PlaneProducts {
 public:
  using Square = PairBatch;

  PlaneProducts(Op& op, const WidePart<float>& part, const PolynomialBounds& bounds, PairPrecision precision)
      : op_(op), part_(part), bounds_(bounds), precision_(precision) {
    const int64_t m = part.x.rows, n = part.x.cols;
    for (int k = 0; k < 2; ++k) {
      x_[k] = pair_scratch(op, part.count, m, n, bounds.x, precision);
      transposed_[k] = pair_scratch(op, part.count, n, m, bounds.x, precision);
    }
    split(op, as_input(part.x), x_[0], nullptr, part.is_settled.address(), transposed_[0]);
  }

  Square square() const {
    return pair_scratch(op_, part_.count, part_.x.rows, part_.x.rows, bounds_.square, precision_);
  }
  void gram(const Square& to) const { multiply_pairs(op_, product(x_[0], x_[0], to)); }
  void multiply_squares(const Square& a, const Square& b, const Square& c) const {
    multiply_pairs(op_, product(a, b, c));
  }
  void form_factor(const Quintic& step, const Square& g, const Square& w) const {
    PairProduct each = product(g, g, w);
    each.d = g;
    each.alpha = step.c, each.beta = step.b, each.gamma = step.a;
    multiply_pairs(op_, each);
  }
  void advance_x(const Square& w, bool is_last) {
    PairProduct each = product(w, transposed_[0], x_[1]);
    each.symmetric = false;
    each.c_transposed = transposed_[1];
    if (is_last) {
      each.c = each.c_transposed = {};
      each.c_matrix = part_.x;
    }
    multiply_pairs(op_, each);
    std::swap(x_[0], x_[1]);
    std::swap(transposed_[0], transposed_[1]);
  }
  const WidePart<float>& part() const { return part_; }

 private:
  PairProduct product(const PairBatch& a, const PairBatch& b, const PairBatch& c) const {
    return {.a = a, .b = b, .precision = precision_, .c = c, .skip = part_.is_settled.address()};
  }

  Op& op_;
  WidePart<float> part_;
  PolynomialBounds bounds_;
  PairPrecision precision_;
  PairBatch x_[2], transposed_[2];
};

template <typename Products>
void iterate(Products& products, const std::vector<Quintic>& steps) {
  const auto g = products.square(), w = products.square();
  for (std::size_t k = 0; k < steps.size(); ++k) {
    products.gram(g);
    products.form_factor(steps[k], g, w);
    products.advance_x(w, k + 1 == steps.size());
  }
}

// R = X X^T, which a step turns into W R W; X is multiplied once by the product Q of all W, and once more after step 2,
// where R is formed anew from X, because rounding that makes eigenvalues of R negative grows by up to a^2 a step.
template <typename Products>
void iterate_gram(Products& products, const std::vector<Quintic>& steps) {
  constexpr std::size_t restart = 2;
  auto r = products.square(), w = products.square(), q = products.square(), spare = products.square();
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const bool is_last = k + 1 == steps.size();
    const bool starts = k == 0 || k == restart, ends = is_last || k + 1 == restart;
    if (starts) products.gram(r);
    products.form_factor(steps[k], r, w);
    if (starts) {
      std::swap(w, q);
    } else {
      products.multiply_squares(w, q, spare);
      std::swap(q, spare);
    }
    if (ends) {
      products.advance_x(q, is_last);
      continue;
    }
    const auto factor = starts ? q : w;
    products.multiply_squares(r, factor, spare);
    products.multiply_squares(factor, spare, r);
  }
}

template <typename Products>
void run(Op& op, Products products, const std::vector<Quintic>& steps) {
  const bool by_gram = products.part().request.method == KR_METHOD_GRAM_NEWTON_SCHULZ;
  by_gram ? iterate_gram(products, steps) : iterate(products, steps);
  publish_rectangles(op, products.part());
}

template <typename T>
void scale_rows(Op& op, const WidePart<T>& part) {
  const int64_t m = part.x.rows;
  const BatchView<T> gram = dense_view(op.scratch<T>(part.count * m * m), part.count, m, m);
  Product<T> product;
  product.a = product.b = as_input(part.x);
  product.c = gram;
  product.transpose_b = true;
  product.symmetric = true;
  product.skip = part.is_settled.address();
  multiply(op, product);
  launch<divide_by_row_sums<T>>(
      op, {.blocks = {part.count * m}, .threads = threads, .shared_bytes = threads / warp_size * sizeof(double)}, part,
      gram);
}

// Below it a matrix is less than a tile of the matrix unit.
constexpr int64_t smallest_in_planes = 33;

}  // namespace

template <typename T>
void newton_schulz(Op& op, const OrthogonalizeRequest& request, const std::vector<Quintic>& steps,
                   const OrthogonalizeBatch<T>& batch) {
  const int64_t m = batch.rows(), n = batch.cols();
  const bool has_few_steps = steps.size() <= QuinticList::most;
  if (n <= most_side_in_warp && has_few_steps) return newton_schulz_in_warps(op, request, steps, batch);
  const PolynomialBounds bounds = PolynomialBounds::of(steps);
  const bool in_planes = sizeof(T) == sizeof(float) && m >= smallest_in_planes && bounds.fit_planes();
  if constexpr (sizeof(T) == sizeof(float)) {
    const bool is_plain = request.method == KR_METHOD_NEWTON_SCHULZ;
    if (in_planes && is_plain && n <= most_side_in_block && has_few_steps) {
      return newton_schulz_in_blocks(op, request, steps, bounds, batch);
    }
  }
  // X, its planes twice and those of X^T twice; four squares.
  const int64_t bytes_each = (5 * m * n + 4 * m * m) * static_cast<int64_t>(sizeof(T));
  const int64_t together = std::min(batch.a.batch, std::max<int64_t>(1, most_bytes / bytes_each));
  T* x = op.scratch<T>(together * m * n);
  double* vectors = op.scratch<double>(together * (2 * m + n));
  int32_t* is_settled = op.scratch<int32_t>(together);
  const Op::Mark mark = op.mark();
  for (int64_t first = 0; first < batch.a.batch; first += together) {
    const int64_t count = std::min(together, batch.a.batch - first);
    const WidePart<T> part{
        request, batch, first, count, dense_view(x, count, m, n), Global<double>(vectors), Global<int32_t>(is_settled)};
    read_rectangles(op, part);
    if (request.scales_rows) scale_rows(op, part);
    if constexpr (sizeof(T) == sizeof(float)) {
      if (in_planes) run(op, PlaneProducts(op, part, bounds, request.precision), steps);
    }
    if (!in_planes) run(op, DenseProducts<T>(op, part), steps);
    op.reuse_since(mark);
  }
}

template void newton_schulz<float>(Op&, const OrthogonalizeRequest&, const std::vector<Quintic>&,
                                   const OrthogonalizeBatch<float>&);
template void newton_schulz<double>(Op&, const OrthogonalizeRequest&, const std::vector<Quintic>&,
                                    const OrthogonalizeBatch<double>&);

}  // namespace kronroot::cuda
