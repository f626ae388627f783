// inverse_root up to order 32 from eigenvalues and eigenvectors.
#pragma once

#include "../op.hpp"
#include "small_root.cuh"

namespace kronroot::cuda {

inline constexpr int64_t most_in_warps = 32;

// Which matrices of a batch are answered.
enum class RootTurn {
  first,  // all: the eigendecomposition is the method chosen
  next,   // those whose stage says so
};

// Settles them, for a.rows in [1, 32].
template <typename T>
void eigen_roots_in_warps(Op& op, const RootRequest& request, RootTurn turn, const RootBatch<T>& batch);

}  // namespace kronroot::cuda
