// Coefficients of the odd quintics p(s) = a s + b s^3 + c s^5 that orthogonalize iterates on singular values, as they
// were published. Data only; the Polar Express family is generated (polar_express.hpp).
#pragma once

#include "../include/kronroot/ops.h"

namespace kronroot {

// One step X <- a X + b (X X^T) X + c (X X^T)^2 X.
struct Quintic {
  double a, b, c;
};

struct NamedTable {
  const char* name;      // as users write it: "quintic", "jiacheng", ...
  const Quintic* steps;  // where more steps are asked for than there are, the last one repeats
  int count;
  int published_steps;  // number of steps its authors run
};

// Default of safety for KR_TABLE_AOL. Its first polynomial is negative above s = 0.8837, and its scaling maps rank-one
// and diagonal matrices to s = 1: without it they would come out with the sign reversed.
inline constexpr double aol_safety = 1.15;

// The table called `table` (a kr_table), or nullptr where it is not data: KR_TABLE_POLAR_EXPRESS, KR_TABLE_CUSTOM and
// values that are no kr_table.
const NamedTable* named_table(int table);

}  // namespace kronroot
