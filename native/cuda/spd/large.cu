#include "large.hpp"

#include <algorithm>
#include <cmath>

#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "../sub_batch.hpp"
#include "shared_kernels.cuh"

namespace kronroot::cuda {
namespace {

constexpr int block_order = 64;

// What is known of one matrix.
struct LargeInput {
  int32_t status;
  int32_t failing;  // index of the first pivot that is not positive, or -1
  double half;      // of SpdScale
  double epsilon, squares;
};

// A batch under way.
template <typename T>
struct LargeSpd {
  BatchView<const T> a;
  SpdRidge ridge;
  BatchView<T> s;        // (A + epsilon I) 2^-exponent, then what is left of it; both triangles
  BatchView<T> l;        // L, zeros above the diagonal
  BatchView<T> inverse;  // D_p below each other, 64 columns
  Global<LargeInput> inputs;
  Global<int32_t> skip;  // not 0 for matrices that have failed
};

template <typename T>
__global__ void __launch_bounds__(spd_threads) read_large(LargeSpd<T> batch) {
  const int64_t b = block_index(), n = batch.a.rows;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(spd_warps);
  const MatrixView<const T> a = batch.a[b];
  const MatrixView<T> s = batch.s[b], l = batch.l[b];
  double largest = 0, bad = 0;
  for (int64_t e = thread_index(); e < n * n; e += block_threads()) {
    const int64_t i = e / n, j = e % n;
    if (j > i) continue;
    const double x = static_cast<double>(a(i, j));
    if (!is_finite(x)) bad = 1;
    largest = std::max(largest, x < 0 ? -x : x);
  }
  LargeInput input{KR_STATUS_OK, -1, 1, 0, 0};
  if (block_max(bad, partial) != 0) input.status = KR_STATUS_NON_FINITE_INPUT;
  largest = block_max(input.status == KR_STATUS_OK ? largest : 0.0, partial);
  const SpdScale<T> scale = SpdScale<T>::of(largest, batch.ridge);
  double trace = 0, squares = 0;
  for (int64_t i = thread_index(); i < n; i += block_threads()) trace += scale.down(static_cast<double>(a(i, i)));
  input.half = scale.half;
  input.epsilon = scaled_epsilon(batch.ridge, b, scale, block_sum(trace, partial), n);
  for (int64_t e = thread_index(); e < n * n; e += block_threads()) {
    const int64_t i = e / n, j = e % n;
    const double x = scale.down(static_cast<double>(j > i ? a(j, i) : a(i, j))) + (i == j ? input.epsilon : 0.0);
    const T rounded = static_cast<T>(x);
    if (i == j && !is_finite(rounded)) bad = 1;
    s(i, j) = rounded;
    l(i, j) = T{0};
    squares += x * x;
  }
  input.squares = block_sum(squares, partial);
  if (block_max(bad, partial) != 0 && input.status == KR_STATUS_OK) input.status = KR_STATUS_OVERFLOW;
  if (thread_index() != 0) return;
  batch.inputs[b] = input;
  batch.skip[b] = input.status == KR_STATUS_OK ? 0 : 1;
}

// L_pp and D_p of the block of `order` rows at p.
template <typename T>
__global__ void __launch_bounds__(spd_threads) factorize_block(LargeSpd<T> batch, int64_t p, int order) {
  const int64_t b = block_index();
  if (batch.skip[b] != 0) return;
  SharedArena arena;
  const Triangle<T> block = Triangle<T>::take(arena, order);
  const MatrixView<T> s = batch.s[b], l = batch.l[b], inverse = batch.inverse[b];
  for (int e = thread_index(); e < order * order; e += block_threads()) {
    const int i = e / order, j = e % order;
    if (j <= i) block.elements[block.at(i, j)] = s(p + i, p + j);
  }
  sync_block();
  factorize_shared(block);
  const int failing = block.failing[0];
  for (int e = thread_index(); e < order * order && failing < 0; e += block_threads()) {
    const int i = e / order, j = e % order;
    if (j <= i) l(p + i, p + j) = block.elements[block.at(i, j)];
  }
  sync_block();
  if (failing >= 0) {
    if (thread_index() == 0) {
      batch.inputs[b].failing = static_cast<int32_t>(p) + failing;
      batch.skip[b] = 1;
    }
    return;
  }
  invert_shared(block);
  for (int e = thread_index(); e < order * order; e += block_threads()) {
    const int i = e / order, j = e % order;
    inverse(p + i, j) = j <= i ? T(block.elements[block.at(i, j)]) : T{0};
  }
}

// The blocks D_p on the diagonal of M, zeros right of them.
template <typename T>
__global__ void start_inverse(LargeSpd<T> batch, BatchView<T> m) {
  const int64_t n = m.rows, e = block_index() * block_threads() + thread_index();
  if (e >= m.batch * n * n) return;
  const int64_t b = e / (n * n), i = e / n % n, j = e % n, p = i / block_order * block_order;
  if (batch.skip[b] != 0 || j < p) return;
  m[b](i, j) = j <= i ? batch.inverse[b](i, j - p) : T{0};
}

// y = (A + epsilon I) 2^-exponent x of one matrix in f64, a warp a row.
template <typename T, typename X, typename Y>
__device__ void multiply_given(const MatrixView<const T>& a, const LargeInput& input, const X& x, const Y& y) {
  const int64_t n = a.rows;
  const double down = input.half * input.half;
  for (int64_t i = warp_index(); i < n; i += warp_count()) {
    double sum = 0;
    for (int64_t j = lane_index(); j < n; j += warp_size) sum += static_cast<double>(j > i ? a(j, i) : a(i, j)) * x(j);
    sum = warp_sum(sum);
    if (lane_index() == 0) y(i, sum * down + input.epsilon * x(i));
  }
  sync_block();
}

__device__ __forceinline__ double probe_sign(int64_t i) { return random_sign(probe_stream, static_cast<uint64_t>(i)); }

// The factor's part of the report, the same in all threads.
template <typename T>
__device__ kr_report report_of_large(const LargeSpd<T>& batch, int64_t b, Shared<double> partial) {
  const LargeInput input = batch.inputs[b];
  const MatrixView<T> l = batch.l[b];
  double most = 0, least = -std::numeric_limits<double>::infinity();
  for (int64_t i = thread_index(); i < l.rows && input.status == KR_STATUS_OK; i += block_threads()) {
    const double root = static_cast<double>(l(i, i));
    most = std::max(most, root);
    least = std::max(least, -root);
  }
  most = block_max(most, partial);
  least = -block_max(least, partial);
  if (input.status != KR_STATUS_OK) return failed(static_cast<kr_status>(input.status));
  return factorised(input.failing, most, least);
}

// L into the output, its residual |A z - L L^T z|_2 / (|A|_F |z|_2) into the report; `vectors` holds 2 n doubles a
// matrix.
template <typename T>
__global__ void __launch_bounds__(spd_threads)
    finish_cholesky(LargeSpd<T> batch, BatchView<T> out, Global<double> vectors, Global<kr_report> reports) {
  const int64_t b = block_index(), n = batch.a.rows;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(spd_warps);
  kr_report report = report_of_large(batch, b, partial);
  if (!is_failure(report)) {
    const LargeInput input = batch.inputs[b];
    const MatrixView<T> l = batch.l[b], to = out[b];
    const Global<double> image = vectors + 2 * n * b, coordinates = image + n;
    multiply_given(
        batch.a[b], input, [](int64_t i) { return probe_sign(i); }, [&](int64_t i, double y) { image[i] = y; });
    for (int64_t k = thread_index(); k < n; k += block_threads()) {
      double sum = 0;
      for (int64_t i = k; i < n; ++i) sum += static_cast<double>(l(i, k)) * probe_sign(i);
      coordinates[k] = sum;
    }
    sync_block();
    double squares = 0;
    for (int64_t i = warp_index(); i < n; i += warp_count()) {
      double sum = 0;
      for (int64_t k = lane_index(); k <= i; k += warp_size) sum += static_cast<double>(l(i, k)) * coordinates[k];
      const double difference = image[i] - warp_sum(sum);
      if (lane_index() == 0) squares += difference * difference;
    }
    report.residual = std::sqrt(block_sum(squares, partial) / (input.squares * static_cast<double>(n)));
    for (int64_t e = thread_index(); e < n * n; e += block_threads()) {
      const int64_t i = e / n, j = e % n;
      to(i, j) = static_cast<T>(static_cast<double>(l(i, j)) / input.half);  // |l_ij| <= sqrt(a_ii + epsilon)
    }
  }
  if (reports && thread_index() == 0) reports[b] = report;
}

// X 2^-exponent into the output; residual |(A + epsilon I) X z - z|_2 / |z|_2.
template <typename T>
__global__ void __launch_bounds__(spd_threads) finish_inverse(LargeSpd<T> batch, BatchView<const T> x, BatchView<T> out,
                                                              Global<double> vectors, Global<kr_report> reports) {
  const int64_t b = block_index(), n = batch.a.rows;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(spd_warps);
  kr_report report = report_of_large(batch, b, partial);
  if (!is_failure(report)) {
    const LargeInput input = batch.inputs[b];
    const MatrixView<const T> given = x[b];
    const double down = input.half * input.half;
    const Global<double> solution = vectors + 2 * n * b;
    double bad = 0;
    for (int64_t i = warp_index(); i < n; i += warp_count()) {
      double sum = 0;
      for (int64_t j = lane_index(); j < n; j += warp_size) {
        const double element = static_cast<double>(given(i, j));
        if (!is_finite(static_cast<T>(element * down))) bad = 1;
        sum += element * probe_sign(j);
      }
      sum = warp_sum(sum);
      if (lane_index() == 0) solution[i] = sum;
    }
    sync_block();
    double squares = 0;
    multiply_given(
        batch.a[b], input, [&](int64_t i) { return solution[i]; },
        [&](int64_t i, double y) { squares += (y - probe_sign(i)) * (y - probe_sign(i)); });
    report.residual = std::sqrt(block_sum(squares, partial) / static_cast<double>(n));
    if (block_max(bad, partial) != 0) report = failed(KR_STATUS_OVERFLOW);
    const MatrixView<T> to = out[b];
    for (int64_t e = thread_index(); e < n * n && !is_failure(report); e += block_threads()) {
      to(e / n, e % n) = static_cast<T>(static_cast<double>(given(e / n, e % n)) * down);
    }
  }
  if (reports && thread_index() == 0) reports[b] = report;
}

// B must be finite.
template <typename T>
__global__ void __launch_bounds__(spd_threads)
    screen_right(LargeSpd<T> batch, BatchView<const T> right, BatchView<T> y) {
  const int64_t b = block_index(), count = right.rows * right.cols;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(spd_warps);
  double bad = 0;
  for (int64_t e = thread_index(); e < count; e += block_threads()) {
    const T value = right[b](e / right.cols, e % right.cols);
    if (!is_finite(value)) bad = 1;
    y[b](e / right.cols, e % right.cols) = value;
  }
  if (block_max(bad, partial) == 0 || thread_index() != 0) return;
  batch.inputs[b].status = KR_STATUS_NON_FINITE_INPUT;
  batch.skip[b] = 1;
}

// X 2^-exponent into the output; residual the largest over the columns of |(A + epsilon I) x - b|_2 / (|A|_F |x|_2 +
// |b|_2).
template <typename T>
__global__ void __launch_bounds__(spd_threads)
    finish_solve(LargeSpd<T> batch, BatchView<const T> right, BatchView<const T> x, BatchView<T> out,
                 Global<kr_report> reports) {
  const int64_t b = block_index();
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(spd_warps);
  kr_report report = report_of_large(batch, b, partial);
  if (!is_failure(report)) {
    const LargeInput input = batch.inputs[b];
    const MatrixView<const T> solved = x[b], given = right[b];
    const double down = input.half * input.half, size = std::sqrt(input.squares);
    double bad = 0, residual = 0;
    for (int64_t c = 0; c < given.cols; ++c) {
      double errors = 0, solutions = 0, rights = 0;
      multiply_given(
          batch.a[b], input, [&](int64_t i) { return static_cast<double>(solved(i, c)); },
          [&](int64_t i, double y) {
            const double solution = static_cast<double>(solved(i, c)), of_b = static_cast<double>(given(i, c));
            errors += (y - of_b) * (y - of_b);
            solutions += solution * solution;
            rights += of_b * of_b;
            if (!is_finite(static_cast<T>(solution * down))) bad = 1;
          });
      errors = block_sum(errors, partial);
      solutions = block_sum(solutions, partial);
      rights = block_sum(rights, partial);
      if (errors > 0)
        residual = std::max(residual, std::sqrt(errors) / (size * std::sqrt(solutions) + std::sqrt(rights)));
    }
    report.residual = residual;
    if (block_max(bad, partial) != 0) report = failed(KR_STATUS_OVERFLOW);
    const MatrixView<T> to = out[b];
    const int64_t count = given.rows * given.cols;
    for (int64_t e = thread_index(); e < count && !is_failure(report); e += block_threads()) {
      const int64_t i = e / given.cols, j = e % given.cols;
      to(i, j) = static_cast<T>(static_cast<double>(solved(i, j)) * down);
    }
  }
  if (reports && thread_index() == 0) reports[b] = report;
}

LaunchShape one_block_each(int64_t batch) {
  return {.blocks = {batch}, .threads = spd_threads, .shared_bytes = spd_warps * sizeof(double)};
}

template <typename T>
void multiply_parts(Op& op, const LargeSpd<T>& batch, const BatchView<T>& a, bool transpose_a, const BatchView<T>& b,
                    bool transpose_b, const BatchView<T>& c, double alpha, double beta, bool symmetric = false) {
  Product<T> product;
  product.a = as_input(a);
  product.b = as_input(b);
  product.c = c;
  product.transpose_a = transpose_a;
  product.transpose_b = transpose_b;
  product.alpha = alpha;
  product.beta = beta;
  product.symmetric = symmetric;
  product.skip = batch.skip.address();
  multiply(op, product);
}

// Rows of block p.
template <typename T>
int64_t rows_of(const LargeSpd<T>& batch, int64_t p) {
  return std::min<int64_t>(block_order, batch.a.rows - p);
}
template <typename T>
BatchView<T> inverse_of(const LargeSpd<T>& batch, int64_t p) {
  return part_of(batch.inverse, p, 0, rows_of(batch, p), rows_of(batch, p));
}

template <typename T>
LargeSpd<T> factorize_large(Op& op, const SpdRidge& ridge, const BatchView<const T>& a) {
  const int64_t n = a.rows, count = a.batch;
  LargeSpd<T> batch{};
  batch.a = a;
  batch.ridge = ridge;
  batch.s = dense_view(op.scratch<T>(count * n * n), count, n, n);
  batch.l = dense_view(op.scratch<T>(count * n * n), count, n, n);
  batch.inverse = dense_view(op.scratch<T>(count * n * block_order), count, n, int64_t{block_order});
  batch.inputs = Global<LargeInput>(op.scratch<LargeInput>(count));
  batch.skip = Global<int32_t>(op.scratch<int32_t>(count));
  launch<read_large<T>>(op, one_block_each(count), batch);
  for (int64_t p = 0; p < n && !op.failed(); p += block_order) {
    const int64_t order = rows_of(batch, p), next = p + order, rest = n - next;
    SharedArena arena;
    Triangle<T>::take(arena, static_cast<int>(order));
    launch<factorize_block<T>>(op, {.blocks = {count}, .threads = spd_threads, .shared_bytes = arena.bytes()}, batch, p,
                               static_cast<int>(order));
    if (rest == 0) break;
    const BatchView<T> panel_of_l = part_of(batch.l, next, p, rest, order);
    multiply_parts(op, batch, part_of(batch.s, next, p, rest, order), false, inverse_of(batch, p), true, panel_of_l, 1,
                   0);
    multiply_parts(op, batch, panel_of_l, false, panel_of_l, true, part_of(batch.s, next, next, rest, rest), -1, 1,
                   true);
  }
  return batch;
}

}  // namespace

template <typename T>
void cholesky_large(Op& op, const SpdRidge& ridge, const BatchView<const T>& a, const BatchView<T>& l,
                    kr_report* reports) {
  const LargeSpd<T> batch = factorize_large(op, ridge, a);
  double* const vectors = op.scratch<double>(2 * a.batch * a.rows);
  launch<finish_cholesky<T>>(op, one_block_each(a.batch), batch, l, Global<double>(vectors),
                             Global<kr_report>(reports));
}

template <typename T>
void spd_inverse_large(Op& op, const SpdRidge& ridge, const BatchView<const T>& a, const BatchView<T>& x,
                       kr_report* reports) {
  const int64_t n = a.rows;
  const LargeSpd<T> batch = factorize_large(op, ridge, a);
  // S has served, M takes its place.
  const BatchView<T> m = batch.s;
  const BatchView<T> product = dense_view(op.scratch<T>(a.batch * n * n), a.batch, n, n);
  launch<start_inverse<T>>(op, {.blocks = {(a.batch * n * n + spd_threads - 1) / spd_threads}, .threads = spd_threads},
                           batch, m);
  for (int64_t p = block_order; p < n && !op.failed(); p += block_order) {
    const int64_t order = rows_of(batch, p);
    const BatchView<T> left = part_of(product, p, 0, order, p);
    multiply_parts(op, batch, part_of(batch.l, p, 0, order, p), false, part_of(m, 0, 0, p, p), false, left, 1, 0);
    multiply_parts(op, batch, inverse_of(batch, p), false, left, false, part_of(m, p, 0, order, p), -1, 0);
  }
  multiply_parts(op, batch, m, true, m, false, product, 1, 0, true);
  double* const vectors = op.scratch<double>(2 * a.batch * n);
  launch<finish_inverse<T>>(op, one_block_each(a.batch), batch, as_input(product), x, Global<double>(vectors),
                            Global<kr_report>(reports));
}

template <typename T>
void spd_solve_large(Op& op, const SpdRidge& ridge, const BatchView<const T>& a, const BatchView<const T>& b,
                     const BatchView<T>& x, kr_report* reports) {
  const int64_t n = a.rows, k = b.cols, count = a.batch;
  const LargeSpd<T> batch = factorize_large(op, ridge, a);
  const BatchView<T> rest = dense_view(op.scratch<T>(count * n * k), count, n, k);
  const BatchView<T> y = dense_view(op.scratch<T>(count * n * k), count, n, k);
  launch<screen_right<T>>(op, one_block_each(count), batch, b, rest);
  for (int64_t p = 0; p < n && !op.failed(); p += block_order) {
    const int64_t order = rows_of(batch, p);
    const BatchView<T> of_block = part_of(rest, p, 0, order, k);
    if (p > 0) {
      multiply_parts(op, batch, part_of(batch.l, p, 0, order, p), false, part_of(y, 0, 0, p, k), false, of_block, -1,
                     1);
    }
    multiply_parts(op, batch, inverse_of(batch, p), false, of_block, false, part_of(y, p, 0, order, k), 1, 0);
  }
  const BatchView<T> solution = rest;
  for (int64_t p = (n - 1) / block_order * block_order; p >= 0 && !op.failed(); p -= block_order) {
    const int64_t order = rows_of(batch, p), next = p + order;
    const BatchView<T> of_block = part_of(y, p, 0, order, k);
    if (next < n) {
      multiply_parts(op, batch, part_of(batch.l, next, p, n - next, order), true,
                     part_of(solution, next, 0, n - next, k), false, of_block, -1, 1);
    }
    multiply_parts(op, batch, inverse_of(batch, p), true, of_block, false, part_of(solution, p, 0, order, k), 1, 0);
  }
  launch<finish_solve<T>>(op, one_block_each(count), batch, b, as_input(solution), x, Global<kr_report>(reports));
}

template void cholesky_large(Op&, const SpdRidge&, const BatchView<const float>&, const BatchView<float>&, kr_report*);
template void cholesky_large(Op&, const SpdRidge&, const BatchView<const double>&, const BatchView<double>&,
                             kr_report*);
template void spd_inverse_large(Op&, const SpdRidge&, const BatchView<const float>&, const BatchView<float>&,
                                kr_report*);
template void spd_inverse_large(Op&, const SpdRidge&, const BatchView<const double>&, const BatchView<double>&,
                                kr_report*);
template void spd_solve_large(Op&, const SpdRidge&, const BatchView<const float>&, const BatchView<const float>&,
                              const BatchView<float>&, kr_report*);
template void spd_solve_large(Op&, const SpdRidge&, const BatchView<const double>&, const BatchView<const double>&,
                              const BatchView<double>&, kr_report*);

}  // namespace kronroot::cuda
