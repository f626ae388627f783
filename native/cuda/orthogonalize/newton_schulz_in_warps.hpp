// Newton-Schulz iterations for matrices up to 32 x 32, all steps in one launch.
#pragma once

#include <vector>

#include "../op.hpp"
#include "problem.cuh"

namespace kronroot::cuda {

inline constexpr int64_t most_side_in_warp = 32;

// For batch.cols() <= most_side_in_warp and no more steps than a QuinticList holds. Answers every matrix.
template <typename T>
void newton_schulz_in_warps(Op& op, const OrthogonalizeRequest& request, const std::vector<Quintic>& steps,
                            const OrthogonalizeBatch<T>& batch);

}  // namespace kronroot::cuda
