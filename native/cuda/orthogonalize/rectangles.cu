// All kernels are for warps that do not meet: a row, 32 columns or a whole matrix each.
#include "rectangles.hpp"

#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256, warps = threads / warp_size;

struct RectangleScan {
  int32_t status;
  int32_t exponent;  // 2^(exponent - 1) <= max |a_ij| < 2^exponent
  int32_t is_zero;
  double size;  // what X is divided by
};

// Which of `count` things for each matrix this warp has; whether there is one.
__device__ bool find_item(int64_t matrices, int64_t count, int64_t* b, int64_t* item) {
  const int64_t index = block_index() * warp_count() + warp_index();
  *b = index / count;
  *item = index % count;
  return *b < matrices;
}

// max |a_ij| of every row as it is stored, infinity where one is not finite.
template <typename T>
__global__ void find_largest(WidePart<T> part, Global<double> of_rows) {
  int64_t b, i;
  const int64_t rows = part.batch.a.rows;
  if (!find_item(part.count, rows, &b, &i)) return;
  const MatrixView<const T> a = part.batch.a[part.first + b];
  double largest = 0;
  bool is_bad = false;
  for (int64_t j = lane_index(); j < a.cols; j += warp_size) {
    const double each = std::abs(static_cast<double>(a(i, j)));
    if (!(each - each == 0)) is_bad = true;
    if (each > largest) largest = each;
  }
  largest = warp_max(largest);
  is_bad = any_of_warp(is_bad);
  if (lane_index() == 0) of_rows[b * rows + i] = is_bad ? HUGE_VAL : largest;
}

template <typename T>
__global__ void judge_rectangles(WidePart<T> part, Global<const double> of_rows, Global<RectangleScan> scans) {
  int64_t b, item;
  if (!find_item(part.count, 1, &b, &item)) return;
  const int64_t rows = part.batch.a.rows;
  double largest = 0;
  for (int64_t i = lane_index(); i < rows; i += warp_size) largest = std::max(largest, double{of_rows[b * rows + i]});
  largest = warp_max(largest);
  if (lane_index() != 0) return;
  RectangleScan scan{KR_STATUS_OK, 0, largest == 0 ? 1 : 0, 1};
  if (!(largest - largest == 0)) {
    scan.status = KR_STATUS_NON_FINITE_INPUT;
  } else if (largest > 0) {
    frexp(largest, &scan.exponent);
  }
  scans[b] = scan;
  part.is_settled[b] = scan.status != KR_STATUS_OK || scan.is_zero != 0 ? 1 : 0;
  kr_report report = failed(static_cast<kr_status>(scan.status));
  if (scan.is_zero != 0) {
    report = rank_deficient(answered(KR_METHOD_DIRECT), 0);
    report.residual = 0;
  }
  if (part.is_settled[b] != 0) part.batch.reports[part.first + b] = report;
}

// |a_i|^2 of every row, times 4^-exponent.
template <typename T>
__global__ void add_row_squares(WidePart<T> part, Global<const RectangleScan> scans, Global<double> of_rows) {
  int64_t b, i;
  const int64_t rows = part.batch.a.rows;
  if (!find_item(part.count, rows, &b, &i) || part.is_settled[b] != 0) return;
  const MatrixView<const T> a = part.batch.a[part.first + b];
  const int exponent = scans[b].exponent;
  double squares = 0;
  for (int64_t j = lane_index(); j < a.cols; j += warp_size) {
    const double each = ldexp(static_cast<double>(a(i, j)), -exponent);
    squares += each * each;
  }
  squares = warp_sum(squares);
  if (lane_index() == 0) of_rows[b * rows + i] = squares;
}

template <typename T>
__global__ void find_sizes(WidePart<T> part, Global<const double> of_rows, Global<RectangleScan> scans) {
  int64_t b, item;
  if (!find_item(part.count, 1, &b, &item) || part.is_settled[b] != 0) return;
  const int64_t rows = part.batch.a.rows;
  double squares = 0;
  for (int64_t i = lane_index(); i < rows; i += warp_size) squares += of_rows[b * rows + i];
  squares = warp_sum(squares);
  if (lane_index() == 0 && !part.request.scales_rows) scans[b].size = part.request.safety * sqrt(squares);
}

// One thread an element of A, in the order of its memory.
template <typename T>
__global__ void scale_rectangles(WidePart<T> part, Global<const RectangleScan> scans) {
  const int64_t rows = part.batch.a.rows, cols = part.batch.a.cols;
  const int64_t e = block_index() * block_threads() + thread_index(), b = e / (rows * cols);
  if (b >= part.count) return;
  const int64_t i = e / cols % rows, j = e % cols, at = part.first + b;
  const RectangleScan scan = scans[b];
  if (scan.status != KR_STATUS_OK) return;
  if (scan.is_zero != 0) {
    part.batch.x[at](i, j) = 0;
    return;
  }
  const T x = static_cast<T>(ldexp(static_cast<double>(part.batch.a[at](i, j)), -scan.exponent) / scan.size);
  part.batch.is_tall() ? part.x[b](j, i) = x : part.x[b](i, j) = x;
}

// of_columns = X^T of_rows, of_rows the probe in the first pass.
template <typename T>
__global__ void multiply_columns(WidePart<T> part, Global<const double> of_rows, Global<double> of_columns,
                                 bool is_first) {
  int64_t b, group;
  const int64_t m = part.x.rows, n = part.x.cols;
  if (!find_item(part.count, (n + warp_size - 1) / warp_size, &b, &group) || part.is_settled[b] != 0) return;
  const int64_t j = group * warp_size + lane_index();
  if (j >= n) return;
  const MatrixView<T> x = part.x[b];
  double sum = 0;
  for (int64_t i = 0; i < m; ++i) {
    const double each = is_first ? random_sign(probe_stream, static_cast<uint64_t>(i)) : double{of_rows[b * m + i]};
    sum += static_cast<double>(x(i, j)) * each;
  }
  of_columns[b * n + j] = sum;
}

// of_rows = X of_columns
template <typename T>
__global__ void multiply_rows(WidePart<T> part, Global<const double> of_columns, Global<double> of_rows) {
  int64_t b, i;
  const int64_t m = part.x.rows, n = part.x.cols;
  if (!find_item(part.count, m, &b, &i) || part.is_settled[b] != 0) return;
  const MatrixView<T> x = part.x[b];
  double sum = 0;
  for (int64_t j = lane_index(); j < n; j += warp_size) sum += static_cast<double>(x(i, j)) * of_columns[b * n + j];
  sum = warp_sum(sum);
  if (lane_index() == 0) of_rows[b * m + i] = sum;
}

// u = G z, v = G u. Every element has a part in u, so that its not being finite shows there.
template <typename T>
__global__ void judge_answers(WidePart<T> part, Global<const double> u, Global<const double> v) {
  int64_t b, item;
  if (!find_item(part.count, 1, &b, &item) || part.is_settled[b] != 0) return;
  const int64_t m = part.x.rows;
  double squares = 0;
  for (int64_t i = b * m + lane_index(); i < (b + 1) * m; i += warp_size) squares += (v[i] - u[i]) * (v[i] - u[i]);
  squares = warp_sum(squares);
  if (lane_index() != 0) return;
  kr_report report = answered(static_cast<kr_method>(part.request.method));
  report.iterations = part.request.steps;
  report.residual = sqrt(squares / static_cast<double>(m));
  const bool is_finite = report.residual - report.residual == 0;
  if (!is_finite) report = failed(KR_STATUS_OVERFLOW);
  part.batch.reports[part.first + b] = report;
  part.is_settled[b] = is_finite ? 0 : 1;
}

template <typename T>
__global__ void write_answers_of(WidePart<T> part) {
  const int64_t rows = part.batch.x.rows, cols = part.batch.x.cols;
  const int64_t e = block_index() * block_threads() + thread_index(), b = e / (rows * cols);
  if (b >= part.count || part.is_settled[b] != 0) return;
  const int64_t i = e / cols % rows, j = e % cols;
  part.batch.x[part.first + b](i, j) = part.batch.is_tall() ? part.x[b](j, i) : part.x[b](i, j);
}

LaunchShape warp_for_each(int64_t items) { return {.blocks = {(items + warps - 1) / warps}, .threads = threads}; }
LaunchShape thread_for_each(int64_t items) { return {.blocks = {(items + threads - 1) / threads}, .threads = threads}; }
template <typename X>
Global<const X> as_input(const Global<X>& array) {
  return Global<const X>(array.address());
}

}  // namespace

template <typename T>
void read_rectangles(Op& op, const WidePart<T>& part) {
  const int64_t rows = part.batch.a.rows, cols = part.batch.a.cols;
  const Global<double> of_rows = part.vectors;  // rows <= m + n of them for each matrix
  const Global<RectangleScan> scans(op.scratch<RectangleScan>(part.count));
  launch<find_largest<T>>(op, warp_for_each(part.count * rows), part, of_rows);
  launch<judge_rectangles<T>>(op, warp_for_each(part.count), part, as_input(of_rows), scans);
  launch<add_row_squares<T>>(op, warp_for_each(part.count * rows), part, as_input(scans), of_rows);
  launch<find_sizes<T>>(op, warp_for_each(part.count), part, as_input(of_rows), scans);
  launch<scale_rectangles<T>>(op, thread_for_each(part.count * rows * cols), part, as_input(scans));
}

template <typename T>
void publish_rectangles(Op& op, const WidePart<T>& part) {
  const int64_t m = part.x.rows, n = part.x.cols;
  const Global<double> u = part.vectors, v = u + part.count * m, of_columns = v + part.count * m;
  const LaunchShape columns = warp_for_each(part.count * ((n + warp_size - 1) / warp_size));
  const LaunchShape each_row = warp_for_each(part.count * m);
  launch<multiply_columns<T>>(op, columns, part, as_input(u), of_columns, true);
  launch<multiply_rows<T>>(op, each_row, part, as_input(of_columns), u);
  launch<multiply_columns<T>>(op, columns, part, as_input(u), of_columns, false);
  launch<multiply_rows<T>>(op, each_row, part, as_input(of_columns), v);
  launch<judge_answers<T>>(op, warp_for_each(part.count), part, as_input(u), as_input(v));
  launch<write_answers_of<T>>(op, thread_for_each(part.count * m * n), part);
}

template void read_rectangles(Op&, const WidePart<float>&);
template void read_rectangles(Op&, const WidePart<double>&);
template void publish_rectangles(Op&, const WidePart<float>&);
template void publish_rectangles(Op&, const WidePart<double>&);

}  // namespace kronroot::cuda
