// A norm of every matrix. The oracle knows sigma_max itself, which is both an upper and a lower bound.
#include <algorithm>
#include <cmath>

#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "jacobi.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

double largest_singular_value(const Dense& a) {
  const OrthogonalRows found = orthogonalize_rows(a.rows() > a.cols() ? transpose(a) : a);
  double largest = 0;
  for (int64_t i = 0; i < found.rows.rows(); ++i) {
    largest = std::max(largest, norm(Vector(found.rows.row(i), found.rows.row(i) + found.rows.cols())));
  }
  return largest;
}

double largest_row_sum(const Dense& a) {
  double largest = 0;
  for (int64_t i = 0; i < a.rows(); ++i) {
    double sum = 0;
    for (int64_t j = 0; j < a.cols(); ++j) sum += std::abs(a(i, j));
    largest = std::max(largest, sum);
  }
  return largest;
}

double norm_of(int32_t kind, const Dense& a) {
  switch (kind) {
    case KR_NORM_FROBENIUS:
      return frobenius_norm(a);
    case KR_NORM_ONE:
      return largest_row_sum(transpose(a));
    case KR_NORM_INFINITY:
      return largest_row_sum(a);
    case KR_NORM_MAX:
      return max_abs(a);
    default:
      return largest_singular_value(a);
  }
}

}  // namespace

kr_code norm_estimate(const kr_call* call, const kr_norm_estimate_options* given, const kr_batch* a,
                      const kr_batch* values, kr_report* reports) {
  if (const kr_code code = check_norm_estimate(call, given, a, values); code != KR_OK) return code;
  const int32_t kind = given != nullptr ? given->kind : KR_NORM_SPECTRAL;
  return run_batch(call, {values}, reports, Overflow::reported, [&](int64_t index) -> Answer {
    const Dense input = load(*a, index);
    if (!is_finite(input)) return {failed(KR_STATUS_NON_FINITE_INPUT), {}};
    Dense value(1, 1);
    const int exponent = exponent_of(input);
    if (!input.empty()) value(0, 0) = std::ldexp(norm_of(kind, scaled(input, -exponent)), exponent);
    return {answered(KR_METHOD_DIRECT), {std::move(value)}};
  });
}

}  // namespace kronroot::reference
