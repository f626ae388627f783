// op(T) X = alpha B, or X op(T) = alpha B
#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <vector>

#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "../core/planner.hpp"
#include "../core/random.hpp"
#include "../core/report.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "scratch.hpp"
#include "triangular.hpp"
#include "triangular/lanes.hpp"
#include "triangular/substitution.hpp"

namespace kronroot::cpu {
namespace {

// Right-hand sides that one thread takes at a time where a matrix has the threads to itself.
constexpr int64_t kColumnsOfPart = 256;

// A system E X = B with E triangular; every one of the eight is written like that, X op(T) = B as op(T)^T X^T = B^T.
struct System {
  bool unit;
  bool upper_given;  // T is upper triangular
  bool transposed;   // E = T^T
  bool right;
  double alpha;

  explicit System(const kr_triangular_solve_options& options)
      : unit(options.unit_diagonal != 0),
        upper_given(options.upper != 0),
        transposed((options.transpose != 0) != (options.side == KR_SIDE_RIGHT)),
        right(options.side == KR_SIDE_RIGHT),
        alpha(options.alpha == 0 ? 1 : options.alpha) {}
  // E is lower triangular: E = U^T with the U of triangular.hpp, else E = U.
  bool is_forward() const { return upper_given == transposed; }
};

// Row i of the triangle that counts, diagonal included unless it is one by decree.
template <typename T>
struct TriangleRow {
  const T* data;
  int64_t first, count;  // columns
};

template <typename T>
TriangleRow<T> row_of(const System& system, const Matrix<T>& t, int64_t i) {
  const int64_t own = system.unit ? 0 : 1;
  if (system.upper_given) {
    const int64_t first = i + 1 - own;
    return {&t(i, 0) + first, first, t.cols - first};
  }
  return {&t(i, 0), 0, i + own};
}

// |sum_j +- (E x_j - b_j) / (|T|_F |x_j| + |b_j|)|_2; x and b hold n x k without gaps, b times alpha.
template <typename T>
double residual_of(const Kernels<T>& kernels, const System& system, const Matrix<T>& t, int64_t k, const T* x,
                   const T* b) {
  const int64_t n = t.rows;
  Scratch scratch;
  double* of_x = scratch.take<double>(k);
  double* of_b = scratch.take<double>(k);
  double* solution = scratch.take<double>(n);
  double* image = scratch.take<double>(n);
  double of_t = system.unit ? static_cast<double>(n) : 0;
  for (int64_t i = 0; i < n; ++i) {
    const TriangleRow<T> row = row_of(system, t, i);
    of_t += kernels.dot(row.count, row.data, row.data);
  }
  std::fill_n(of_x, k, 0.0);
  std::fill_n(of_b, k, 0.0);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < k; ++j) {
      const double one = x[i * k + j], other = b[i * k + j];
      of_x[j] += one * one;
      of_b[j] += other * other;
    }
  }
  double* weights = of_x;
  for (int64_t j = 0; j < k; ++j) {
    const double size = std::sqrt(of_t) * std::sqrt(of_x[j]) + std::sqrt(of_b[j]);
    weights[j] = size > 0 ? random_sign(probe_stream, static_cast<uint64_t>(j)) / size : 0;
  }
  kernels.dot_rows_wide(n, k, x, k, weights, solution);
  for (int64_t i = 0; i < n; ++i) image[i] = system.unit ? solution[i] : 0;
  for (int64_t i = 0; i < n; ++i) {
    const TriangleRow<T> row = row_of(system, t, i);
    if (system.transposed) {
      kernels.axpy_wide(row.count, solution[i], row.data, image + row.first);
    } else {
      image[i] += kernels.dot_wide(row.count, row.data, solution + row.first);
    }
  }
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double difference = image[i] - kernels.dot_wide(k, b + i * k, weights);
    squares += difference * difference;
  }
  return std::sqrt(squares);
}

// Non-finite elements and zeros on the diagonal; else OK with the condition.
template <typename T>
kr_report inspect(const Kernels<T>& kernels, const System& system, const Matrix<T>& t, const Matrix<T>& b) {
  for (int64_t i = 0; i < t.rows; ++i) {
    const TriangleRow<T> row = row_of(system, t, i);
    if (!std::isfinite(kernels.largest_magnitude(row.count, row.data))) return failed(KR_STATUS_NON_FINITE_INPUT);
  }
  for (int64_t i = 0; i < b.rows; ++i) {
    if (!std::isfinite(kernels.largest_magnitude(b.cols, &b(i, 0)))) return failed(KR_STATUS_NON_FINITE_INPUT);
  }
  kr_report report = answered(KR_METHOD_DIRECT);
  report.condition = 1;
  if (system.unit) return report;
  double most = 0, least = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < t.rows; ++i) {
    const double size = std::abs(static_cast<double>(t(i, i)));
    if (size == 0) return failed(KR_STATUS_SINGULAR, static_cast<int32_t>(i));
    most = std::max(most, size);
    least = std::min(least, size);
  }
  report.condition = most / least;
  return report;
}

// One right-hand side where everything is in order; else false, and x is as it was.
template <typename T>
bool solve_vector(const Kernels<T>& kernels, const System& system, const Matrix<T>& t, const Matrix<T>& b,
                  const Matrix<T>& out, kr_report* report) {
  const int64_t n = t.rows;
  Scratch scratch;
  T* right = scratch.take<T>(n);
  T* x = scratch.take<T>(n);
  const int64_t from = system.right ? 1 : b.stride, to = system.right ? 1 : out.stride;
  const T alpha = static_cast<T>(system.alpha);
  for (int64_t i = 0; i < n; ++i) right[i] = alpha * b.data[i * from];
  Substitution<T> op{n, t.data, t.stride, system.upper_given, system.transposed, system.unit, right, x, 1, 0};
  if (!kernels.substitute(op, scratch.take<double>(3 * n))) return false;
  for (int64_t i = 0; i < n; ++i) out.data[i * to] = x[i];
  *report = answered(KR_METHOD_DIRECT);
  report->residual = op.residual;
  report->condition = op.condition;
  return true;
}

// One matrix, on `threads` threads: right-hand sides are independent, and how they are divided does not depend on the
// number of threads.
template <typename T>
kr_report solve(const Kernels<T>& kernels, const System& system, int threads, const Matrix<T>& t, const Matrix<T>& b,
                const Matrix<T>& out) {
  const int64_t n = t.rows, k = system.right ? b.rows : b.cols;
  if (n == 0 || k == 0) return answered(KR_METHOD_DIRECT);
  kr_report report;
  if (k == 1 && solve_vector(kernels, system, t, b, out, &report)) return report;
  report = inspect(kernels, system, t, b);
  if (is_failure(report)) return report;
  Scratch scratch;
  const T* u = t.data;
  int64_t stride = t.stride;
  if (!system.upper_given) {
    T* copy = scratch.take<T>(n * n);
    kernels.transpose(n, n, t.data, t.stride, copy, n);
    u = copy;
    stride = n;
  }
  T* right = scratch.take<T>(n * k);
  T* x = scratch.take<T>(n * k);
  if (system.right) {
    kernels.transpose(k, n, b.data, b.stride, right, k);
  } else {
    for (int64_t i = 0; i < n; ++i) std::copy_n(&b(i, 0), k, right + i * k);
  }
  const T alpha = static_cast<T>(system.alpha);
  if (alpha != 1) std::transform(right, right + n * k, right, [alpha](T each) { return alpha * each; });
  std::copy_n(right, n * k, x);
  auto solve_part = [&](int64_t part) {
    const int64_t first = part * kColumnsOfPart, count = std::min(kColumnsOfPart, k - first);
    const Diagonal diagonal = system.unit ? Diagonal::unit : Diagonal::given;
    if (system.is_forward()) {
      solve_forward(kernels, n, u, stride, count, x + first, k, diagonal);
    } else {
      solve_backward(kernels, n, u, stride, count, x + first, k, diagonal);
    }
  };
  const int64_t parts = (k + kColumnsOfPart - 1) / kColumnsOfPart;
  if (parallel_for(parts, threads, nullptr, solve_part) == Loop::out_of_memory) throw std::bad_alloc();
  if (!std::isfinite(kernels.largest_magnitude(n * k, x))) return failed(KR_STATUS_OVERFLOW);
  report.residual = residual_of(kernels, system, t, k, x, right);
  if (system.right) {
    kernels.transpose(n, k, x, k, out.data, out.stride);
  } else {
    for (int64_t i = 0; i < n; ++i) std::copy_n(x + i * k, k, &out(i, 0));
  }
  return report;
}

// A group, one matrix to a lane.
template <typename T>
void solve_group(const Kernels<T>& kernels, const kr_triangular_solve_options& options, const double* signs,
                 const kr_batch& t, const kr_batch& b, const kr_batch& x, int64_t first, int count,
                 kr_report* reports) {
  TriangularLanes<T> op{};
  op.options = options;
  op.alpha = System(options).alpha;
  op.t = lane_group<const T>(t, first, count);
  op.b = lane_group<const T>(b, first, count);
  op.x = lane_group<T>(x, first, count);
  op.signs = signs;
  const int64_t columns = options.side == KR_SIDE_RIGHT ? b.rows : b.cols;
  Scratch scratch;
  kernels.triangular_solve_lanes(op, scratch.take<T>(kernels.triangular_solve_lanes_workspace(t.rows, columns)));
  for (int lane = 0; lane < count; ++lane) {
    if (op.status[lane] != KR_STATUS_OK) {
      reports[lane] = failed(op.status[lane], op.status[lane] == KR_STATUS_SINGULAR ? op.zero[lane] : -1);
      continue;
    }
    reports[lane] = answered(KR_METHOD_DIRECT);
    reports[lane].residual = op.residual[lane];
    reports[lane].condition = options.unit_diagonal != 0 ? 1 : op.condition[lane];
  }
}

template <typename T>
kr_code run(const kr_call* call, const kr_triangular_solve_options& options, const kr_batch& t, const kr_batch& b,
            const kr_batch& x, kr_report* reports) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const System system(options);
  const int64_t n = t.rows, k = system.right ? b.rows : b.cols;
  const double flops = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(k);
  if (n > 0 && k > 0 && plan_lanes(*call->device->crossovers, LaneOp::triangular_solve, t.dtype, n, t.batch)) {
    std::vector<double> signs(static_cast<size_t>(k));
    for (size_t j = 0; j < signs.size(); ++j) signs[j] = random_sign(probe_stream, j);
    return report_groups(call, t.batch, kernels.lanes, flops, reports,
                         [&](int64_t first, int count, kr_report* of_group) {
                           solve_group(kernels, options, signs.data(), t, b, x, first, count, of_group);
                         });
  }
  const int threads = static_cast<int>(std::max<int64_t>(1, call->device->threads / std::max<int64_t>(1, t.batch)));
  return report_each(call, t.batch, flops, reports, [&](int64_t index) {
    return solve(kernels, system, threads, matrix_of<T>(t, index), matrix_of<T>(b, index), matrix_of<T>(x, index));
  });
}

}  // namespace

kr_code triangular_solve(const kr_call* call, const kr_triangular_solve_options* given, const kr_batch* t,
                         const kr_batch* b, const kr_batch* x, kr_report* reports) {
  if (const kr_code code = check_triangular_solve(call, given, t, b, x)) return code;
  const kr_triangular_solve_options options = given == nullptr ? kr_triangular_solve_options{} : *given;
  return t->dtype == KR_F32 ? run<float>(call, options, *t, *b, *x, reports)
                            : run<double>(call, options, *t, *b, *x, reports);
}

}  // namespace kronroot::cpu
