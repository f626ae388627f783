// X near U V^T: X <- a X + (b G + c G^2) X with G = X X^T, or the polar factor itself
#include <algorithm>
#include <cmath>
#include <vector>

#include "../core/check.hpp"
#include "../core/orthogonalize_schedule.hpp"
#include "../core/report.hpp"
#include "../core/ridge.hpp"
#include "batch.hpp"
#include "ops.hpp"
#include "polar.hpp"

namespace kronroot::reference {
namespace {

std::vector<Quintic> steps_of(const kr_orthogonalize_options& options) {
  std::vector<Quintic> steps(static_cast<size_t>(orthogonalize_schedule(options, nullptr, 0)));
  orthogonalize_schedule(options, steps.data(), static_cast<int>(steps.size()));
  return steps;
}

// A / (safety |A|_F), so that no singular value exceeds 1.
Dense divided_by_norm(Dense a, double safety) {
  const double size = safety * frobenius_norm(a);
  for (double& each : a.elements()) each /= size;
  return a;
}

// D^{-1/2} A / safety, D_ii = sum_j |A A^T|_ij: the largest singular value is at most 1 by Gershgorin's theorem.
// Source: Prach and Lampert, Almost-orthogonal layers, ECCV 2022.
Dense divided_by_row_sums(Dense a, double safety) {
  const Dense g = multiply(a, transpose(a));
  for (int64_t i = 0; i < a.rows(); ++i) {
    double sum = 0;
    for (int64_t j = 0; j < a.rows(); ++j) sum += std::abs(g(i, j));
    for (int64_t j = 0; sum > 0 && j < a.cols(); ++j) a(i, j) /= safety * std::sqrt(sum);
  }
  return a;
}

Dense step(const Dense& x, const Quintic& p) {
  const Dense g = multiply(x, transpose(x));
  Dense polynomial = multiply(g, g);
  for (size_t i = 0; i < g.elements().size(); ++i) {
    polynomial.elements()[i] = p.b * g.elements()[i] + p.c * polynomial.elements()[i];
  }
  for (int64_t i = 0; i < g.rows(); ++i) polynomial(i, i) += p.a;
  return multiply(polynomial, x);
}

// |G^2 z - G z|_2 / |z|_2, G = X X^T: 0 for every partial isometry.
double residual_of(const Dense& x) {
  const Vector z = probe(x.rows());
  const Vector once = multiply(x, multiply_transposed(x, z));
  const Vector twice = multiply(x, multiply_transposed(x, once));
  return norm(difference(twice, once)) / norm(z);
}

// `a` is wide: rows <= cols.
Answer newton_schulz(const Dense& a, const kr_orthogonalize_options& options) {
  const double safety = orthogonalize_safety(options);
  Dense x = options.table == KR_TABLE_AOL ? divided_by_row_sums(a, safety) : divided_by_norm(a, safety);
  const std::vector<Quintic> steps = steps_of(options);
  for (const Quintic& quintic : steps) x = step(x, quintic);
  kr_report report =
      answered(options.method == KR_METHOD_GRAM_NEWTON_SCHULZ ? KR_METHOD_GRAM_NEWTON_SCHULZ : KR_METHOD_NEWTON_SCHULZ);
  report.iterations = static_cast<int32_t>(steps.size());
  return {report, {std::move(x)}};
}

Answer exact(const Dense& a, int32_t dtype) {
  const double cutoff = static_cast<double>(a.cols()) * ulp_of_dtype(dtype);
  Polar result = polar(a, cutoff);
  if (!result.converged) return {failed(KR_STATUS_NOT_CONVERGED), {}};
  kr_report report = answered(KR_METHOD_POLAR);
  report.iterations = result.sweeps;
  report.condition = result.condition;
  if (result.rank < a.rows()) report = rank_deficient(report, result.rank);
  return {report, {std::move(result.factor)}};
}

Answer compute(const Dense& a, const kr_orthogonalize_options& options, int32_t dtype) {
  if (a.empty()) return {answered(KR_METHOD_DIRECT), {a}};
  if (!is_finite(a)) return {failed(KR_STATUS_NON_FINITE_INPUT), {}};
  if (max_abs(a) == 0) {
    kr_report report = rank_deficient(answered(KR_METHOD_DIRECT), 0);
    report.residual = 0;
    return {report, {a}};
  }
  const bool tall = a.rows() > a.cols();
  // A power of two cancels in the polar factor and in both normalisations; with it no square over- or underflows.
  const Dense scaled_a = scaled(a, -exponent_of(a));
  const Dense wide = tall ? transpose(scaled_a) : scaled_a;
  Answer answer = options.method == KR_METHOD_POLAR ? exact(wide, dtype) : newton_schulz(wide, options);
  if (is_failure(answer.report)) return answer;
  Dense& x = answer.outputs.front();
  answer.report.residual = residual_of(rounded(x, dtype));
  if (tall) x = transpose(x);
  return answer;
}

}  // namespace

kr_code orthogonalize(const kr_call* call, const kr_orthogonalize_options* given, const kr_batch* a, const kr_batch* x,
                      kr_report* reports) {
  if (const kr_code code = check_orthogonalize(call, given, a, x); code != KR_OK) return code;
  const kr_orthogonalize_options options = given != nullptr ? *given : kr_orthogonalize_options{};
  return run_batch(call, {x}, reports, Overflow::reported,
                   [&](int64_t index) { return compute(load(*a, index), options, a->dtype); });
}

}  // namespace kronroot::reference
