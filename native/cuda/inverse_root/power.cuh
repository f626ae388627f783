// x^{-b/a} within an ulp of f64. pow(x, -b / a) is not: the exponent is rounded, and the logarithm of x multiplies
// that.
#pragma once

#include <cmath>

#include "problem.cuh"

namespace kronroot::cuda {

// The unevaluated sum high + low, |low| at most half an ulp of high.
struct DoubleDouble {
  double high, low;
};

// Dekker's and Knuth's error-free product and sum; Muller et al., Handbook of Floating-Point Arithmetic, chapter 4.
__device__ inline DoubleDouble operator*(const DoubleDouble& x, const DoubleDouble& y) {
  const double product = x.high * y.high;
  const double error = fma(x.high, y.high, -product) + (x.high * y.low + x.low * y.high);
  const double sum = product + error;
  return {sum, error - (sum - product)};
}

__device__ inline DoubleDouble power(double x, int exponent) {
  DoubleDouble result{1, 0}, square{x, 0};
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 != 0) result = result * square;
    square = square * square;
  }
  return result;
}

// (x 2^exponent)^{-b/a} (or of b/a, where the root is no inverse) times 2^-result, x > 0 finite.
__attribute__((noinline)) __device__ inline double root_power(double x, int exponent, const Root& root, int result) {
  int of_x = 0;
  const double mantissa = frexp(x, &of_x);
  const RootScale scale = RootScale::of(root, of_x + exponent);
  // y^a = mantissa^{-b} 2^remainder, or mantissa^b 2^remainder: a Newton step from y as pow knows it, with the
  // difference in twice the precision.
  double y = pow(mantissa, root.exponent()) * exp2(static_cast<double>(scale.remainder) / root.a);
  const DoubleDouble reached = power(y, root.a), wanted = power(mantissa, root.b);
  const DoubleDouble shrink{ldexp(1.0, -scale.remainder), 0};
  double difference;  // of the quotient of both sides and 1
  if (root.inverse) {
    const DoubleDouble quotient = reached * wanted * shrink;
    difference = (quotient.high - 1) + quotient.low;
  } else {
    const DoubleDouble scaled = reached * shrink;
    difference = ((scaled.high - wanted.high) + (scaled.low - wanted.low)) / wanted.high;
  }
  y -= y * (difference / root.a);
  return ldexp(y, scale.result - result);
}

}  // namespace kronroot::cuda
