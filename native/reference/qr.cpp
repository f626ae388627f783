// A = Q R
#include <algorithm>
#include <cmath>
#include <limits>

#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "householder.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

Dense first_columns(const Dense& x, int64_t count) {
  Dense result(x.rows(), count);
  for (int64_t i = 0; i < x.rows(); ++i) std::copy_n(x.row(i), count, result.row(i));
  return result;
}

Dense first_rows(const Dense& x, int64_t count) {
  Dense result(count, x.cols());
  for (int64_t i = 0; i < count; ++i) std::copy_n(x.row(i), x.cols(), result.row(i));
  return result;
}

// |Q^T Q y - y|_2 / |y|_2
double lost_orthonormality(const Dense& q) {
  const Vector y = probe(q.cols());
  return norm(difference(multiply_transposed(q, multiply(q, y)), y)) / norm(y);
}

// |A z - Q R z|_2 / (|A|_F |z|_2), 0 for A = 0
double residual_of(const Dense& a, const Dense& q, const Dense& r) {
  const Vector z = probe(a.cols());
  const double error = norm(difference(multiply(a, z), multiply(q, multiply(r, z))));
  return error == 0 ? 0 : error / (frobenius_norm(a) * norm(z));
}

// max r_ii / min r_ii
double condition_of(const Dense& r) {
  double largest = 0, smallest = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < std::min(r.rows(), r.cols()); ++i) {
    largest = std::max(largest, r(i, i));
    smallest = std::min(smallest, r(i, i));
  }
  return largest == 0 ? not_measured : largest / smallest;
}

}  // namespace

kr_code qr(const kr_call* call, const kr_qr_options* given, const kr_batch* a, const kr_batch* q_out,
           const kr_batch* r_out, kr_report* reports) {
  if (const kr_code code = check_qr(call, given, a, q_out, r_out); code != KR_OK) return code;
  const int64_t columns = q_out != nullptr ? q_out->cols : r_out->rows;
  const auto compute = [&](int64_t index) -> Answer {
    const Dense input = load(*a, index);
    if (!is_finite(input)) return {failed(KR_STATUS_NON_FINITE_INPUT), {}};
    const int exponent = exponent_of(input);
    const Dense unit = scaled(input, -exponent);
    const HouseholderQr full = householder_qr(unit);
    Dense q = first_columns(full.q, columns), r = first_rows(full.r, columns);
    kr_report report = answered(columns == 0 ? KR_METHOD_DIRECT : KR_METHOD_HOUSEHOLDER);
    report.condition = condition_of(r);
    if (columns > 0 && q_out != nullptr) {
      const Dense returned = rounded(q, a->dtype);
      report.residual = lost_orthonormality(returned);
      if (r_out != nullptr) {
        report.residual = std::max(report.residual, residual_of(unit, returned, rounded(r, a->dtype)));
      }
    }
    Answer answer{report, {}};
    if (q_out != nullptr) answer.outputs.push_back(std::move(q));
    if (r_out != nullptr) answer.outputs.push_back(scaled(std::move(r), exponent));
    return answer;
  };
  if (q_out == nullptr) return run_batch(call, {r_out}, reports, Overflow::reported, compute);
  if (r_out == nullptr) return run_batch(call, {q_out}, reports, Overflow::reported, compute);
  return run_batch(call, {q_out, r_out}, reports, Overflow::reported, compute);
}

}  // namespace kronroot::reference
