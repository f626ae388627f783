// (A + epsilon I) X = B
#include <algorithm>

#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "factorization.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

Vector column_of(const Dense& x, int64_t j) {
  Vector column(static_cast<size_t>(x.rows()));
  for (int64_t i = 0; i < x.rows(); ++i) column[static_cast<size_t>(i)] = x(i, j);
  return column;
}

// max over columns of |A x - b|_2 / (|A|_F |x|_2 + |b|_2); 0 for b = 0
double residual_of(const Dense& a, const Dense& x, const Dense& b) {
  const double size = frobenius_norm(a);
  double largest = 0;
  for (int64_t j = 0; j < x.cols(); ++j) {
    const Vector solution = column_of(x, j), right = column_of(b, j);
    const double error = norm(difference(multiply(a, solution), right));
    if (error > 0) largest = std::max(largest, error / (size * norm(solution) + norm(right)));
  }
  return largest;
}

}  // namespace

kr_code spd_solve(const kr_call* call, const kr_spd_solve_options* given, const kr_batch* a, const kr_batch* b,
                  const kr_batch* x, kr_report* reports) {
  if (const kr_code code = check_spd_solve(call, given, a, b, x); code != KR_OK) return code;
  const kr_spd_solve_options options = given != nullptr ? *given : kr_spd_solve_options{};
  return run_batch(call, {x}, reports, Overflow::reported, [&](int64_t index) -> Answer {
    const Dense right = load(*b, index);
    if (!is_finite(right)) return {failed(KR_STATUS_NON_FINITE_INPUT), {}};
    const Factorization f = factorize(load(*a, index), options, a->dtype);
    if (f.status != KR_STATUS_OK) return {failed(f.status, f.failing_pivot), {}};
    if (f.lower.empty()) return {answered(KR_METHOD_DIRECT), {right}};
    Dense solution(right.rows(), right.cols());
    for (int64_t j = 0; j < right.cols(); ++j) {
      const Vector column = solve_lower_transposed(f.lower, solve_lower(f.lower, column_of(right, j)));
      for (int64_t i = 0; i < right.rows(); ++i) solution(i, j) = column[static_cast<size_t>(i)];
    }
    kr_report report = answered(KR_METHOD_CHOLESKY);
    report.residual = residual_of(f.ridged, rounded(solution, a->dtype), right);
    report.condition = f.condition;
    return {report, {std::move(solution)}};
  });
}

}  // namespace kronroot::reference
