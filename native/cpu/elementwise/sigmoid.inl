// The logistic function of what is not negative, a vector at a time.
#pragma once

#include "../isa/lanes.inl"

namespace kronroot::cpu {
namespace {
namespace elementwise {

template <typename T>
struct Exponential;
template <>
struct Exponential<float> {
  static constexpr int kTerms = 7;             // 0.347^8 / 8! < 2^-27
  static constexpr float kLn2 = 0x1.62e4p-1f;  // n ln 2 is exact for n < 2^9
  static constexpr float kRestOfLn2 = 0x1.7f7d1cp-20f;
  static constexpr float kRounder = 0x1.8p23f;  // x + it - it is x rounded to an integer
};
template <>
struct Exponential<double> {
  static constexpr int kTerms = 13;                 // 0.347^14 / 14! < 2^-57
  static constexpr double kLn2 = 0x1.62e42fefap-1;  // n ln 2 is exact for n < 2^16
  static constexpr double kRestOfLn2 = 0x1.cf79abc9e3b3ap-40;
  static constexpr double kRounder = 0x1.8p52;
};

// 1 / (1 + e^-x), x >= 0, to 2 ulp. e^-x = 2^-n e^-r, r = x - n ln 2 within ln 2 / 2, by Taylor's series. Beyond 40 it
// is 1 in f64, too.
template <typename T>
inline Vec<T> sigmoid(Vec<T> x) {
  using Constants = Exponential<T>;
  x = select<T>(x > broadcast(T{40}), broadcast(T{40}), x);
  const Vec<T> rounder = broadcast(Constants::kRounder);
  const Vec<T> shifted = fma(x, broadcast(static_cast<T>(0x1.71547652b82fep+0)), rounder);
  const Vec<T> n = shifted - rounder;
  const Vec<T> r = fma(n, broadcast(-Constants::kRestOfLn2), fma(n, broadcast(-Constants::kLn2), x));
  Vec<T> series = broadcast(T{1});
  for (int term = Constants::kTerms; term > 0; --term) {
    series = fma(r * broadcast(T{-1} / static_cast<T>(term)), series, broadcast(T{1}));
  }
  const Vec<T> scale = power_of_two<T>(bits_of<T>(rounder) - bits_of<T>(shifted));
  return broadcast(T{1}) / fma(series, scale, broadcast(T{1}));
}

}  // namespace elementwise
}  // namespace
}  // namespace kronroot::cpu
