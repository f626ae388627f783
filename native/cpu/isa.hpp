// Run-time choice of the instruction set, by CPUID.
#pragma once

#include "kernels.hpp"

namespace kronroot::cpu {

// The best set that this machine can run.
const KernelSet& best_kernels();

// The set called `name` ("baseline", "avx2", "avx512", "amx"), or nullptr when this build or machine does not have it.
const KernelSet* find_kernels(const char* name);

// Names that find_kernels accepts here, for messages: "baseline, avx2, avx512, amx".
const char* available_isas();

}  // namespace kronroot::cpu
