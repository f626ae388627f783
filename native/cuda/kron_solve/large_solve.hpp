// kron_solve for matrices of any size, by products over the whole batch.
#pragma once

#include "../op.hpp"
#include "problem.cuh"

namespace kronroot::cuda {

// Scratch memory: 2 m n elements a matrix, 3 m n with statistics, and O(m + n) doubles.
template <typename T>
void solve_large(Op& op, const KronProblem<T>& problem);

}  // namespace kronroot::cuda
