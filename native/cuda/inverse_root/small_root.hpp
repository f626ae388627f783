// The launches of inverse_root for matrices that fit in shared memory.
#pragma once

#include "../op.hpp"
#include "problem.cuh"
#include "small_root.cuh"

namespace kronroot::cuda {

// Whether matrices of this order do on this device.
template <typename T>
bool is_small_root(const kr_device& device, const RootRequest& request, int64_t n);

// Answers every matrix, or leaves its stage to the eigendecomposition; n > 0.
template <typename T>
void small_roots(Op& op, const RootRequest& request, const Schedules& schedules, const RootBatch<T>& batch);

}  // namespace kronroot::cuda
