// Sums of the elimination are made of chains, each summed from zero: the error of a sum grows with its longest chain
// (Higham, Accuracy and Stability, section 4.2).
#pragma once

#include <cstdint>

namespace kronroot::cpu::spd {

// Terms of a chain. LAPACK's products have chains of a hundred and more.
inline constexpr int64_t kLongestChain = 32;

}  // namespace kronroot::cpu::spd
