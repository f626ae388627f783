// Y = Q_A (Z / ((factor s + damping)^power + epsilon)) Q_B^T, Z = Q_A^T X Q_B, S <- beta S + weight Z^2
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "../core/check.hpp"
#include "../core/report.hpp"
#include "../core/ridge.hpp"
#include "batch.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

struct Bases {
  std::optional<Dense> a, b;  // without a value the identity
};

std::optional<Dense> loaded(const kr_batch* batch, int64_t index) {
  return batch == nullptr ? std::nullopt : std::optional<Dense>(load(*batch, index));
}

Dense into_basis(const Bases& bases, Dense x) {
  if (bases.a) x = multiply(transpose(*bases.a), x);
  if (bases.b) x = multiply(x, *bases.b);
  return x;
}

Dense out_of_basis(const Bases& bases, Dense z) {
  if (bases.a) z = multiply(*bases.a, z);
  if (bases.b) z = multiply(z, transpose(*bases.b));
  return z;
}

// Rounding below zero counts as zero. Returns the first index of what is negative beyond that, or -1.
int64_t clamp_negative(Dense& s, int32_t dtype) {
  const int64_t n = std::max(s.rows(), s.cols());
  const double tolerance = 8 * static_cast<double>(n) * ulp_of_dtype(dtype) * max_abs(s);
  for (size_t i = 0; i < s.elements().size(); ++i) {
    double& x = s.elements()[i];
    if (x < -tolerance) return static_cast<int64_t>(i);
    x = std::max(x, 0.0);
  }
  return -1;
}

int32_t detail_of(int64_t index) {
  return index > std::numeric_limits<int32_t>::max() ? -1 : static_cast<int32_t>(index);
}

// |out of basis(z) v - x v| / |x|_F for the probe v; 0 for x = 0.
double lost(const Bases& bases, const Dense& z, const Dense& x) {
  const Vector v = probe(x.cols());
  const double error = norm(difference(multiply(out_of_basis(bases, z), v), multiply(x, v)));
  return error == 0 ? 0 : error / frobenius_norm(x);
}

class Problem {
 public:
  Problem(const kr_kron_solve_options& options, const kr_kron_bases& bases, int64_t index, int32_t dtype)
      : options_(options),
        bases_{loaded(bases.a_vectors, index), loaded(bases.b_vectors, index)},
        a_(loaded(bases.a_values, index)),
        b_(loaded(bases.b_values, index)),
        dtype_(dtype) {}

  bool bases_are_finite() const { return (!bases_.a || is_finite(*bases_.a)) && (!bases_.b || is_finite(*bases_.b)); }
  bool values_are_finite() const { return (!a_ || is_finite(*a_)) && (!b_ || is_finite(*b_)); }
  const Bases& bases() const { return bases_; }

  // s_ij = a_i b_j, with the clamped values; their first negative index otherwise.
  int64_t products_of_values(Dense& s) {
    for (std::optional<Dense>* values : {&a_, &b_}) {
      if (!*values) continue;
      if (const int64_t negative = clamp_negative(**values, dtype_); negative >= 0) return negative;
    }
    for (int64_t i = 0; i < s.rows(); ++i) {
      for (int64_t j = 0; j < s.cols(); ++j) s(i, j) = (a_ ? (*a_)(i, 0) : 1) * (b_ ? (*b_)(j, 0) : 1);
    }
    return -1;
  }

  // z <- the quotient in the middle; fills condition, and status and detail where directions are dropped.
  void divide(Dense& z, Dense s, kr_report& report) const {
    const double factor = options_.factor == 0 ? 1 : options_.factor;
    for (double& x : s.elements()) x *= factor;
    const double damping = ridge_epsilon<double>(options_.damping, options_.damping_value, max_abs(s), 0, 1, dtype_);
    double smallest = std::numeric_limits<double>::infinity(), largest = 0;
    int64_t kept = 0;
    for (size_t i = 0; i < s.elements().size(); ++i) {
      const double damped = s.elements()[i] + damping;
      const double denominator = (options_.power == KR_KRON_POWER_HALF ? std::sqrt(damped) : damped) + options_.epsilon;
      z.elements()[i] = denominator > 0 ? z.elements()[i] / denominator : 0;
      if (!(denominator > 0)) continue;
      ++kept;
      smallest = std::min(smallest, damped);
      largest = std::max(largest, damped);
    }
    report.condition = kept == 0 ? not_measured : largest / smallest;
    if (kept < static_cast<int64_t>(s.elements().size())) report = rank_deficient(report, kept);
  }

 private:
  const kr_kron_solve_options& options_;
  Bases bases_;
  std::optional<Dense> a_, b_;
  int32_t dtype_;
};

// S after its update, or the matrix that was given.
Dense scale_of(const kr_kron_solve_options& options, const kr_batch* scale, const kr_batch* statistics, int64_t index,
               const Dense& z) {
  if (scale != nullptr) return load(*scale, index);
  Dense s(z.rows(), z.cols());
  const Dense old = options.beta == 0 ? s : load(*statistics, index);
  for (size_t i = 0; i < s.elements().size(); ++i) {
    s.elements()[i] = options.beta * old.elements()[i] + options.weight * z.elements()[i] * z.elements()[i];
  }
  return rounded(s, statistics->dtype);
}

Answer solve(const kr_kron_solve_options& options, const kr_kron_bases& bases, const kr_batch* scale,
             const kr_batch* statistics, const kr_batch& x_batch, const kr_batch* y, int64_t index) {
  const Dense x = load(x_batch, index);
  Problem problem(options, bases, index, x_batch.dtype);
  kr_report report = answered(KR_METHOD_DIRECT);
  if (x.empty()) return {report, std::vector<Dense>(statistics != nullptr && y != nullptr ? 2 : 1, x)};
  if (!is_finite(x) || !problem.bases_are_finite()) return {failed(KR_STATUS_NON_FINITE_INPUT), {}};
  Dense z = into_basis(problem.bases(), x);
  report.residual = lost(problem.bases(), z, x);
  Dense s(x.rows(), x.cols());
  Answer answer{report, {}};
  if (scale == nullptr && statistics == nullptr) {
    if (!problem.values_are_finite()) return {failed(KR_STATUS_NON_FINITE_INPUT), {}};
    if (const int64_t at = problem.products_of_values(s); at >= 0) {
      return {failed(KR_STATUS_NOT_POSITIVE_DEFINITE, detail_of(at)), {}};
    }
  } else {
    if (scale != nullptr && !is_finite(load(*scale, index))) return {failed(KR_STATUS_NON_FINITE_INPUT), {}};
    if (statistics != nullptr && options.beta != 0 && !is_finite(load(*statistics, index))) {
      return {failed(KR_STATUS_NON_FINITE_INPUT), {}};
    }
    s = scale_of(options, scale, statistics, index, z);
    if (!is_finite(s)) return {failed(KR_STATUS_OVERFLOW), {}};
    if (statistics != nullptr) answer.outputs.push_back(s);
    if (const int64_t at = clamp_negative(s, x_batch.dtype); y != nullptr && at >= 0) {
      return {failed(KR_STATUS_NOT_POSITIVE_DEFINITE, detail_of(at)), {}};
    }
  }
  if (y == nullptr) return answer;
  problem.divide(z, std::move(s), answer.report);
  Dense result = out_of_basis(problem.bases(), z);
  answer.report.residual = std::max(report.residual, lost(problem.bases(), z, rounded(result, x_batch.dtype)));
  answer.outputs.insert(answer.outputs.begin(), std::move(result));
  return answer;
}

}  // namespace

kr_code kron_solve(const kr_call* call, const kr_kron_solve_options* given, const kr_kron_bases* given_bases,
                   const kr_batch* scale, const kr_batch* statistics, const kr_batch* x, const kr_batch* y,
                   kr_report* reports) {
  if (const kr_code code = check_kron_solve(call, given, given_bases, scale, statistics, x, y); code != KR_OK) {
    return code;
  }
  const kr_kron_solve_options options = given != nullptr ? *given : kr_kron_solve_options{};
  const kr_kron_bases bases = given_bases != nullptr ? *given_bases : kr_kron_bases{};
  const auto compute = [&](int64_t index) { return solve(options, bases, scale, statistics, *x, y, index); };
  if (y == nullptr) return run_batch(call, {statistics}, reports, Overflow::reported, compute);
  if (statistics == nullptr) return run_batch(call, {y}, reports, Overflow::reported, compute);
  return run_batch(call, {y, statistics}, reports, Overflow::reported, compute);
}

}  // namespace kronroot::reference
