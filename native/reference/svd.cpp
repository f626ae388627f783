// A = U diag(s) V^T
#include <algorithm>
#include <cmath>

#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "householder.hpp"
#include "jacobi.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

// B = V diag(s) U^T for the wide one of A and A^T.
struct Decomposition {
  bool converged = false;
  int sweeps = 0;
  Dense values;  // s, descending
  Dense left;    // V, m x m
  Dense right;   // U, n x m
};

// J B = W with orthogonal J and orthogonal rows w_i of W; sorted by |w_i|, W^T = U diag(s) by QR, which completes the
// columns of U that zero rows leave open.
Decomposition decompose(const Dense& b) {
  const OrthogonalRows found = orthogonalize_rows(b);
  Decomposition result{found.converged, found.sweeps, Dense(b.rows(), 1), {}, {}};
  std::vector<std::pair<double, int64_t>> order;
  for (int64_t i = 0; i < b.rows(); ++i) {
    order.emplace_back(-norm(Vector(found.rows.row(i), found.rows.row(i) + b.cols())), i);
  }
  std::sort(order.begin(), order.end());
  Dense columns(b.cols(), b.rows());
  result.left = Dense(b.rows(), b.rows());
  for (int64_t k = 0; k < b.rows(); ++k) {
    const int64_t from = order[static_cast<size_t>(k)].second;
    for (int64_t i = 0; i < b.cols(); ++i) columns(i, k) = found.rows(from, i);
    for (int64_t i = 0; i < b.rows(); ++i) result.left(i, k) = found.rotation(from, i);
  }
  const HouseholderQr qr = householder_qr(columns);
  result.right = Dense(b.cols(), b.rows());
  for (int64_t i = 0; i < b.cols(); ++i) std::copy_n(qr.q.row(i), b.rows(), result.right.row(i));
  for (int64_t k = 0; k < b.rows(); ++k) result.values(k, 0) = qr.r(k, k);
  // The diagonal of R differs from the norms by rounding, which may disturb the order of equals.
  std::sort(result.values.elements().begin(), result.values.elements().end(), std::greater<>());
  return result;
}

// Makes the component of largest magnitude of every column of x, the first of equals, positive; y follows.
void fix_signs(Dense& x, Dense& y) {
  for (int64_t j = 0; j < x.cols(); ++j) {
    double peak = 0;
    for (int64_t i = 0; i < x.rows(); ++i) {
      if (std::abs(x(i, j)) > std::abs(peak)) peak = x(i, j);
    }
    if (peak >= 0) continue;
    for (int64_t i = 0; i < x.rows(); ++i) x(i, j) = -x(i, j);
    for (int64_t i = 0; i < y.rows(); ++i) y(i, j) = -y(i, j);
  }
}

double lost_orthonormality(const Dense& q) {
  const Vector y = probe(q.cols());
  return norm(difference(multiply_transposed(q, multiply(q, y)), y)) / norm(y);
}

// |B^T z - U diag(s) V^T z|_2 / (|B|_F |z|_2), 0 for B = 0
double residual_of(const Dense& b, const Dense& values, const Dense& left, const Dense& right) {
  const Vector z = probe(b.rows());
  Vector coordinates = multiply_transposed(left, z);
  for (size_t k = 0; k < coordinates.size(); ++k) coordinates[k] *= values(static_cast<int64_t>(k), 0);
  const double error = norm(difference(multiply_transposed(b, z), multiply(right, coordinates)));
  return error == 0 ? 0 : error / (frobenius_norm(b) * norm(z));
}

}  // namespace

kr_code svd(const kr_call* call, const kr_svd_options* given, const kr_batch* a, const kr_batch* s, const kr_batch* u,
            const kr_batch* v, kr_report* reports) {
  if (const kr_code code = check_svd(call, given, a, s, u, v); code != KR_OK) return code;
  const auto compute = [&](int64_t index) -> Answer {
    const Dense input = load(*a, index);
    if (!is_finite(input)) return {failed(KR_STATUS_NON_FINITE_INPUT), {}};
    const int exponent = exponent_of(input);
    const bool is_tall = input.rows() > input.cols();
    const Dense b = scaled(is_tall ? transpose(input) : input, -exponent);
    if (b.rows() == 0) {
      Answer empty{answered(KR_METHOD_DIRECT), {Dense(0, 1)}};
      if (u != nullptr) empty.outputs.insert(empty.outputs.end(), {Dense(u->rows, 0), Dense(v->rows, 0)});
      return empty;
    }
    Decomposition found = decompose(b);
    if (!found.converged) return {failed(KR_STATUS_NOT_CONVERGED), {}};
    kr_report report = answered(KR_METHOD_JACOBI);
    report.iterations = found.sweeps;
    const double largest = found.values(0, 0), smallest = found.values(b.rows() - 1, 0);
    report.condition = largest == 0 ? not_measured : largest / smallest;
    Answer answer{report, {scaled(found.values, exponent)}};
    if (u == nullptr) return answer;
    found.left = rounded(std::move(found.left), a->dtype);
    found.right = rounded(std::move(found.right), a->dtype);
    fix_signs(found.left, found.right);
    answer.report.residual = std::max({residual_of(b, rounded(found.values, a->dtype), found.left, found.right),
                                       lost_orthonormality(found.left), lost_orthonormality(found.right)});
    answer.outputs.push_back(is_tall ? found.right : found.left);
    answer.outputs.push_back(is_tall ? found.left : found.right);
    return answer;
  };
  if (u == nullptr) return run_batch(call, {s}, reports, Overflow::reported, compute);
  return run_batch(call, {s, u, v}, reports, Overflow::reported, compute);
}

}  // namespace kronroot::reference
