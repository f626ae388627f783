// Eigendecompositions in f64 for the ladder of inverse_root.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// A = V diag(w) V^T for every matrix of `a` (n x n, symmetric, f64) whose skip is 0; w in any order, eigenvector j in
// column j. `a` is overwritten. sweeps: of each matrix, -1 where it has not converged.
void decompose(Op& op, const BatchView<double>& a, const BatchView<double>& vectors, double* values,
               const int32_t* skip, int32_t* sweeps);

}  // namespace kronroot::cuda
