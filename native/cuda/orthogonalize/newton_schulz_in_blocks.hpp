// Newton-Schulz iterations for f32 matrices up to 128 x 128, all steps in one launch, a block of threads a matrix.
#pragma once

#include <vector>

#include "../op.hpp"
#include "polynomial_bounds.hpp"
#include "problem.cuh"

namespace kronroot::cuda {

inline constexpr int64_t most_side_in_block = 128;

// For batch.cols() <= most_side_in_block, no more steps than a QuinticList holds, and bounds that fit planes. Answers
// every matrix.
void newton_schulz_in_blocks(Op& op, const OrthogonalizeRequest& request, const std::vector<Quintic>& steps,
                             const PolynomialBounds& bounds, const OrthogonalizeBatch<float>& batch);

}  // namespace kronroot::cuda
