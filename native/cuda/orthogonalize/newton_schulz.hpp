// Newton-Schulz iterations, X <- (a I + b G + c G^2) X with G = X X^T, once for every quintic, by batched products.
#pragma once

#include <vector>

#include "../op.hpp"
#include "problem.cuh"

namespace kronroot::cuda {

// Answers every matrix, in either form of the iteration; m, n > 0.
template <typename T>
void newton_schulz(Op& op, const OrthogonalizeRequest& request, const std::vector<Quintic>& steps,
                   const OrthogonalizeBatch<T>& batch);

}  // namespace kronroot::cuda
