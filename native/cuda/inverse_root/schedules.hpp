// The minimax schedules of one p and tolerance in memory of the device, for every tenth of a decade of the condition:
// each matrix picks its own.
#pragma once

#include <cmath>
#include <cstdint>

#include "../../core/minimax.hpp"
#include "../op.hpp"

namespace kronroot::cuda {

// |t - 1| of the last step, as a fraction of ulp.
inline constexpr double minimax_tolerance = 0.25;

// Beyond it rounding decides the smallest eigenvalues of the result.
constexpr double largest_condition(int32_t dtype) { return dtype == KR_F32 ? 0x1p23 : 0x1p52; }

struct MinimaxTable {
  static constexpr int per_decade = 10;
  static constexpr int buckets = 160;  // up to condition 1e15.9

  int32_t first[buckets + 1];  // step of a bucket's schedule; that of the next one is its end
  MinimaxStep steps[1];        // of all schedules, one after the other
};

// The bucket of a condition, rounded up.
template <typename Real>
constexpr int minimax_bucket(Real decades) {
  const int bucket = static_cast<int>(ceil(MinimaxTable::per_decade * decades - 1e-9));
  return bucket < 0 ? 0 : bucket < MinimaxTable::buckets ? bucket : MinimaxTable::buckets - 1;
}

// nullptr where the op has failed.
const MinimaxTable* minimax_table(Op& op, int p, double tolerance);

// Steps of the longest schedule for conditions up to `condition`.
int most_minimax_steps(int p, double condition, double tolerance);

}  // namespace kronroot::cuda
