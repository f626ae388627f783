// From a computed X to the answer: the certificate, by products of matrices and vectors across the whole device, the
// report, and the elements.
#pragma once

#include "small_root.cuh"

namespace kronroot::cuda {

// Matrices [first, first + count) of a batch with a root each, computed in W: X times `factors`, in units of
// 2^RootScale::result. Their reports are drafts, with everything but the residual.
template <typename T, typename W>
struct RootCandidates {
  RootRequest request;
  RootBatch<T> batch;
  int64_t first, count;
  BatchView<W> s, x;
  Global<double> factors, epsilons;
  Global<int32_t> exponents;  // of S, as in RootScale
  // Ascending, and in columns, where X came from them; else nullptr. Negative ones count as 0 (certificate.cuh).
  Global<W> values;
  BatchView<W> vectors;
  Global<int32_t> skip;  // not 0 for matrices without a candidate
};

// Settles matrices whose residual passes; the others get `otherwise`: root_is_next, or root_is_settled, which is
// KR_STATUS_NOT_CONVERGED. Scratch: 5 n numbers of f64 a matrix.
template <typename T, typename W>
void publish_roots(Op& op, const RootCandidates<T, W>& candidates, RootStage otherwise);

}  // namespace kronroot::cuda
