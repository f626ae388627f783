#include "planner.hpp"

#include <algorithm>
#include <bit>

#include "partial_fractions.hpp"

namespace kronroot {
namespace {

// Two steps lower the condition that the f32 ones meet by 100 to 1000: above n = 32 their error is then below that of
// eigh for every spectrum tried, usually by more than 10.
constexpr int kWideSteps = 2;
// In lanes the ends of the spectrum are known exactly. Trials in which the error exceeded that of eigh by over 2 ulp:
// with two steps in f64 none of 42 000 (3 <= n <= 12; two directions need all steps); with one step 37 of 29 000
// (n <= 9), 1 of 17 000 (13 <= n <= 16) and none of 37 000 (17 <= n <= 48).
constexpr int64_t kAllWideInLanes = 2, kTwoWideInLanes = 16;

}  // namespace

bool plan_lanes(const Crossovers& crossovers, LaneOp op, int32_t dtype, int64_t n, int64_t batch) {
  for (const Crossovers::Lanes& row : crossovers.lanes) {  // by ascending n
    if (row.op == op && row.dtype == dtype && n <= row.largest_n) return batch >= row.least_batch;
  }
  return false;
}

int products_of_step(int p) {
  // M^2, X P, the powers of P by repeated squaring, and the two that make M.
  if (p == 1) return 3;
  const auto half = static_cast<unsigned>(p / 2);
  const int power = std::bit_width(half) - 1 + std::popcount(half) - 1;
  return 4 + power + p % 2;
}

bool is_fit_for_fractions(const Root& root, int32_t dtype) {
  const bool is_accurate = dtype == KR_F32 || (least_fraction_tolerance <= 1e-14 && 8 * root.b >= root.a);
  return root.inverse && root.b <= root.a && is_accurate;
}

kr_method plan_inverse_root(const Crossovers& crossovers, int64_t n, const Root& root, double condition,
                            int32_t dtype) {
  if (!root.inverse) return KR_METHOD_EIGH;
  if (root.a == 1) return KR_METHOD_CHOLESKY;
  const int products = std::max(4, products_of_step(root.a));
  for (const Crossovers::Minimax& row : crossovers.minimax) {
    const bool fits = row.least_n <= n && n <= row.largest_n;
    if (row.dtype == dtype && row.products == products && condition <= row.condition && fits) return KR_METHOD_MINIMAX;
  }
  return is_fit_for_fractions(root, dtype) ? KR_METHOD_PARTIAL_FRACTIONS : KR_METHOD_EIGH;
}

int minimax_wide_steps(int64_t n, int steps) { return n <= wide_root_order ? steps : kWideSteps; }

int minimax_wide_steps_in_lanes(int64_t n, int steps) {
  if (n <= kAllWideInLanes) return steps;
  return std::min(steps, n <= kTwoWideInLanes ? kWideSteps : 1);
}

}  // namespace kronroot
