// kron_solve for matrices that fit in shared memory, in one launch.
#pragma once

#include "../op.hpp"
#include "problem.cuh"

namespace kronroot::cuda {

// Whether they do on this device.
template <typename T>
bool is_small_solve(const kr_device& device, const KronProblem<T>& problem);

template <typename T>
void solve_small(Op& op, const KronProblem<T>& problem);

}  // namespace kronroot::cuda
