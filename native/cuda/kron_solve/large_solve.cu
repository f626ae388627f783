// kron_solve by products over the whole batch. Between them a block has a row: it leaves a few numbers of that row, and
// one block a matrix puts these together and decides. Shared memory: a number a warp. A matrix that has failed is
// skipped from then on; its outputs are written last, or not at all.
#include "large_solve.hpp"

#include "../gemm/product.hpp"
#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int most_threads = 256;

// Sums of a block of at most most_threads.
__device__ __forceinline__ Shared<double> take_partial() {
  SharedArena arena;
  return arena.take<double>(most_threads / warp_size);
}
std::size_t partial_bytes() {
  SharedArena arena;
  arena.take<double>(most_threads / warp_size);
  return arena.bytes();
}

// What becomes of the matrices while the launches pass; arrays of one number a matrix, or a row of each.
struct Progress {
  int64_t rows;
  Global<int32_t> status;  // kr_status; not 0: the matrix has failed
  Global<int32_t> detail;
  Global<double> largest;   // of the scale
  Global<double> residual;  // of the first rotation
  Global<double> probe;     // Q_B^T v, a number a column
  // Of the rows.
  Global<double> product, image_in_basis, image;  // X v or Y v; z Q_B^T v; Q_A z Q_B^T v
  Global<double> square;                          // |row|^2
  Global<double> smallest, most, kept;            // of scale or divisors
};

__device__ __forceinline__ int64_t matrix_of_block(const Progress& p) { return block_index() / p.rows; }
__device__ __forceinline__ int64_t row_of_block(const Progress& p) { return block_index() % p.rows; }

// A block a row of an input.
template <typename T>
__global__ void screen_rows(Progress p, BatchView<const T> input) {
  const int64_t b = block_index() / input.rows, i = block_index() % input.rows;
  const MatrixView<const T> matrix = input[b];
  for (int64_t j = thread_index(); j < input.cols; j += block_threads()) {
    if (!is_finite(matrix(i, j))) p.status[b] = KR_STATUS_NON_FINITE_INPUT;
  }
}

// product = row times v, and the square of the row. Elements that are not finite make the matrix `failure`.
template <typename T>
__global__ void probe_rows(Progress p, BatchView<const T> x, int32_t failure) {
  const Shared<double> partial = take_partial();
  const int64_t b = matrix_of_block(p), i = row_of_block(p);
  const MatrixView<const T> matrix = x[b];
  double product = 0, square = 0;
  bool all_finite = true;
  for (int64_t j = thread_index(); j < x.cols; j += block_threads()) {
    const T element = matrix(i, j);
    const auto value = static_cast<double>(element);
    all_finite = all_finite && is_finite(element);
    product = std::fma(value, probe_sign(j), product);
    square = std::fma(value, value, square);
  }
  if (!all_finite && p.status[b] == KR_STATUS_OK) p.status[b] = failure;
  product = block_sum(product, partial);
  square = block_sum(square, partial);
  if (thread_index() != 0) return;
  p.product[block_index()] = product;
  p.square[block_index()] = square;
}

// Q_B^T v, v itself without a basis. A block has 32 columns, a lane each, and its warps share the rows.
template <typename T>
__global__ void rotate_probe(Progress p, BatchView<const T> basis, int64_t n) {
  SharedArena arena;
  const Shared<double> sums = arena.take<double>(most_threads);
  const int64_t tiles = (n + warp_size - 1) / warp_size;
  const int64_t b = block_index() / tiles, j = block_index() % tiles * warp_size + lane_index();
  double sum = 0;
  if (j < n && basis.data) {
    const MatrixView<const T> matrix = basis[b];
    for (int64_t k = warp_index(); k < n; k += warp_count()) {
      sum = std::fma(probe_sign(k), static_cast<double>(matrix(k, j)), sum);
    }
  }
  sums[thread_index()] = sum;
  sync_block();
  if (warp_index() != 0 || j >= n) return;
  sum = basis.data ? 0 : probe_sign(j);
  for (int w = 0; w < warp_count(); ++w) sum += sums[w * warp_size + lane_index()];
  p.probe[b * n + j] = sum;
}

// result = matrix times vector, a block a row.
template <typename T>
__global__ void multiply_rows(Progress p, BatchView<const T> matrices, Global<const double> vectors,
                              Global<double> results) {
  const Shared<double> partial = take_partial();
  const int64_t b = matrix_of_block(p), i = row_of_block(p);
  const MatrixView<const T> matrix = matrices[b];
  double sum = 0;
  for (int64_t j = thread_index(); j < matrices.cols; j += block_threads()) {
    sum = std::fma(static_cast<double>(matrix(i, j)), double(vectors[b * matrices.cols + j]), sum);
  }
  sum = block_sum(sum, partial);
  if (thread_index() == 0) results[block_index()] = sum;
}

// The new statistics, in scratch memory.
template <typename T>
__global__ void blend_rows(Progress p, KronProblem<T> problem, BatchView<const T> z, BatchView<T> blended) {
  const int64_t b = matrix_of_block(p), i = row_of_block(p);
  for (int64_t j = thread_index(); j < z.cols; j += block_threads()) {
    const T old = problem.reads_statistics ? problem.statistics[b](i, j) : T(0);
    const T value = problem.blended(old, z[b](i, j));
    if (!is_finite(value) && p.status[b] == KR_STATUS_OK) p.status[b] = KR_STATUS_OVERFLOW;
    blended[b](i, j) = value;
  }
}

template <typename T>
__global__ void find_extremes_of_rows(Progress p, BatchView<const T> scale) {
  const Shared<double> partial = take_partial();
  const int64_t b = matrix_of_block(p), i = row_of_block(p);
  const MatrixView<const T> matrix = scale[b];
  Extremes own;
  for (int64_t j = thread_index(); j < scale.cols; j += block_threads()) own.add(matrix(i, j));
  const Extremes row = own.over_block(partial);
  if (thread_index() != 0) return;
  if (!row.is_finite && p.status[b] == KR_STATUS_OK) p.status[b] = KR_STATUS_NON_FINITE_INPUT;
  p.smallest[block_index()] = row.smallest;
  p.most[block_index()] = row.largest;
}

// |image - product|_2 over the norm of what product was made of, by a whole block.
__device__ double lost(const Progress& p, int64_t b, Shared<double> partial) {
  double error = 0, square = 0;
  for (int64_t i = thread_index(); i < p.rows; i += block_threads()) {
    const int64_t row = b * p.rows + i;
    const double difference = double(p.image[row]) - double(p.product[row]);
    error = std::fma(difference, difference, error);
    square += p.square[row];
  }
  error = block_sum(error, partial);
  return relative(error, block_sum(square, partial));
}

__global__ void keep_residual(Progress p) {
  const double residual = lost(p, block_index(), take_partial());
  if (thread_index() == 0) p.residual[block_index()] = residual;
}

// From the extremes of the rows of a scale.
template <typename T>
__device__ Spectrum spectrum_of_rows(const Progress& p, const MatrixView<const T>& scale, Shared<double> partial) {
  const int64_t first_row = block_index() * p.rows, order = scale.rows > scale.cols ? scale.rows : scale.cols;
  Extremes own;
  for (int64_t i = thread_index(); i < p.rows; i += block_threads()) {
    own.add(double(p.smallest[first_row + i]));
    own.add(double(p.most[first_row + i]));
  }
  const Extremes all = own.over_block(partial);
  const double lowest = all.lowest<T>(order);
  if (all.smallest >= lowest) return {KR_STATUS_OK, -1, all.largest};
  int64_t row = p.rows;
  for (int64_t i = thread_index(); i < p.rows && row == p.rows; i += block_threads()) {
    if (p.smallest[first_row + i] < lowest) row = i;
  }
  row = first_of_block(row, partial);
  int64_t column = scale.cols;
  for (int64_t j = thread_index(); j < scale.cols && column == scale.cols; j += block_threads()) {
    if (static_cast<double>(scale(row, j)) < lowest) column = j;
  }
  column = first_of_block(column, partial);
  return {KR_STATUS_NOT_POSITIVE_DEFINITE, row * scale.cols + column, 0};
}

// `scale`: the matrix or the statistics, after find_extremes_of_rows; without data the values are judged.
template <typename T>
__global__ void judge_scale(Progress p, KronProblem<T> problem, BatchView<const T> scale) {
  const Shared<double> partial = take_partial();
  const int64_t b = block_index();
  if (p.status[b] != KR_STATUS_OK) return;
  const Spectrum spectrum =
      scale.data ? spectrum_of_rows(p, scale[b], partial) : spectrum_of_values(problem, b, partial);
  sync_block();  // status has been read by all
  if (thread_index() != 0) return;
  p.status[b] = spectrum.status;
  p.detail[b] = detail_of(spectrum.negative);
  p.largest[b] = spectrum.largest;
}

template <typename T>
__global__ void divide_rows(Progress p, KronProblem<T> problem, BatchView<const T> scale, BatchView<T> z) {
  const Shared<double> partial = take_partial();
  const int64_t b = matrix_of_block(p), i = row_of_block(p);
  if (p.status[b] != KR_STATUS_OK) return;
  const Divisor divisor = divisor_of(problem, p.largest[b]);
  const double of_row = scale.data ? 1 : value_of(problem.a_values, b, i);
  DivisorRange own;
  for (int64_t j = thread_index(); j < z.cols; j += block_threads()) {
    const double s = scale.data ? static_cast<double>(scale[b](i, j)) : of_row * value_of(problem.b_values, b, j);
    T& element = z[b](i, j);
    element = static_cast<T>(divisor.quotient(static_cast<double>(element), s, own));
  }
  const DivisorRange row = own.over_block(partial);
  if (thread_index() != 0) return;
  p.smallest[block_index()] = row.smallest;
  p.most[block_index()] = row.largest;
  p.kept[block_index()] = row.kept;
}

// A block a matrix.
__global__ void write_reports(Progress p, Global<kr_report> reports, int64_t cols, bool is_divided) {
  const Shared<double> partial = take_partial();
  const int64_t b = block_index();
  if (p.status[b] != KR_STATUS_OK) {
    if (thread_index() == 0) reports[b] = failed(kr_status(p.status[b]), p.detail[b]);
    return;
  }
  kr_report report = answered(KR_METHOD_DIRECT);
  report.residual = p.residual[b];
  if (is_divided) {
    const double residual = lost(p, b, partial);
    report.residual = residual > report.residual ? residual : report.residual;
    DivisorRange own;
    for (int64_t i = thread_index(); i < p.rows; i += block_threads()) {
      const int64_t row = b * p.rows + i;
      own.smallest = p.smallest[row] < own.smallest ? p.smallest[row] : own.smallest;
      own.largest = p.most[row] > own.largest ? p.most[row] : own.largest;
      own.kept += p.kept[row];
    }
    own.over_block(partial).report_to(report, p.rows * cols);
  }
  if (thread_index() == 0) reports[b] = report;
}

template <typename T>
__global__ void copy_rows(Progress p, BatchView<const T> from, BatchView<T> to) {
  const int64_t b = matrix_of_block(p), i = row_of_block(p);
  if (p.status[b] != KR_STATUS_OK) return;
  for (int64_t j = thread_index(); j < to.cols; j += block_threads()) to[b](i, j) = from[b](i, j);
}

// The launches of a call.
template <typename T>
class LargeSolve {
 public:
  LargeSolve(Op& op, const KronProblem<T>& problem)
      : op_(op), problem_(problem), batch_(problem.x.batch), m_(problem.x.rows), n_(problem.x.cols) {
    const int64_t rows = batch_ * m_;
    int32_t* const states = op.scratch<int32_t>(2 * batch_);
    double* numbers = op.scratch<double>(2 * batch_ + batch_ * n_ + 7 * rows);
    z_ = op.scratch<T>(rows * n_);
    other_ = op.scratch<T>(rows * n_);
    if (problem.statistics.data) blended_ = op.scratch<T>(rows * n_);
    if (op.failed()) return;
    const auto take = [&numbers](int64_t count) {
      const Global<double> taken(numbers);
      numbers += count;
      return taken;
    };
    progress_ = {m_,
                 Global<int32_t>(states),
                 Global<int32_t>(states + batch_),
                 take(batch_),
                 take(batch_),
                 take(batch_ * n_),
                 take(rows),
                 take(rows),
                 take(rows),
                 take(rows),
                 take(rows),
                 take(rows),
                 take(rows)};
    op.fill(states, 0, static_cast<std::size_t>(batch_) * sizeof(int32_t));
    op.fill(states + batch_, 0xff, static_cast<std::size_t>(batch_) * sizeof(int32_t));
  }

  void run() {
    screen();
    rotate_in();
    keep_image();
    launch<keep_residual>(op_, matrices(), progress_);
    if (problem_.statistics.data) blend();
    if (problem_.y.data) {
      divide();
      keep_image();
      rotate_out();
      launch<probe_rows<T>>(op_, rows_of(m_, n_), progress_, scratch_view(z_), int32_t{KR_STATUS_OVERFLOW});
    }
    if (problem_.reports) {
      launch<write_reports>(op_, matrices(), progress_, problem_.reports, n_, static_cast<bool>(problem_.y.data));
    }
    if (problem_.y.data) copy(scratch_view(z_), problem_.y);
    if (problem_.statistics.data) copy(scratch_view(blended_), problem_.statistics);
  }

 private:
  BatchView<const T> scratch_view(const T* data) const { return dense_view<const T>(data, batch_, m_, n_); }
  BatchView<T> output_view(T* data) const { return dense_view<T>(data, batch_, m_, n_); }
  // The scale of statistics that have been blended, or of the caller.
  BatchView<const T> scale() const { return blended_ != nullptr ? scratch_view(blended_) : problem_.scale; }

  LaunchShape matrices() const {
    return {.blocks = {batch_}, .threads = most_threads, .shared_bytes = partial_bytes()};
  }
  LaunchShape rows_of(int64_t rows, int64_t cols) const {
    const int threads = cols <= 64 ? 32 : cols <= 512 ? 128 : most_threads;
    return {.blocks = {batch_ * rows}, .threads = threads, .shared_bytes = partial_bytes()};
  }

  void screen() {
    launch<probe_rows<T>>(op_, rows_of(m_, n_), progress_, problem_.x, int32_t{KR_STATUS_NON_FINITE_INPUT});
    if (problem_.a.data) launch<screen_rows<T>>(op_, rows_of(m_, m_), progress_, problem_.a);
    if (problem_.b.data) launch<screen_rows<T>>(op_, rows_of(n_, n_), progress_, problem_.b);
    SharedArena arena;
    arena.take<double>(most_threads);
    launch<rotate_probe<T>>(op_,
                            {.blocks = {batch_ * ((n_ + warp_size - 1) / warp_size)},
                             .threads = most_threads,
                             .shared_bytes = arena.bytes()},
                            progress_, problem_.b, n_);
  }

  void multiply_into_other(const BatchView<const T>& a, bool transpose_a, const BatchView<const T>& b,
                           bool transpose_b) {
    Product<T> product{.a = a, .b = b, .c = output_view(other_)};
    product.transpose_a = transpose_a;
    product.transpose_b = transpose_b;
    product.skip = progress_.status.address();
    multiply(op_, product);
    std::swap(z_, other_);
  }

  // z = Q_A^T X Q_B
  void rotate_in() {
    if (problem_.a.data) multiply_into_other(problem_.a, true, problem_.x, false);
    if (problem_.b.data) {
      multiply_into_other(problem_.a.data ? scratch_view(z_) : problem_.x, false, problem_.b, false);
    } else if (!problem_.a.data) {
      copy(problem_.x, output_view(z_));
    }
  }
  // z <- Q_A z Q_B^T
  void rotate_out() {
    if (problem_.a.data) multiply_into_other(problem_.a, false, scratch_view(z_), false);
    if (problem_.b.data) multiply_into_other(scratch_view(z_), false, problem_.b, true);
  }

  // image = Q_A z Q_B^T v
  void keep_image() {
    const bool has_a = static_cast<bool>(problem_.a.data);
    launch<multiply_rows<T>>(op_, rows_of(m_, n_), progress_, scratch_view(z_), Global<const double>(progress_.probe),
                             has_a ? progress_.image_in_basis : progress_.image);
    if (!has_a) return;
    launch<multiply_rows<T>>(op_, rows_of(m_, m_), progress_, problem_.a,
                             Global<const double>(progress_.image_in_basis), progress_.image);
  }

  void blend() {
    if (problem_.reads_statistics) {
      launch<screen_rows<T>>(op_, rows_of(m_, n_), progress_, const_view(problem_.statistics));
    }
    launch<blend_rows<T>>(op_, rows_of(m_, n_), progress_, problem_, scratch_view(z_), output_view(blended_));
  }

  void divide() {
    if (scale().data) launch<find_extremes_of_rows<T>>(op_, rows_of(m_, n_), progress_, scale());
    launch<judge_scale<T>>(op_, matrices(), progress_, problem_, scale());
    launch<divide_rows<T>>(op_, rows_of(m_, n_), progress_, problem_, scale(), output_view(z_));
  }

  void copy(const BatchView<const T>& from, const BatchView<T>& to) {
    launch<copy_rows<T>>(op_, rows_of(m_, n_), progress_, from, to);
  }

  static BatchView<const T> const_view(const BatchView<T>& view) {
    return {view.data, view.batch, view.rows, view.cols, view.row_stride, view.batch_stride};
  }

  Op& op_;
  const KronProblem<T>& problem_;
  int64_t batch_, m_, n_;
  Progress progress_{};
  T *z_ = nullptr, *other_ = nullptr, *blended_ = nullptr;
};

}  // namespace

template <typename T>
void solve_large(Op& op, const KronProblem<T>& problem) {
  LargeSolve<T> solve(op, problem);
  if (!op.failed()) solve.run();
}

template void solve_large(Op&, const KronProblem<float>&);
template void solve_large(Op&, const KronProblem<double>&);

}  // namespace kronroot::cuda
