// (A + A^T) / 2 = V diag(w) V^T
#include <algorithm>
#include <cmath>

#include "../core/check.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "eigh_refresh.hpp"
#include "ops.hpp"
#include "symmetric_eigen.hpp"

namespace kronroot::reference {
namespace {

// |A z - V diag(w) V^T z|_2 / (|A|_F |z|_2), from the input and the values that are returned; 0 for A = 0.
double residual_of(const Dense& a, const Dense& values, const Dense& vectors) {
  const int exponent = exponent_of(a);
  const Dense unit = scaled(a, -exponent);
  const Vector z = probe(a.rows());
  Vector coordinates = multiply_transposed(vectors, z);
  for (int64_t i = 0; i < a.rows(); ++i) coordinates[static_cast<size_t>(i)] *= std::ldexp(values(i, 0), -exponent);
  const double size = frobenius_norm(unit) * norm(z);
  return size == 0 ? 0 : norm(difference(multiply(unit, z), multiply(vectors, coordinates))) / size;
}

// Makes the first component of largest magnitude of every column positive. Of the values that are returned: rounding
// can make magnitudes equal that were not.
Dense with_positive_peaks(Dense vectors) {
  for (int64_t j = 0; j < vectors.cols(); ++j) {
    double peak = 0;
    for (int64_t i = 0; i < vectors.rows(); ++i) {
      if (std::abs(vectors(i, j)) > std::abs(peak)) peak = vectors(i, j);
    }
    for (int64_t i = 0; peak < 0 && i < vectors.rows(); ++i) vectors(i, j) = -vectors(i, j);
  }
  return vectors;
}

// max|w| / min|w|
double condition_of(const Vector& values) {
  double largest = 0, smallest = HUGE_VAL;
  for (double value : values) {
    largest = std::max(largest, std::abs(value));
    smallest = std::min(smallest, std::abs(value));
  }
  return largest == 0 ? not_measured : largest / smallest;
}

// A = V diag(values) V^T 2^exponent; method KR_METHOD_AUTO where an eigenvalue did not converge.
struct Decomposition {
  kr_method method = KR_METHOD_AUTO;
  int32_t iterations = 0;
  Vector values;
  Dense vectors;
  int exponent = 0;
};

// From the basis in matrix `index` of vectors where the options want it and it serves.
Decomposition decompose(const kr_eigh_options& options, const Dense& a, int32_t dtype, const kr_batch* vectors,
                        int64_t index) {
  if (options.refresh != KR_REFRESH_NONE && a.rows() > 1) {
    const int exponent = exponent_of(a);
    auto refreshed = refresh_basis(options, scaled(a, -exponent), load(*vectors, index), dtype);
    if (refreshed) {
      return {refreshed->method, refreshed->iterations, std::move(refreshed->values), std::move(refreshed->vectors),
              exponent};
    }
  }
  SymmetricEigen eigen = symmetric_eigen(a);
  if (!eigen.converged) return {};
  return {KR_METHOD_EIGH, eigen.sweeps, std::move(eigen.values), std::move(eigen.vectors), eigen.exponent};
}

}  // namespace

kr_code eigh(const kr_call* call, const kr_eigh_options* options, const kr_batch* a, const kr_batch* values,
             const kr_batch* vectors, kr_report* reports) {
  if (const kr_code code = check_eigh(call, options, a, values, vectors); code != KR_OK) return code;
  const kr_eigh_options given = options == nullptr ? kr_eigh_options{} : *options;
  const auto compute = [&](int64_t index) -> Answer {
    const SymmetricPart input = symmetric_part(load(*a, index), a->dtype);
    if (input.status != KR_STATUS_OK) return {failed(input.status), {}};
    const Decomposition found = decompose(given, input.matrix, a->dtype, vectors, index);
    if (found.method == KR_METHOD_AUTO) return {failed(KR_STATUS_NOT_CONVERGED), {}};

    Dense w(a->rows, 1);
    for (int64_t i = 0; i < a->rows; ++i) w(i, 0) = std::ldexp(found.values[static_cast<size_t>(i)], found.exponent);
    kr_report report = answered(a->rows <= 1 ? KR_METHOD_DIRECT : found.method);
    report.iterations = found.iterations;
    report.condition = condition_of(found.values);
    if (vectors == nullptr) return {report, {std::move(w)}};
    Dense v = with_positive_peaks(rounded(found.vectors, a->dtype));
    report.residual = residual_of(input.matrix, rounded(w, a->dtype), v);
    return {report, {std::move(w), std::move(v)}};
  };
  if (vectors == nullptr) return run_batch(call, {values}, reports, Overflow::reported, compute);
  return run_batch(call, {values, vectors}, reports, Overflow::reported, compute);
}

}  // namespace kronroot::reference
