// Bounds of the largest eigenvalue of a symmetric matrix that is not indefinite, from its powers by squaring: the steps
// of native/cpu/lambda_max.cpp, where the inequalities stand. Powers are brought to a Frobenius norm of [1/2, 1) by
// powers of two, whose exponents are kept apart.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "../device.cuh"

namespace kronroot::cuda {

struct PowerTraces {
  // One point of the 5 % of an eigenvalue is left to rounding.
  static constexpr double tolerance = 1.04;

  double upper, lower;
  double frobenius;     // of the power as it stands
  double q = 1;         // which power it is
  double exponent = 0;  // it stands for 2^exponent times itself
  bool is_settled;

  // largest_row: its 2-norm; infinity: the largest sum of magnitudes of a row.
  __device__ static PowerTraces of(double frobenius, double largest_row, double infinity) {
    PowerTraces traces{};
    traces.upper = std::min(frobenius, infinity);
    traces.lower = largest_row;
    traces.frobenius = frobenius;
    traces.q = 1;
    traces.is_settled = !(traces.upper > tolerance * traces.lower);
    return traces;
  }
  // The power times 2^-shift is what has to be squared next.
  __device__ int shift() const {
    int shift = 0;
    if (frobenius > 0) std::frexp(frobenius, &shift);
    return shift;
  }
  // After it was squared, with the norms of the square.
  __device__ void squared(double frobenius_of_square, double largest_row, int64_t order) {
    const double exponent_of_square = 2 * (exponent + shift());
    const double log_square = std::log2(frobenius_of_square) + exponent_of_square;
    const double log_power = std::log2(frobenius) + exponent;
    lower = std::max(lower, std::exp2((log_square - log_power) / q));
    lower = std::max(lower, std::exp2((std::log2(largest_row) + exponent_of_square) / (2 * q)));
    upper = std::min(upper, std::exp2(log_square / (2 * q)));
    q *= 2;
    exponent = exponent_of_square;
    frobenius = frobenius_of_square;
    is_settled = !(upper > tolerance * lower) || std::pow(static_cast<double>(order), 1 / (2 * q)) <= tolerance;
  }

  // Squarings after which the bounds are settled whatever the matrix.
  static int most_squarings(int64_t order) {
    int count = 0;
    for (double q = 1; std::pow(static_cast<double>(order), 1 / (2 * q)) > tolerance; q *= 2) ++count;
    return count;
  }
};

}  // namespace kronroot::cuda
