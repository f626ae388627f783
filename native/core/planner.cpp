#include "planner.hpp"

#include <bit>

namespace kronroot {
namespace {

// Largest n for which the minimax root takes no longer than eigh does, by the number of matrix products of a step:
// 4 (p = 2), 5 (p = 3, 4), 6 (p = 5, 6, 8), 7 (p = 7, 9, 10, 12, 16); more than 7: eigh. Rows of a dtype are in
// ascending order of condition; beyond the last one eigh is taken. Measured on one core of an AMD Zen 5 (AVX-512,
// geometric spectra), where n = 64 was lost by 7 to 25 % at p = 4 and n = 128 by a factor of 1.6 to 2.7.
struct Crossover {
  int32_t dtype;
  double condition;  // up to this
  int64_t largest_n[4];
};

constexpr Crossover crossovers[] = {
    {KR_F32, 1e3, {32, 32, 32, 16}}, {KR_F32, 2e5, {32, 32, 16, 16}}, {KR_F32, 2e7, {16, 16, 16, 8}},
    {KR_F64, 2e5, {32, 32, 16, 16}}, {KR_F64, 1e13, {16, 16, 8, 8}},
};

// Products of a step: M^2, X P, the powers of P by repeated squaring, and the two that make M.
int products_of_step(int p) {
  if (p == 1) return 3;
  const auto half = static_cast<unsigned>(p / 2);
  const int power = std::bit_width(half) - 1 + std::popcount(half) - 1;
  return 4 + power + p % 2;
}

// Up to this size everything runs in f64: it costs little, and eigh, which must not be more accurate, is sometimes
// lucky in the few directions there are.
constexpr int64_t kAllWide = 32;
// Two steps lower the condition that the f32 ones meet by 100 to 1000: above n = 32 their error is then below that of
// eigh for every spectrum tried, usually by more than 10.
constexpr int kWideSteps = 2;

}  // namespace

kr_method plan_inverse_root(int64_t n, const Root& root, double condition, int32_t dtype) {
  if (!root.inverse) return KR_METHOD_EIGH;
  if (root.a == 1) return KR_METHOD_CHOLESKY;
  const int products = products_of_step(root.a);
  const int column = products <= 4 ? 0 : products - 4;
  if (column > 3) return KR_METHOD_EIGH;
  for (const Crossover& row : crossovers) {
    if (row.dtype == dtype && condition <= row.condition) {
      return n <= row.largest_n[column] ? KR_METHOD_MINIMAX : KR_METHOD_EIGH;
    }
  }
  return KR_METHOD_EIGH;
}

int minimax_wide_steps(int64_t n, int steps) { return n <= kAllWide ? steps : kWideSteps; }

}  // namespace kronroot
