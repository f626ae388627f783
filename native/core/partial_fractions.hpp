// Powers x^{-alpha}, 0 < alpha <= 1, as sums of simple fractions:
//   x^{-alpha} = (1 + d) sum_k w_k / (x + s_k),   |d| <= tolerance for 1 / condition <= x <= 1.
// All s_k and w_k are positive, so that nothing cancels: a sum of resolvents (A + s_k I)^{-1} is as accurate as they
// are. For alpha = 1 there is one fraction, with s = 0.
//
// x^{-alpha} is a Stieltjes function. Its rational interpolants in 2m points of the positive axis with m poles have
// the form above, and interpolated where Zolotarev's approximation of x^{-1/2} is, which is the best one and known in
// closed form, they are nearly the best: m fractions err by 4 exp(-2 pi^2 m / ln(16 condition)) or less.
// Source: Zolotarev 1877, as in Akhiezer, Elements of the Theory of Elliptic Functions, section 51; interpolation of
// Stieltjes functions: Stahl and Totik, General Orthogonal Polynomials, chapter 6.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <limits>
#include <vector>

namespace kronroot {

// The least tolerance that the fit reaches, within a factor of 20 for alpha >= 1/8 and of 200 for alpha >= 1/64: its
// equations are solved in long double.
inline constexpr double least_fraction_tolerance = std::numeric_limits<long double>::digits >= 64 ? 1e-14 : 1e-12;

// Kernels in lanes sum so many fractions at a time.
inline constexpr int fraction_group = 4;

struct PartialFractions {
  std::vector<double> poles;  // s_k, ascending
  std::vector<double> weights;
};

// 0 < alpha <= 1, 1 < condition <= 1e15, least_fraction_tolerance <= tolerance < 1. The number of fractions is the
// least that will do, rounded up to the multiple.
PartialFractions partial_fractions(double alpha, double condition, double tolerance, int multiple = 1);

// The same for the condition rounded up to a power of two, 16 or more, and in f32 for whole groups of fractions, kept
// for the life of the process and looked up without a lock once it was met. Thread-safe.
class PowerFractions {
 public:
  PowerFractions(double alpha, double tolerance) : alpha_(alpha), tolerance_(tolerance) {}
  const PartialFractions& of(double condition);
  // The same for a condition of at most 2^power.
  const PartialFractions& of_power(int power) {
    const auto at = static_cast<size_t>(std::clamp(power, kLeastPower, static_cast<int>(met_.size()) - 1));
    const PartialFractions* found = met_[at].load(std::memory_order_acquire);
    return found != nullptr ? *found : find(static_cast<int>(at));
  }

 private:
  // Below 16 so many terms are hard to tell apart in f64.
  static constexpr int kLeastPower = 4;
  const PartialFractions& find(int power);

  double alpha_;
  double tolerance_;
  std::array<std::atomic<const PartialFractions*>, 64> met_{};  // by powers of two
};

}  // namespace kronroot
