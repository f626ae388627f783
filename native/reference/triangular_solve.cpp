// op(T) X = alpha B, or X op(T) = alpha B, by substitution. (Golub and Van Loan, Matrix Computations, 3.1)
#include <algorithm>
#include <cmath>
#include <limits>

#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

// op(T), its other triangle zero; transposed where T stands on the right.
Dense left_matrix(const kr_triangular_solve_options& options, const Dense& t) {
  Dense result(t.rows(), t.cols());
  for (int64_t i = 0; i < t.rows(); ++i) {
    for (int64_t j = 0; j < t.cols(); ++j) {
      if (i == j) {
        result(i, j) = options.unit_diagonal != 0 ? 1 : t(i, j);
      } else if ((j > i) == (options.upper != 0)) {
        result(i, j) = t(i, j);
      }
    }
  }
  return (options.transpose != 0) != (options.side == KR_SIDE_RIGHT) ? transpose(result) : result;
}

// X of E X = B, E triangular: from the top where nothing stands above the diagonal, else from the bottom.
Dense substitute(const Dense& e, bool is_lower, Dense x) {
  const int64_t n = e.rows();
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = is_lower ? step : n - 1 - step;
    for (int64_t j = 0; j < x.cols(); ++j) {
      double sum = x(i, j);
      for (int64_t k = is_lower ? 0 : i + 1; k < (is_lower ? i : n); ++k) sum -= e(i, k) * x(k, j);
      x(i, j) = sum / e(i, i);
    }
  }
  return x;
}

Vector column(const Dense& x, int64_t j) {
  Vector result(static_cast<size_t>(x.rows()));
  for (int64_t i = 0; i < x.rows(); ++i) result[static_cast<size_t>(i)] = x(i, j);
  return result;
}

// |sum_j +- (E x_j - b_j) / (|E|_F |x_j| + |b_j|)|_2
double residual_of(const Dense& e, const Dense& x, const Dense& b) {
  const Vector signs = probe(x.cols());
  Vector sum(static_cast<size_t>(x.rows()));
  for (int64_t j = 0; j < x.cols(); ++j) {
    const Vector solution = column(x, j), right = column(b, j);
    const Vector error = difference(multiply(e, solution), right);
    const double size = frobenius_norm(e) * norm(solution) + norm(right);
    for (size_t i = 0; i < sum.size() && size > 0; ++i) sum[i] += signs[static_cast<size_t>(j)] * error[i] / size;
  }
  return norm(sum);
}

Answer solve(const kr_triangular_solve_options& options, const Dense& t, const Dense& b_given, int32_t dtype) {
  const bool right = options.side == KR_SIDE_RIGHT;
  const Dense e = left_matrix(options, t);
  Dense b = right ? transpose(b_given) : b_given;
  if (b.empty()) return {answered(KR_METHOD_DIRECT), {b_given}};
  if (!is_finite(e) || !is_finite(b)) return {failed(KR_STATUS_NON_FINITE_INPUT), {}};
  for (double& each : b.elements()) each *= options.alpha == 0 ? 1 : options.alpha;
  double most = 0, least = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < e.rows(); ++i) {
    if (e(i, i) == 0) return {failed(KR_STATUS_SINGULAR, static_cast<int32_t>(i)), {}};
    most = std::max(most, std::abs(e(i, i)));
    least = std::min(least, std::abs(e(i, i)));
  }
  const bool is_lower = (options.upper != 0) == ((options.transpose != 0) != right);
  const Dense x = rounded(substitute(e, is_lower, b), dtype);
  if (!is_finite(x)) return {failed(KR_STATUS_OVERFLOW), {}};
  kr_report report = answered(KR_METHOD_DIRECT);
  report.condition = most / least;
  report.residual = residual_of(e, x, b);
  return {report, {right ? transpose(x) : x}};
}

}  // namespace

kr_code triangular_solve(const kr_call* call, const kr_triangular_solve_options* given, const kr_batch* t,
                         const kr_batch* b, const kr_batch* x, kr_report* reports) {
  if (const kr_code code = check_triangular_solve(call, given, t, b, x); code != KR_OK) return code;
  const kr_triangular_solve_options options = given != nullptr ? *given : kr_triangular_solve_options{};
  return run_batch(call, {x}, reports, Overflow::reported,
                   [&](int64_t index) { return solve(options, load(*t, index), load(*b, index), t->dtype); });
}

}  // namespace kronroot::reference
