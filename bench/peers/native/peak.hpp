// The machine's floating-point peak: independent multiply-adds in registers, nothing else.
#pragma once

#include <string>

namespace kronroot::bench {

// flop/s of one thread; `isa` is "avx512", "avx2" or "baseline", `bits` 64 or 32 for floating-point numbers of that
// size or 16 for bf16 operands with f32 sums, which is for "avx512" and measured on AMX tiles; `seconds` how long to
// look for the best run. Returns 0 where the machine does not have the instructions. Baseline has no fused
// multiply-add: a multiply and an add.
double measured_peak(const std::string& isa, int bits, double seconds);

}  // namespace kronroot::bench
