// cholesky and spd_inverse with one matrix to a lane: the bounds of ops.h, the answers of the path for
// single matrices, and independence of a lane from its neighbours.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "native/core/matrix.hpp"
#include "spd_lanes.hpp"

namespace {

using namespace kronroot::test;
using kronroot::ulp_of;
using kronroot::cpu::kernels_of;
using kronroot::cpu::KernelSet;

constexpr double kRatioBound = 10;  // ops.h
constexpr Op kOps[] = {kronroot::cpu::cholesky, kronroot::cpu::spd_inverse};

// An op on a device that computes everything in lanes, or nothing.
template <typename T>
Batch<T> run_on(bool lanes, const KernelSet& set, Op op, const kr_cholesky_options& options, Batch<T>& a,
                std::vector<kr_report>& reports, int threads = 1) {
  Batch<T> x(a.descriptor().batch, a.rows(), a.cols(), kUntouched<T>, kPadding);
  reports.assign(static_cast<size_t>(a.descriptor().batch), kr_report{});
  kr_device device{&set, threads};
  device.crossovers = &spd_crossovers(lanes);
  Call call;
  call.fields().device = &device;
  check(op(call.get(), &options, &a, &x, reports.data()) == KR_OK, call.message(), "code");
  return x;
}

double norm1(int64_t n, const std::function<double(int64_t, int64_t)>& f) {
  double largest = 0;
  for (int64_t j = 0; j < n; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += std::abs(f(i, j));
    largest = std::max(largest, sum);
  }
  return largest;
}

template <typename T>
void check_bounds(const std::string& name, Op op, Batch<T>& a, Batch<T>& x, int64_t b, const kr_report& report) {
  const int64_t n = a.rows();
  const double ratio_unit = static_cast<double>(n) * ulp_of<T>;
  const double size = norm1(n, [&](int64_t i, int64_t j) { return lower(a, b, i, j); });
  check(report.status == KR_STATUS_OK && report.method == KR_METHOD_CHOLESKY, name, "status", report.status);
  if (op == kOps[0]) {
    double most = 0, least = HUGE_VAL;
    for (int64_t i = 0; i < n; ++i) {
      most = std::max<double>(most, x(b, i, i));
      least = std::min<double>(least, x(b, i, i));
      for (int64_t j = i + 1; j < n; ++j) check(x(b, i, j) == 0, name, "not zero above the diagonal");
    }
    const double error = norm1(n, [&](int64_t i, int64_t j) {
      double sum = static_cast<double>(-lower(a, b, i, j));
      for (int64_t k = 0; k <= std::min(i, j); ++k) sum += static_cast<double>(x(b, i, k)) * x(b, j, k);
      return sum;
    });
    check(error < kRatioBound * ratio_unit * size, name, "bound", error / (ratio_unit * size));
    check(report.residual < kRatioBound * ulp_of<T>, name, "residual", report.residual);
    check(std::abs(report.condition / (most / least * most / least) - 1) < 1e-6, name, "condition");
  } else {
    const double inverse_size = norm1(n, [&](int64_t i, int64_t j) { return x(b, i, j); });
    const double error = norm1(n, [&](int64_t i, int64_t j) {
      double sum = i == j ? -1 : 0;
      for (int64_t k = 0; k < n; ++k) sum += static_cast<double>(lower(a, b, i, k)) * x(b, k, j);
      if (j < i) check(x(b, i, j) == x(b, j, i), name, "not symmetric");
      return sum;
    });
    const double unit = ratio_unit * size * inverse_size;
    check(error <= kRatioBound * unit, name, "bound", error / unit);
    check(report.residual <= std::sqrt(static_cast<double>(n)) * error + unit / ulp_of<T> * 0x1p-50, name, "residual",
          report.residual);
  }
}

template <typename T>
void check_sizes(const KernelSet& set) {
  Uniform random(11);
  const int64_t lanes = kernels_of<T>(set).lanes;
  std::vector<int64_t> sizes;
  for (int64_t n = 0; n <= 20; ++n) sizes.push_back(n);
  sizes.insert(sizes.end(), {31, 32, 33, 63, 64, 65});
  for (const int64_t n : sizes) {
    Batch<T> a = mixed<T>(lanes + 1, n, random);
    Batch<T> gapless = part_of(a, 0, lanes + 1, 0);
    for (const Op op : kOps) {
      const std::string name = name_of(set, type_name<T>, op == kOps[0] ? "cholesky" : "spd_inverse", n);
      std::vector<kr_report> reports, again;
      Batch<T> x = run_on(true, set, op, {}, a, reports);
      Batch<T> of_gapless = run_on(true, set, op, {}, gapless, again);
      for (int64_t b = 0; b <= lanes; ++b) {
        if (n > 0) check_bounds(name, op, a, x, b, reports[static_cast<size_t>(b)]);
        check(same_matrix(x, b, of_gapless, b), name, "rows with and without gaps");
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = n; j < n + kPadding; ++j)
            check(x(b, i, j) == kUntouched<T>, name, "the padding was written");
        }
      }
      for (int64_t count = 1; count < lanes; count += n < 20 ? 1 : lanes / 2) {
        Batch<T> some = part_of(a, lanes - count, count, 1);
        Batch<T> of_some = run_on(true, set, op, {}, some, again);
        for (int64_t b = 0; b < count; ++b) {
          check(same_matrix(of_some, b, x, lanes - count + b), name, "alone and in a group differ");
          check(same_report(again[static_cast<size_t>(b)], reports[static_cast<size_t>(lanes - count + b)]), name,
                "reports alone and in a group differ");
        }
      }
    }
  }
}

TEST("spd lanes: the bounds of ops.h at every size, and the same bits in any lane of any group") {
  for (const KernelSet* set : kernel_sets()) {
    check_sizes<float>(*set);
    check_sizes<double>(*set);
  }
}

// Each lane fails at another pivot or holds no numbers; the others do not notice.
template <typename T>
void check_failures(const KernelSet& set, int64_t n) {
  Uniform random(12);
  const int64_t lanes = kernels_of<T>(set).lanes, batch = 2 * lanes;
  Batch<T> good = mixed<T>(batch, n, random), bad = good;
  const auto pivot_of = [&](int64_t b) { return b * 7 % n; };
  for (int64_t b = 0; b < batch; b += 2) {
    const int64_t pivot = pivot_of(b);
    if (b % 3 == 0) {
      bad(b, n - 1, pivot) = b % 4 == 0 ? nan_of<T> : -infinity_of<T>;
    } else {
      bad(b, pivot, pivot) = -1;
    }
  }
  for (const Op op : kOps) {
    const std::string name = name_of(set, type_name<T>, op == kOps[0] ? "cholesky" : "spd_inverse", n);
    std::vector<kr_report> expected, reports;
    Batch<T> x = run_on(true, set, op, {}, good, expected);
    for (const int threads : {1, 2}) {
      Batch<T> y = run_on(true, set, op, {}, bad, reports, threads);
      for (int64_t b = 0; b < batch; ++b) {
        const kr_report& report = reports[static_cast<size_t>(b)];
        if (b % 2 != 0) {
          check(same_matrix(x, b, y, b), name, "a neighbour's bits");
          check(same_report(report, expected[static_cast<size_t>(b)]), name, "a neighbour's report");
        } else if (b % 3 == 0) {
          check(report.status == KR_STATUS_NON_FINITE_INPUT && report.detail == -1, name, "not finite", report.status);
        } else {
          check(report.status == KR_STATUS_NOT_POSITIVE_DEFINITE, name, "indefinite", report.status);
          check(report.detail == pivot_of(b), name, "pivot", report.detail);
        }
        if (b % 2 == 0) check(untouched(y, b), name, "a failed matrix was written");
      }
    }
  }
}

TEST("spd lanes: a lane that fails names its pivot, is not written and disturbs no other") {
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t n : {1, 3, 4, 8, 13, 32}) {
      check_failures<float>(*set, n);
      check_failures<double>(*set, n);
    }
  }
}

// Both paths on the same matrices: the same statuses, and results that differ by rounding.
template <typename T>
void check_against_single(const KernelSet& set, const kr_cholesky_options& options, Batch<T>& a, double condition) {
  const int64_t n = a.rows(), batch = a.descriptor().batch;
  for (const Op op : kOps) {
    const std::string name = name_of(set, type_name<T>, op == kOps[0] ? "cholesky" : "spd_inverse", n) + " ridge " +
                             std::to_string(options.ridge);
    std::vector<kr_report> reports, expected;
    Batch<T> x = run_on(true, set, op, options, a, reports);
    Batch<T> y = run_on(false, set, op, options, a, expected);
    for (int64_t b = 0; b < batch; ++b) {
      const kr_report &ours = reports[static_cast<size_t>(b)], &theirs = expected[static_cast<size_t>(b)];
      check(ours.status == theirs.status, name, "status", ours.status);
      check(ours.detail == theirs.detail, name, "detail", ours.detail);
      if (theirs.status != KR_STATUS_OK) {
        check(untouched(x, b), name, "a failed matrix was written");
        continue;
      }
      const double size = norm1(n, [&](int64_t i, int64_t j) { return y(b, i, j); });
      const double error = norm1(n, [&](int64_t i, int64_t j) { return static_cast<double>(x(b, i, j)) - y(b, i, j); });
      const double denormal = static_cast<double>(n) * static_cast<double>(std::numeric_limits<T>::denorm_min());
      check(error <= kRatioBound * static_cast<double>(n) * ulp_of<T> * condition * size + denormal, name, "result",
            error / size);
      check(std::abs(ours.condition / theirs.condition - 1) < 10 * static_cast<double>(n) * ulp_of<T> * condition, name,
            "condition", ours.condition / theirs.condition);
    }
  }
}

template <typename T>
void check_ridges(const KernelSet& set) {
  Uniform random(13);
  for (const int64_t n : {1, 5, 16, 40}) {
    for (const double scale : {1.0, sizeof(T) == 4 ? 1e-25 : 1e-200, sizeof(T) == 4 ? 1e25 : 1e200}) {
      Batch<T> a = spd<T>(kernels_of<T>(set).lanes + 1, n, 10, scale, random);
      check_against_single(set, {KR_RIDGE_NONE, 0, 5}, a, 10);
      check_against_single(set, {KR_RIDGE_ABSOLUTE, 0, 0.5 * scale}, a, 10);
      check_against_single(set, {KR_RIDGE_ABSOLUTE, 0, 0}, a, 10);
      check_against_single(set, {KR_RIDGE_TRACE, 0, 0.3}, a, 10);
      check_against_single(set, {KR_RIDGE_RELATIVE, 0, 0}, a, 10);
      check_against_single(set, {KR_RIDGE_RELATIVE, 0, 2}, a, 10);
    }
  }
}

TEST("spd lanes: every ridge as in the path for single matrices") {
  for (const KernelSet* set : kernel_sets()) {
    check_ridges<float>(*set);
    check_ridges<double>(*set);
  }
}

// epsilon, read off L L^T - A.
template <typename T>
double epsilon_used(Batch<T>& a, Batch<T>& l, int64_t b) {
  double sum = 0;
  for (int64_t i = 0; i < a.rows(); ++i) {
    long double square = 0;
    for (int64_t k = 0; k <= i; ++k) square += static_cast<long double>(l(b, i, k)) * l(b, i, k);
    sum += static_cast<double>(square - lower(a, b, i, i));
  }
  return sum / static_cast<double>(a.rows());
}

// Spectra of every kind side by side, so that every lane needs another number of squarings; lambda_max = scale.
template <typename T>
void check_relative_ridge(const KernelSet& set, int64_t n, double scale) {
  Uniform random(18);
  const int64_t batch = 2 * kernels_of<T>(set).lanes;
  Batch<T> a(batch, n, n, nan_of<T>, kPadding);
  for (int64_t b = 0; b < batch; ++b) {
    std::vector<double> values = geometric(n, std::pow(10.0, static_cast<double>(b % 5)));
    if (b % 4 == 1) std::fill(values.begin(), values.end(), 1.0);
    if (b % 4 == 2) std::fill(values.begin() + 1, values.end(), 0.5);
    fill_symmetric(a, b, values, scale, random);
  }
  for (int64_t i = 0; i < n; ++i) {  // the zero matrix has no ridge
    for (int64_t j = 0; j <= i; ++j) a(1, i, j) = 0;
  }
  constexpr double kValue = 0.25;
  const std::string name = name_of(set, type_name<T>, "relative ridge", n);
  std::vector<kr_report> reports, again;
  Batch<T> l = run_on(true, set, kOps[0], {KR_RIDGE_RELATIVE, 0, kValue}, a, reports);
  for (int64_t b = 0; b < batch; ++b) {
    const kr_report& report = reports[static_cast<size_t>(b)];
    if (b == 1) {
      check(report.status == KR_STATUS_NOT_POSITIVE_DEFINITE, name, "zero", report.status);
      continue;
    }
    check(report.status == KR_STATUS_OK, name, "status", report.status);
    const double ratio = epsilon_used(a, l, b) / (kValue * scale), rounding = 30 * static_cast<double>(n) * ulp_of<T>;
    check(ratio >= 1 - rounding && ratio <= 1.05 + rounding, name, "epsilon", ratio);
    Batch<T> one = part_of(a, b, 1, 0);
    Batch<T> alone = run_on(true, set, kOps[0], {KR_RIDGE_RELATIVE, 0, kValue}, one, again);
    check(same_matrix(alone, 0, l, b), name, "alone and in a group differ");
    check(same_report(again[0], report), name, "reports alone and in a group differ");
  }
}

TEST("spd lanes: a relative ridge lies at most 5 % above, whatever the neighbours need") {
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t n : {1, 2, 5, 16, 21, 40}) {
      for (const double scale : {1.0, 1e-9, 1e9, 1e-30, 1e30}) check_relative_ridge<float>(*set, n, scale);
      for (const double scale : {1.0, 1e-90, 1e90, 1e-200, 1e200}) check_relative_ridge<double>(*set, n, scale);
    }
  }
}

// One group of matrices from one end of the type to the other, the zero matrix and small ridges beside large ones.
template <typename T>
void check_scales(const KernelSet& set) {
  Uniform random(14);
  using Limits = std::numeric_limits<T>;
  const T scales[] = {Limits::max() / 2, Limits::min(), Limits::denorm_min() * 1024, 1, T{1e-14}, T{1e14}, 0};
  Batch<T> a(2 * std::size(scales), 6, 6, nan_of<T>, kPadding);
  for (int64_t b = 0; b < a.descriptor().batch; ++b) {
    fill_symmetric(a, b, geometric(6, 10), static_cast<double>(scales[static_cast<size_t>(b) % std::size(scales)]),
                   random);
  }
  // Denormal numbers are that much less exact.
  check_against_single(set, {}, a, 10);
  check_against_single(set, {KR_RIDGE_ABSOLUTE, 0, 1e-30}, a, 10);
  check_against_single(set, {KR_RIDGE_ABSOLUTE, 0, 1e30}, a, 10);
  check_against_single(set, {KR_RIDGE_ABSOLUTE, 0, 1e300}, a, 10);
  check_against_single(set, {KR_RIDGE_TRACE, 0, 1}, a, 10);
}

TEST("spd lanes: the whole range of the type beside each other in one group, and overflow") {
  for (const KernelSet* set : kernel_sets()) {
    check_scales<float>(*set);
    check_scales<double>(*set);
  }
}

}  // namespace
