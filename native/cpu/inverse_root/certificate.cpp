#include "certificate.hpp"

#include <algorithm>
#include <cmath>

#include "../../core/random.hpp"
#include "../scratch.hpp"

namespace kronroot::cpu {
namespace {

// Applies powers of B and X to vectors. A vector carries an exponent of its own, so that no power over- or underflows.
template <typename T>
class Factors {
 public:
  Factors(const RootProblem<T>& problem, double epsilon, const NegativePart& negative, const T* x, Scratch& scratch)
      : problem_(problem),
        kernels_(kernels_of<T>(problem.kernels)),
        epsilon_(epsilon),
        negative_(negative),
        x_(x),
        image_(scratch.take<double>(problem.n)) {}

  int64_t n() const { return problem_.n; }
  const Root& root() const { return problem_.root; }

  // v <- X^power v
  void apply_x(int power, double* v, int64_t* exponent) const {
    for (int k = 0; k < power; ++k) {
      multiply(x_, v);
      take_exponent(v, exponent);
    }
  }
  // v <- B v
  void apply_b(double* v, int64_t* exponent) const {
    multiply(problem_.symmetric, v);
    for (int64_t i = 0; i < n(); ++i) v[i] += epsilon_ * image_[i];
    negative_.add_to(image_, v);
    take_exponent(v, exponent);
  }
  // v <- v 2^exponent
  void settle(double* v, int64_t exponent) const {
    const auto shift = static_cast<int>(std::clamp<int64_t>(exponent, -5000, 5000));
    for (int64_t i = 0; i < n(); ++i) v[i] = std::ldexp(v[i], shift);
  }
  // In units of S and x, X^a B^b = 2^-result_remainder I.
  int64_t unit() const { return -problem_.result_remainder(); }

 private:
  void multiply(const T* matrix, double* v) const {
    std::copy_n(v, n(), image_);
    for (int64_t i = 0; i < n(); ++i) v[i] = kernels_.dot_wide(n(), matrix + i * n(), image_);
  }
  void take_exponent(double* v, int64_t* exponent) const {
    double largest = 0;
    for (int64_t i = 0; i < n(); ++i) largest = std::max(largest, std::abs(v[i]));
    if (largest == 0 || !std::isfinite(largest)) return;
    const int shift = std::ilogb(largest);
    const double factor = std::ldexp(1.0, -std::clamp(shift, -1000, 1000));
    for (int64_t i = 0; i < n(); ++i) v[i] *= factor;
    *exponent += std::clamp(shift, -1000, 1000);
  }

  const RootProblem<T>& problem_;
  const Kernels<T>& kernels_;
  double epsilon_;
  const NegativePart& negative_;
  const T* x_;
  double* image_;
};

// y = W z, W the word of a factors X and b factors B that certificate.hpp describes.
template <typename T>
void balanced_product(const Factors<T>& factors, const double* z, double* y) {
  const int64_t n = factors.n();
  const int a = factors.root().a, b = factors.root().b;
  // B number j stands after (j + 1/2) a / b factors X, rounded; half way up or, in the mirror image, down.
  const auto multiply_word = [&](bool half_up, double* to) {
    int64_t exponent = factors.unit();
    std::copy_n(z, n, to);
    int done = 0;
    for (int j = 0; j < b; ++j) {
      const int before = ((2 * j + 1) * a + b - (half_up ? 0 : 1)) / (2 * b);
      factors.apply_x(before - done, to, &exponent);
      factors.apply_b(to, &exponent);
      done = before;
    }
    factors.apply_x(a - done, to, &exponent);
    factors.settle(to, exponent);
  };
  multiply_word(true, y);
  const bool is_palindrome = a % 2 == 0 || b % 2 == 0;
  if (is_palindrome) return;
  Scratch scratch;
  double* mirrored = scratch.take<double>(n);
  multiply_word(false, mirrored);
  for (int64_t i = 0; i < n; ++i) y[i] = (y[i] + mirrored[i]) / 2;
}

// NaN where an element is: a residual that is not a number must not pass for a small one.
double norm_of_difference(int64_t n, const double* x, const double* y) {
  double largest = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double size = std::abs(x[i] - y[i]);
    if (std::isnan(size)) return size;
    largest = std::max(largest, size);
  }
  if (largest == 0 || std::isinf(largest)) return largest;
  for (int64_t i = 0; i < n; ++i) squares += (x[i] - y[i]) / largest * ((x[i] - y[i]) / largest);
  return largest * std::sqrt(squares);
}

struct Ratio {
  double error;
  double size;
};

template <typename T>
Ratio measure(const RootProblem<T>& problem, const Factors<T>& factors, const double* z) {
  const int64_t n = problem.n;
  Scratch scratch;
  double* zero = scratch.take<double>(n);
  double* first = scratch.take<double>(n);
  double* second = scratch.take<double>(n);
  std::fill_n(zero, n, 0.0);
  const double size = norm_of_difference(n, z, zero);
  if (problem.root.inverse) {
    balanced_product(factors, z, first);
    if (!problem.pseudo_inverse()) return {norm_of_difference(n, first, z), size};
    balanced_product(factors, first, second);
    return {norm_of_difference(n, second, first), size};
  }
  int64_t exponent = factors.unit();
  std::copy_n(z, n, first);
  factors.apply_x(problem.root.a, first, &exponent);
  factors.settle(first, exponent);
  exponent = 0;
  std::copy_n(z, n, second);
  for (int k = 0; k < problem.root.b; ++k) factors.apply_b(second, &exponent);
  factors.settle(second, exponent);
  return {norm_of_difference(n, first, second), norm_of_difference(n, second, zero)};
}

}  // namespace

template <typename T>
double balanced_residual(const RootProblem<T>& problem, double epsilon, const NegativePart& negative, const T* x) {
  const int64_t n = problem.n;
  Scratch scratch;
  const Factors<T> factors(problem, epsilon, negative, x, scratch);
  double* z = scratch.take<double>(n);
  double error = 0, size = 0;
  if (problem.options.full_residual == 0) {
    for (int64_t i = 0; i < n; ++i) z[i] = random_sign(probe_stream, static_cast<uint64_t>(i));
    const Ratio ratio = measure(problem, factors, z);
    error = ratio.error;
    size = ratio.size;
  } else {
    std::fill_n(z, n, 0.0);
    for (int64_t j = 0; j < n; ++j) {
      z[j] = 1;
      const Ratio ratio = measure(problem, factors, z);
      z[j] = 0;
      error = std::hypot(error, ratio.error);
      size = std::hypot(size, ratio.size);
    }
  }
  return error == 0 ? 0 : error / size;
}

template double balanced_residual<float>(const RootProblem<float>&, double, const NegativePart&, const float*);
template double balanced_residual<double>(const RootProblem<double>&, double, const NegativePart&, const double*);

}  // namespace kronroot::cpu
