// X = (A + epsilon I)^{-1} = L^{-T} L^{-1}
#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "factorization.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

Dense inverse_of(const Dense& l) {
  const int64_t n = l.rows();
  Dense x(n, n);
  for (int64_t j = 0; j < n; ++j) {
    Vector unit(static_cast<size_t>(n));
    unit[static_cast<size_t>(j)] = 1;
    const Vector column = solve_lower_transposed(l, solve_lower(l, unit));
    for (int64_t i = 0; i < n; ++i) x(i, j) = column[static_cast<size_t>(i)];
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) x(i, j) = x(j, i) = (x(i, j) + x(j, i)) / 2;
  }
  return x;
}

}  // namespace

kr_code spd_inverse(const kr_call* call, const kr_spd_inverse_options* given, const kr_batch* a, const kr_batch* x,
                    kr_report* reports) {
  if (const kr_code code = check_spd_inverse(call, given, a, x); code != KR_OK) return code;
  const kr_spd_inverse_options options = given != nullptr ? *given : kr_spd_inverse_options{};
  return run_batch(call, {x}, reports, Overflow::reported, [&](int64_t index) -> Answer {
    const Factorization f = factorize(load(*a, index), options, a->dtype);
    if (f.status != KR_STATUS_OK) return {failed(f.status, f.failing_pivot), {}};
    if (f.lower.empty()) return {answered(KR_METHOD_DIRECT), {f.lower}};
    const Dense inverse = rounded(inverse_of(f.lower), a->dtype);
    kr_report report = answered(KR_METHOD_CHOLESKY);
    const Vector z = probe(a->rows);
    report.residual = norm(difference(multiply(f.ridged, multiply(inverse, z)), z)) / norm(z);
    report.condition = f.condition;
    return {report, {inverse}};
  });
}

}  // namespace kronroot::reference
