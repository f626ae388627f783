// The matrix unit of the processor (AMX-BF16).
#pragma once

#include <cstdint>

#include "../gemm/bf16.hpp"

namespace kronroot::cpu {

// Whether this process may use the unit: the processor and the operating system have it. Asks the system for its use
// once a process; threads need not ask.
bool has_amx();

// In isa/amx.cpp, for processors that have the unit and AVX-512.
void amx_pack(const Bf16Source& source, int parts, const Bf16Forms& forms);
void amx_multiply(const Bf16Product& product);
void amx_row_magnitudes(const Bf16Source& source, float* of_strips);
float amx_largest_magnitude(int64_t rows, int64_t cols, const Bf16* form);

}  // namespace kronroot::cpu
