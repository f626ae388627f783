// A + epsilon I = L L^T
#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "factorization.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

// |A z - L L^T z|_2 / (|A|_F |z|_2), with A after the ridge
double residual_of(const Dense& a, const Dense& l) {
  const Vector z = probe(a.rows());
  const Vector product = multiply(l, multiply_transposed(l, z));
  return norm(difference(multiply(a, z), product)) / (frobenius_norm(a) * norm(z));
}

}  // namespace

kr_code cholesky(const kr_call* call, const kr_cholesky_options* given, const kr_batch* a, const kr_batch* l,
                 kr_report* reports) {
  if (const kr_code code = check_cholesky(call, given, a, l); code != KR_OK) return code;
  const kr_cholesky_options options = given != nullptr ? *given : kr_cholesky_options{};
  return run_batch(call, {l}, reports, Overflow::reported, [&](int64_t index) -> Answer {
    Factorization f = factorize(load(*a, index), options, a->dtype);
    if (f.status != KR_STATUS_OK) return {failed(f.status, f.failing_pivot), {}};
    if (f.lower.empty()) return {answered(KR_METHOD_DIRECT), {std::move(f.lower)}};
    kr_report report = answered(KR_METHOD_CHOLESKY);
    report.residual = residual_of(f.ridged, rounded(f.lower, a->dtype));
    report.condition = f.condition;
    return {report, {std::move(f.lower)}};
  });
}

}  // namespace kronroot::reference
