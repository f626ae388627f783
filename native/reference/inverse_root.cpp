// X = (A + epsilon I)^{-1/p} = V diag((max(w, 0) + epsilon)^{-1/p}) V^T, with A = V diag(w) V^T
#include <algorithm>
#include <cmath>
#include <vector>

#include "../core/check.hpp"
#include "../core/rational.hpp"
#include "../core/report.hpp"
#include "../core/ridge.hpp"
#include "balanced_residual.hpp"
#include "batch.hpp"
#include "ops.hpp"
#include "symmetric_eigen.hpp"

namespace kronroot::reference {
namespace {

// Eigenvalues in long double: its exponent range holds the sum of n eigenvalues near the largest double.
using Real = long double;

// The eigenvalues of A and what the ridge makes of them.
struct Spectrum {
  std::vector<Real> values;  // of A, ascending
  Real epsilon = 0;
  Real tolerance = 0;  // tau
  bool pseudo_inverse = false;
  Real cutoff = 0;          // of the pseudo-inverse
  Real null_threshold = 0;  // eigenvalues not above are null space

  // The eigenvalue that is inverted; 0 where the direction contributes nothing.
  Real effective(Real value) const {
    if (pseudo_inverse) return value > cutoff ? value : 0;
    return std::max<Real>(value, 0) + epsilon;
  }
  int64_t rank() const {
    const Real threshold = pseudo_inverse ? cutoff : null_threshold;
    return std::count_if(values.begin(), values.end(), [&](Real value) { return value > threshold; });
  }
  double condition() const {
    const Real smallest =
        effective(*std::find_if(values.begin(), values.end(), [&](Real v) { return effective(v) > 0; }));
    return static_cast<double>(effective(values.back()) / smallest);
  }
};

Spectrum spectrum_of(const SymmetricEigen& eigen, const kr_inverse_root_options& options, int32_t dtype) {
  Spectrum s;
  const auto n = static_cast<int64_t>(eigen.values.size());
  Real trace = 0;
  for (double value : eigen.values) {
    s.values.push_back(std::ldexp(static_cast<Real>(value), eigen.exponent));
    trace += s.values.back();
  }
  const Real largest = s.values.back();
  s.epsilon = ridge_epsilon(options.ridge, options.ridge_value, largest, trace, n, dtype);
  s.tolerance = negative_tolerance(s.epsilon, largest, n, dtype);
  s.pseudo_inverse = options.ridge == KR_RIDGE_PSEUDO_INVERSE;
  s.cutoff = pseudo_inverse_cutoff(options.ridge_value, largest, n, dtype);
  s.null_threshold = null_threshold(largest, n, dtype);
  return s;
}

// sum over j of f_j v_j v_j^T
Dense recompose(const Dense& vectors, const Vector& f) {
  Dense weighted = vectors;
  for (int64_t i = 0; i < weighted.rows(); ++i) {
    for (int64_t j = 0; j < weighted.cols(); ++j) weighted(i, j) *= f[static_cast<size_t>(j)];
  }
  Dense x = multiply(weighted, transpose(vectors));
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < i; ++j) x(i, j) = x(j, i) = (x(i, j) + x(j, i)) / 2;
  }
  return x;
}

// f_j = effective(w_j)^{-1/p}, 0 where nothing is contributed
Vector root_values(const Spectrum& spectrum, const Root& root) {
  Vector f;
  for (Real value : spectrum.values) {
    const Real effective = spectrum.effective(value);
    f.push_back(effective > 0 ? static_cast<double>(root_power(effective, root)) : 0);
  }
  return f;
}

// B = A + epsilon I with the negative eigenvalues, which count as 0, set to 0: the matrix whose root X has to be.
Dense ridged(const Dense& a, const Spectrum& spectrum, const Dense& vectors) {
  Vector lift;
  for (Real value : spectrum.values) lift.push_back(static_cast<double>(std::max<Real>(-value, 0)));
  Dense b = a;
  if (spectrum.values.front() < 0) {
    const Dense correction = recompose(vectors, lift);
    for (size_t i = 0; i < b.elements().size(); ++i) b.elements()[i] += correction.elements()[i];
  }
  for (int64_t i = 0; i < b.rows(); ++i) b(i, i) += static_cast<double>(spectrum.epsilon);
  return b;
}

double residual_of(const Dense& a, const Dense& x, const Spectrum& spectrum, const Dense& vectors, const Root& root,
                   Measure measure) {
  if (spectrum.pseudo_inverse && root.inverse) return projector_residual(a, x, root, measure);
  return balanced_residual(ridged(a, spectrum, vectors), x, root, measure);
}

Answer compute(const Dense& given, const kr_inverse_root_options& options, int32_t dtype) {
  const int64_t n = given.rows();
  if (n == 0) return {answered(KR_METHOD_DIRECT), {given}};
  const SymmetricPart input = symmetric_part(given, dtype);
  if (input.status != KR_STATUS_OK) return {failed(input.status), {}};
  const SymmetricEigen eigen = symmetric_eigen(input.matrix);
  if (!eigen.converged) return {failed(KR_STATUS_NOT_CONVERGED), {}};

  const Root root = root_of(options);
  const Spectrum spectrum = spectrum_of(eigen, options, dtype);
  if (spectrum.values.front() < -spectrum.tolerance) return {failed(KR_STATUS_NOT_POSITIVE_DEFINITE), {}};
  const int64_t rank = spectrum.rank();
  if (rank < n && spectrum.epsilon == 0 && !spectrum.pseudo_inverse)
    return {failed(KR_STATUS_NOT_POSITIVE_DEFINITE), {}};

  const bool is_zero = max_abs(input.matrix) == 0;
  kr_report report = answered(n == 1 || is_zero ? KR_METHOD_DIRECT : KR_METHOD_EIGH);
  report.iterations = report.method == KR_METHOD_DIRECT ? 0 : eigen.sweeps;
  if (rank < n) report = rank_deficient(report, rank);
  if (rank > 0 || !spectrum.pseudo_inverse) report.condition = spectrum.condition();

  const Dense x = rounded(recompose(eigen.vectors, root_values(spectrum, root)), dtype);
  if (!is_finite(x)) return {failed(KR_STATUS_OVERFLOW), {}};
  const Measure measure = options.full_residual != 0 ? Measure::full : Measure::probe;
  report.residual = residual_of(input.matrix, x, spectrum, eigen.vectors, root, measure);
  const double bound = options.residual_bound == 0 ? 0.05 : options.residual_bound;
  if (!(report.residual <= bound)) return {failed(KR_STATUS_NOT_CONVERGED), {}};
  return {report, {x}};
}

}  // namespace

kr_code inverse_root(const kr_call* call, const kr_inverse_root_options* given, const kr_batch* a, const kr_batch* x,
                     kr_report* reports) {
  if (const kr_code code = check_inverse_root(call, given, a, x); code != KR_OK) return code;
  const kr_inverse_root_options options = given != nullptr ? *given : kr_inverse_root_options{};
  return run_batch(call, {x}, reports, Overflow::reported,
                   [&](int64_t index) { return compute(load(*a, index), options, a->dtype); });
}

}  // namespace kronroot::reference
