// The machine's floating-point peak: independent multiply-adds in registers, nothing else.
#pragma once

#include <string>

namespace kronroot::bench {

// flop/s of one thread; `isa` is "avx512", "avx2" or "baseline", `seconds` how long to look for the best run. Returns 0
// where the machine does not have the ISA. Baseline has no fused multiply-add: a multiply and an add.
double measured_peak(const std::string& isa, bool is_f64, double seconds);

}  // namespace kronroot::bench
