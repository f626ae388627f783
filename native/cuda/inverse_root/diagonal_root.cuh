// The root of a diagonal matrix in closed form, with its certificate, by one team.
#pragma once

#include "plan.cuh"

namespace kronroot::cuda {

// x 2^exponent
struct ScaledNumber {
  double x;
  int exponent;

  __device__ ScaledNumber operator*(const ScaledNumber& other) const {
    int shift = 0;
    const double product = frexp(x * other.x, &shift);
    return {product, exponent + other.exponent + shift};
  }
  __device__ ScaledNumber power(int count) const {
    ScaledNumber result{1, 0};
    for (int k = 0; k < count; ++k) result = result * *this;
    return result;
  }
  __device__ double value(int shift) const { return ldexp(x, exponent + shift); }
  __device__ static ScaledNumber of(double x) {
    int exponent = 0;
    const double mantissa = frexp(x, &exponent);
    return {mantissa, exponent};
  }
};

// value(i): element (i, i) of S. store(i, x) takes that of the root, in units of 2^result of the scale, which is
// returned with the report. Every element of R of the certificate is a number here: the probe and the full residual are
// the same.
template <typename T, typename Team, typename Value, typename Store>
__device__ RootScale diagonal_root(const Team& team, const RootRequest& request, int exponent, int n,
                                   const Value& value, const Store& store, kr_report* report) {
  const Spectrum spectrum = spectrum_of(team, request, exponent, n, value, report);
  if (is_failure(*report)) return spectrum.scale;
  report->method = KR_METHOD_DIRECT;
  double errors = 0, sizes = 0;
  for (int i = team.rank(); i < n; i += team.size()) {
    const double each = value(i);
    const T x = static_cast<T>(spectrum.image(request.root, each));
    store(i, x);
    const ScaledNumber of_x = ScaledNumber::of(static_cast<double>(x)).power(request.root.a);
    const ScaledNumber of_b = ScaledNumber::of(spectrum.effective(each)).power(request.root.b);
    double error, size = 1;
    if (request.root.inverse) {
      const double w = (of_x * of_b).value(-spectrum.scale.remainder);
      error = request.is_pseudo_inverse() ? w * w - w : w - 1;
    } else {
      size = of_b.value(0);
      error = of_x.value(-spectrum.scale.remainder) - size;
    }
    errors += error * error;
    sizes += size * size;
  }
  errors = team.sum(errors);
  sizes = team.sum(sizes);
  report->residual = errors == 0 ? 0 : sqrt(errors / sizes);
  return spectrum.scale;
}

}  // namespace kronroot::cuda
