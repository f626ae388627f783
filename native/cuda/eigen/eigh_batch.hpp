// Eigendecompositions of batches in device memory, for every op that needs them.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// A = V diag(w) V^T for every matrix of a: finite, symmetric, scaled to a largest magnitude of about 1 (or 0).
template <typename T>
struct EighBatch {
  BatchView<const T> a;
  BatchView<T> values;   // n x 1, ascending
  BatchView<T> vectors;  // eigenvector j is column j, of either sign; data nullptr: values only
  // One for each matrix, in device memory, or nullptr: where it is not 0 nothing is done.
  const int32_t* skip = nullptr;
  // For each matrix that is not skipped KR_STATUS_OK or KR_STATUS_NOT_CONVERGED, and then its outputs mean nothing.
  int32_t* status = nullptr;
  // Sweeps of Jacobi's method, or nullptr.
  int32_t* sweeps = nullptr;
};

// Enqueues it. Error as of eigh in ops.h. a overlaps neither output.
template <typename T>
void eigh_batch(Op& op, const EighBatch<T>& problem);

}  // namespace kronroot::cuda
