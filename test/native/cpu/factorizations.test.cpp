// cholesky, spd_inverse and spd_solve against the bounds of ops.h, on every instruction set.
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "native/core/matrix.hpp"
#include "spd_matrices.hpp"

namespace {

using namespace kronroot::test;
using kronroot::ulp_of;
using kronroot::cpu::KernelSet;

constexpr double kRatioBound = 10;  // ops.h, for all three

std::vector<int64_t> sizes() {
  std::vector<int64_t> all;
  for (int64_t n = 0; n <= 20; ++n) all.push_back(n);
  all.insert(all.end(), {31, 32, 33, 63, 64, 65, 127, 128, 129, 257});
  return all;
}

// max over columns of sum over rows of |f(i, j)|
double norm1(int64_t n, const std::function<long double(int64_t, int64_t)>& f) {
  long double largest = 0;
  for (int64_t j = 0; j < n; ++j) {
    long double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += std::abs(f(i, j));
    largest = std::max(largest, sum);
  }
  return static_cast<double>(largest);
}

template <typename T>
bool padding_untouched(Batch<T>& x) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = x.cols(); j < x.cols() + kPadding; ++j) {
      if (x(i, j) != kUntouched<T>) return false;
    }
  }
  return true;
}

template <typename T>
void check_cholesky(const KernelSet& set, int64_t n, double condition, double scale, Uniform& random) {
  const std::string name = name_of(set, type_name<T>, "cholesky", n);
  Batch<T> a = spd<T>(1, n, condition, scale, random);
  std::vector<kr_report> reports;
  Batch<T> l = run(set, kronroot::cpu::cholesky, {}, a, reports);
  check(reports[0].status == KR_STATUS_OK, name, "status", reports[0].status);
  check(padding_untouched(l), name, "the padding was written");
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = i + 1; j < n; ++j) check(l(i, j) == 0, name, "not zero above the diagonal");
  }
  if (n == 0) return;
  const double size = norm1(n, [&](int64_t i, int64_t j) { return lower(a, 0, i, j); });
  const double error = norm1(n, [&](int64_t i, int64_t j) {
    long double sum = -lower(a, 0, i, j);
    for (int64_t k = 0; k <= std::min(i, j); ++k) sum += static_cast<long double>(l(i, k)) * l(j, k);
    return sum;
  });
  check(error < kRatioBound * static_cast<double>(n) * ulp_of<T> * size, name, "bound",
        error / (static_cast<double>(n) * ulp_of<T> * size));
  check(reports[0].method == KR_METHOD_CHOLESKY && reports[0].rung == KR_RUNG_CHOSEN, name, "method and rung");
  check(reports[0].residual < kRatioBound * ulp_of<T>, name, "residual", reports[0].residual);
  double most = 0, least = HUGE_VAL;
  for (int64_t i = 0; i < n; ++i) {
    most = std::max<double>(most, l(i, i));
    least = std::min<double>(least, l(i, i));
  }
  check(std::abs(reports[0].condition / (most / least * most / least) - 1) < 1e-6, name, "condition");
}

template <typename T>
void check_spd_inverse(const KernelSet& set, int64_t n, double condition, double scale, Uniform& random) {
  const std::string name = name_of(set, type_name<T>, "spd_inverse", n);
  Batch<T> a = spd<T>(1, n, condition, scale, random);
  std::vector<kr_report> reports;
  Batch<T> x = run(set, kronroot::cpu::spd_inverse, {}, a, reports);
  check(reports[0].status == KR_STATUS_OK, name, "status", reports[0].status);
  check(padding_untouched(x), name, "the padding was written");
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) check(x(i, j) == x(j, i), name, "not symmetric");
  }
  if (n == 0) return;
  const double error = norm1(n, [&](int64_t i, int64_t j) {
    long double sum = i == j ? -1 : 0;
    for (int64_t k = 0; k < n; ++k) sum += lower(a, 0, i, k) * x(k, j);
    return sum;
  });
  const double size = norm1(n, [&](int64_t i, int64_t j) { return lower(a, 0, i, j); });
  const double inverse_size = norm1(n, [&](int64_t i, int64_t j) -> long double { return x(i, j); });
  check(error <= kRatioBound * static_cast<double>(n) * ulp_of<T> * size * inverse_size, name, "bound",
        error / (static_cast<double>(n) * ulp_of<T> * size * inverse_size));
  // The probe is |R z| / |z| <= |R|_F <= sqrt(n) |R|_1 for the R whose 1-norm is `error`, but for its own rounding in
  // f64.
  const double rounding = static_cast<double>(n) * ulp_of<double> * size * inverse_size;
  check(reports[0].residual <= std::sqrt(static_cast<double>(n)) * error + rounding, name, "residual",
        reports[0].residual);
}

template <typename T>
void check_spd_solve(const KernelSet& set, int64_t n, int64_t columns, double condition, double scale,
                     Uniform& random) {
  const std::string name = name_of(set, type_name<T>, "spd_solve", n);
  Batch<T> a = spd<T>(1, n, condition, scale, random);
  Batch<T> b(1, n, columns, nan_of<T>, kPadding), x(1, n, columns, kUntouched<T>, kPadding);
  random.fill(b);
  const DeviceCall call(set);
  kr_report report{};
  check(kronroot::cpu::spd_solve(call.get(), nullptr, &a, &b, &x, &report) == KR_OK, name, "code");
  check(report.status == KR_STATUS_OK, name, "status", report.status);
  check(padding_untouched(x), name, "the padding was written");
  long double squares = 0, largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) squares += lower(a, 0, i, j) * lower(a, 0, i, j);
  }
  for (int64_t j = 0; j < columns && n > 0; ++j) {
    long double error = 0, solution = 0, right = 0;
    for (int64_t i = 0; i < n; ++i) {
      long double sum = -static_cast<long double>(b(i, j));
      for (int64_t k = 0; k < n; ++k) sum += lower(a, 0, i, k) * x(k, j);
      error += sum * sum;
      solution += static_cast<long double>(x(i, j)) * x(i, j);
      right += static_cast<long double>(b(i, j)) * b(i, j);
    }
    largest = std::max(largest, std::sqrt(error) / (std::sqrt(squares * solution) + std::sqrt(right)));
  }
  const double ratio = static_cast<double>(largest) / (static_cast<double>(std::max<int64_t>(n, 1)) * ulp_of<T>);
  check(ratio < kRatioBound, name, "bound", ratio);
  if (n > 0 && columns > 0) {
    // Measured from the x that is returned; in f64 it is itself rounded.
    check(std::abs(report.residual - static_cast<double>(largest)) <= 1e-6 * report.residual + 4e-16, name, "residual",
          report.residual / static_cast<double>(largest));
  }
}

template <typename T>
void check_sizes(const KernelSet& set) {
  Uniform random(1);
  const double scales[] = {1, 1e-30, 1e30};
  int turn = 0;
  for (const int64_t n : sizes()) {
    const double condition = turn % 2 == 0 ? 1e2 : 1e5, scale = scales[turn++ % 3];
    check_cholesky<T>(set, n, condition, scale, random);
    check_spd_inverse<T>(set, n, condition, scale, random);
    for (const int64_t columns : {0, 1, 5, 33}) check_spd_solve<T>(set, n, columns, condition, scale, random);
  }
}

TEST("cholesky, spd_inverse, spd_solve: ratios below 10 for every size, condition 1e2 and 1e5, scale 1e-30 to 1e30") {
  for (const KernelSet* set : kernel_sets()) {
    check_sizes<float>(*set);
    check_sizes<double>(*set);
  }
}

template <typename T>
void check_extreme_scales(const KernelSet& set) {
  Uniform random(2);
  const bool is_float = sizeof(T) == 4;
  // A^-1 leaves the range of T, L does not.
  Batch<T> tiny = spd<T>(1, 24, 10, is_float ? 1e-42 : 1e-317, random);
  std::vector<kr_report> reports;
  Batch<T> l = run(set, kronroot::cpu::cholesky, {}, tiny, reports);
  check(reports[0].status == KR_STATUS_OK && l(0, 0) > 0, set.name, "cholesky of denormals", reports[0].status);
  Batch<T> x = run(set, kronroot::cpu::spd_inverse, {}, tiny, reports);
  check(reports[0].status == KR_STATUS_OVERFLOW && untouched(x, 0), set.name, "overflow", reports[0].status);
  Batch<T> huge = spd<T>(1, 24, 10, is_float ? 3e38 : 1e308, random);
  run(set, kronroot::cpu::cholesky, {}, huge, reports);
  check(reports[0].status == KR_STATUS_OK && reports[0].residual < 10 * ulp_of<T>, set.name,
        "cholesky near the largest", reports[0].residual);
  run(set, kronroot::cpu::spd_inverse, {}, huge, reports);
  check(reports[0].status == KR_STATUS_OK, set.name, "inverse near the largest", reports[0].status);
  kr_cholesky_options ridge{KR_RIDGE_ABSOLUTE, 0, 1e300};
  run(set, kronroot::cpu::cholesky, ridge, tiny, reports);
  check(reports[0].status == (is_float ? KR_STATUS_OVERFLOW : KR_STATUS_OK), set.name, "ridge beyond the type",
        reports[0].status);
}

TEST("cholesky, spd_inverse: the whole range of the type, and overflow") {
  for (const KernelSet* set : kernel_sets()) {
    check_extreme_scales<float>(*set);
    check_extreme_scales<double>(*set);
  }
}

}  // namespace
