// Eigenvectors of tridiagonal matrices.
#pragma once

#include "tridiagonal.hpp"

namespace kronroot::cuda {

// How a matrix is cut: into 2^levels parts of equal order, at most 16, the last ones padded.
struct Division {
  int64_t leaf = 0;
  int levels = 0;
  int64_t padded() const { return leaf << levels; }
};
Division division_of(int64_t n);

// T = Z diag(w) Z^T of matrices padded to division_of(n).padded(), the values ascending (those of the padding last).
// Returns Z (dense, in scratch memory of the op); `values` takes padded() numbers a matrix. `unsolved` becomes 1 where
// an eigenvalue was not found, `sweeps` the most that a leaf took. d and e are left as they are.
template <typename T>
T* divide_and_conquer(Op& op, const TridiagonalBatch<T>& form, double* values, int32_t* unsolved, int32_t* sweeps,
                      const int32_t* skip);

}  // namespace kronroot::cuda
