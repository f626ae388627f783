// Newton-Schulz on the matrix unit of the processor: every operand of a product is split into bf16 parts, and stays so
// until the next one. One part rounds it to bf16, three hold it entirely.
#pragma once

#include <cstdint>
#include <span>

#include "../../core/matrix.hpp"
#include "../../core/orthogonalize_tables.hpp"
#include "../gemm/bf16.hpp"

namespace kronroot::cpu {

// X = (a I + b G + c G^2) .. applied to the source, G = X X^T, once for every quintic, of which there is one at least.
// Source and X m x n, m <= n; X may be the source. KR_STATUS_OK, or X is not written: KR_STATUS_CANCELLED when *cancel
// (may be null) was set between two steps, or, with one part, KR_STATUS_OVERFLOW where the last product may not be
// finite (m times the largest magnitudes of its operands is not).
kr_status newton_schulz_parts(const Bf16Kernels& kernels, int parts, std::span<const Quintic> steps,
                              const Bf16Source& source, const Matrix<float>& x, const int32_t* cancel);

}  // namespace kronroot::cpu
