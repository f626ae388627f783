// SPECTRAL: sqrt of an upper bound of the largest eigenvalue of the Gram matrix of the short side (power_traces.cuh),
// in f64 for either element type, so that rounding is far below an ulp of f32. Short sides up to 64: one launch, a
// block a matrix, powers in shared memory. Beyond: products of batches, as many as squarings may be needed, without
// those that are settled. Memory a matrix then: m n + 2 s^2 doubles, s = min(m, n).
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

template <typename T>
void spectral_norms(Op& op, const BatchView<const T>& a, const BatchView<T>& values, kr_report* reports);

}  // namespace kronroot::cuda
