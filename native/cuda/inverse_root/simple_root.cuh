// Matrices whose root takes no decomposition: those that cannot be used, and diagonal ones.
#pragma once

#include "diagonal_root.cuh"
#include "small_root.cuh"

namespace kronroot::cuda {

// Answers or refuses matrix b of the batch by one team where it is one of those. Returns its stage, the same in all
// threads and written where the matrix is simple: root_is_settled; root_is_next for a closed form beyond the residual
// bound; root_is_iterated for all others. `diagonal` holds n numbers.
template <typename T, typename Team, typename Vector>
__device__ RootStage settle_simple(const Team& team, const RootRequest& request, const SymmetricInput& input,
                                   const Vector& diagonal, const RootBatch<T>& batch, int64_t b) {
  const auto settle = [&](RootStage stage, const kr_report& report) {
    if (team.rank() == 0) batch.stages[b] = stage;
    if (team.rank() == 0 && stage == root_is_settled) batch.reports[b] = report;
    return stage;
  };
  if (input.status != KR_STATUS_OK) {
    return settle(root_is_settled, failed(static_cast<kr_status>(input.status)));
  }
  if (!input.is_diagonal) return root_is_iterated;
  const int n = static_cast<int>(batch.a.rows), exponent = scale_exponent(request, input);
  const SymmetricReader<T> s{batch.a[b], exponent};
  kr_report report = answered(KR_METHOD_DIRECT);
  const RootScale scale = diagonal_root<T>(
      team, request, exponent, n, [&](int i) { return static_cast<double>(s(i, i)); },
      [&](int i, T value) { diagonal[i] = static_cast<double>(value); }, &report);
  if (!is_failure(report) && !(report.residual <= request.residual_bound)) {
    return settle(root_is_next, report);
  }
  double overflows = 0;
  team.sync();
  if (!is_failure(report)) {
    for (int i = team.rank(); i < n; i += team.size()) {
      if (!is_finite(static_cast<T>(ldexp(static_cast<double>(diagonal[i]), scale.result)))) overflows = 1;
    }
  }
  if (team.max(overflows) != 0) report = failed(KR_STATUS_OVERFLOW);
  if (is_failure(report)) return settle(root_is_settled, report);
  const MatrixView<T> out = batch.x[b];
  for (int e = team.rank(); e < n * n; e += team.size()) {
    const int i = e / n, j = e % n;
    out(i, j) = i == j ? static_cast<T>(ldexp(static_cast<double>(diagonal[i]), scale.result)) : T(0);
  }
  return settle(root_is_settled, report);
}

}  // namespace kronroot::cuda
