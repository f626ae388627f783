// The Polar Express: greedy composition of odd quintics that is optimal for the sign function on [lower, 1].
#pragma once

#include "orthogonalize_tables.hpp"

namespace kronroot {

struct PolarExpress {
  double lower = 1e-3;                   // smallest singular value of the scaled matrix that must be mapped to 1
  double cushion = 0.02407327424182761;  // no step is fitted to a narrower left end than cushion times the right end
  double safety = 1.01;                  // room for rounding: p(s / safety) in place of p(s), but for the last step
  int steps = 8;
};

// Writes options.steps quintics to out.
// Source: Amsel, Persson, Musco, Gower, "The Polar Express", arXiv 2505.16932, theorem 3.1 and algorithm 1; the cushion
// and the safety factor are those of section 3.4 there.
void polar_express(const PolarExpress& options, Quintic* out);

}  // namespace kronroot
