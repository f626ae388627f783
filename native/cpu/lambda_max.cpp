// With M_0 = A, M_{k+1} = M_k^2 and powers q = 2^k, so M_k = A^q, for symmetric A:
//   upper   rho <= |A^q|_F^{1/q} <= n^{1/2q} rho
//   upper   rho <= |A|_inf
//   lower   rho >= (|A^2q|_F / |A^q|_F)^{1/q}       (|X Y|_F <= |X|_2 |Y|_F)
//   lower   rho >= (max_j |A^q e_j|_2)^{1/q}
// Squaring stops when the best upper bound is within 4 % of the best lower bound, at the latest when
// n^{1/2q} <= 1.04. Powers are rescaled by powers of two, whose exponents are kept apart.
#include "lambda_max.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../core/matrix.hpp"
#include "product.hpp"

namespace kronroot::cpu {
namespace {

// One point of the 5 % is left to rounding.
constexpr double kTolerance = 1.04;

struct Norms {
  double frobenius;
  double largest_row;  // 2-norm
};

template <typename T>
Norms norms_of(const Kernels<T>& kernels, int64_t n, const T* a, int64_t stride) {
  double squares = 0, largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double row = kernels.dot(n, a + i * stride, a + i * stride);
    squares += row;
    largest = std::max(largest, row);
  }
  return {std::sqrt(squares), std::sqrt(largest)};
}

// max_i sum_j |a_ij|. Summed by columns, which are rows: that needs no order of summation to be given up.
template <typename T>
double infinity_norm(int64_t n, const T* a, int64_t stride) {
  Scratch scratch;
  T* sums = scratch.take<T>(n);
  std::fill(sums, sums + n, T{0});
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) sums[j] += std::abs(a[i * stride + j]);
  }
  return *std::max_element(sums, sums + n);
}

}  // namespace

template <typename T>
double lambda_max_bound(const KernelSet& set, int64_t n, const T* a, int64_t stride) {
  if (n == 0) return 0;
  const Kernels<T>& kernels = kernels_of<T>(set);
  Norms norms = norms_of(kernels, n, a, stride);
  if (norms.frobenius == 0) return 0;
  double upper = std::min(norms.frobenius, infinity_norm(n, a, stride));
  double lower = norms.largest_row;

  Scratch scratch;
  T* power = nullptr;  // A^q 2^-exponent; A itself while null
  T* square = nullptr;
  double q = 1, exponent = 0;
  const double order = static_cast<double>(n);
  while (upper > kTolerance * lower) {
    if (square == nullptr) square = scratch.take<T>(n * n);
    int shift = 0;
    std::frexp(norms.frobenius, &shift);
    Product<T> product;
    product.m = product.n = product.k = n;
    product.alpha = std::ldexp(T{1}, -2 * shift);
    product.a = product.b = power == nullptr ? a : power;
    product.a_stride = product.b_stride = power == nullptr ? stride : n;
    product.c = square;
    product.c_stride = n;
    product.triangle = Triangle::mirrored;
    multiply(kernels, product);
    const Norms of_square = norms_of(kernels, n, square, n);
    const double square_exponent = 2 * (exponent + shift);
    // log2 of |A^2q|_F and |A^q|_F: the powers themselves would leave the range of f64.
    const double log_square = std::log2(of_square.frobenius) + square_exponent;
    const double log_power = std::log2(norms.frobenius) + exponent;
    lower = std::max(lower, std::exp2((log_square - log_power) / q));
    lower = std::max(lower, std::exp2((std::log2(of_square.largest_row) + square_exponent) / (2 * q)));
    upper = std::min(upper, std::exp2(log_square / (2 * q)));
    q *= 2;
    exponent = square_exponent;
    norms = of_square;
    if (std::pow(order, 1 / (2 * q)) <= kTolerance) break;
    if (power == nullptr) power = scratch.take<T>(n * n);
    std::swap(power, square);
  }
  return upper * (1 + 4 * order * ulp_of<T>);
}

template double lambda_max_bound<float>(const KernelSet&, int64_t, const float*, int64_t);
template double lambda_max_bound<double>(const KernelSet&, int64_t, const double*, int64_t);

}  // namespace kronroot::cpu
