// Newton-Schulz on the matrix unit of the processor: every operand of a product is rounded to bf16.
#pragma once

#include <cstdint>
#include <span>

#include "../../core/orthogonalize_tables.hpp"
#include "../gemm/bf16.hpp"

namespace kronroot::cpu {

// X = (a I + b G + c G^2) .. applied to the source, G = X X^T, once for every quintic, of which there is one at least.
// Source and X m x n, m <= n, X with stride n. False when *cancel (may be null) was set between two steps; X then holds
// garbage.
bool newton_schulz_bf16(const Bf16Kernels& kernels, std::span<const Quintic> steps, const Bf16Source& source, float* x,
                        const int32_t* cancel);

}  // namespace kronroot::cpu
