// Products of f32 matrices whose operands are rounded to bf16, on the matrix unit of the processor (AMX-BF16).
#pragma once

#include "../kernels.hpp"

namespace kronroot::cpu {

// `set` with such products in the place of f32 gemm, sums in f32; null where the processor or the operating system does
// not have the unit, or `set` is one for older processors. Asks the system for its use once a process.
const KernelSet* bf16_kernels(const KernelSet& set);

// As Kernels<float>::gemm_workspace and gemm; in isa/amx.cpp, for processors that have the unit.
int64_t amx_gemm_workspace(const Product<float>& product);
void amx_gemm(const Product<float>& product, float* workspace);

}  // namespace kronroot::cpu
