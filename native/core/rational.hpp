// The exponent of inverse_root: p = a / b in lowest terms, x -> x^{-1/p} = x^{-b/a}.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numeric>

#include "../include/kronroot/ops.h"

namespace kronroot {

// Largest |numerator| and denominator that an options struct may carry.
inline constexpr int32_t root_limit = 64;

struct Root {
  int32_t a = 2;        // |numerator|, >= 1
  int32_t b = 1;        // denominator, >= 1
  bool inverse = true;  // false: p is negative, the positive power x^{b/a} is meant

  // -1/p
  constexpr double exponent() const { return (inverse ? -1.0 : 1.0) * b / a; }
};

// What the options ask for: 0/0 stands for 2/1; reduced to lowest terms. Only for options that check_inverse_root
// accepted.
constexpr Root root_of(const kr_inverse_root_options& options) {
  const int32_t numerator = options.p_numerator == 0 ? 2 : options.p_numerator;
  const int32_t denominator = options.p_denominator == 0 ? 1 : options.p_denominator;
  const int32_t magnitude = numerator < 0 ? -numerator : numerator;
  const int32_t divisor = std::gcd(magnitude, denominator);
  return {magnitude / divisor, denominator / divisor, numerator > 0};
}

// x^{-1/p} for x > 0, within 1 ulp of f64 over the whole range. std::pow(x, -b/a) in f64 is not: the exponent's own
// rounding error, up to 2^-53 relative, is amplified by |ln x| <= 745. The wider type absorbs it where the platform has
// one.
inline long double root_power(long double x, const Root& root) {
  const long double exponent = static_cast<long double>(root.b) / root.a;
  return std::pow(x, root.inverse ? -exponent : exponent);
}

}  // namespace kronroot
