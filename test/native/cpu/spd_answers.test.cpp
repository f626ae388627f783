// The defined answers of cholesky, spd_inverse and spd_solve: ridges, failures, aliasing, and independence of a matrix
// from its batch and the threads.
#include <algorithm>
#include <cmath>
#include <vector>

#include "spd_matrices.hpp"

namespace {

using namespace kronroot::test;
using kronroot::cpu::KernelSet;

// epsilon, read off L L^T - A.
template <typename T>
double epsilon_used(const KernelSet& set, Batch<T>& a, int32_t ridge, double value) {
  std::vector<kr_report> reports;
  Batch<T> l = run(set, kronroot::cpu::cholesky, {ridge, 0, value}, a, reports);
  if (reports[0].status != KR_STATUS_OK) return nan_of<double>;
  double sum = 0;
  for (int64_t i = 0; i < a.rows(); ++i) {
    long double square = 0;
    for (int64_t k = 0; k <= i; ++k) square += static_cast<long double>(l(i, k)) * l(i, k);
    sum += static_cast<double>(square - lower(a, 0, i, i));
  }
  return sum / static_cast<double>(a.rows());
}

TEST("cholesky: every ridge adds the epsilon that ops.h gives") {
  Uniform random(3);
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t n : {1, 5, 40, 100}) {
      for (const double scale : {1.0, 1e-200, 1e200}) {
        Batch<double> a = spd<double>(1, n, 1e3, scale, random);
        double trace = 0;
        for (int64_t i = 0; i < n; ++i) trace += a(i, i);
        const double rounding = 1e-13 * scale;
        EXPECT_NEAR(epsilon_used(*set, a, KR_RIDGE_DEFAULT, 0), 0, rounding);
        EXPECT_NEAR(epsilon_used(*set, a, KR_RIDGE_NONE, 5), 0, rounding);
        EXPECT_NEAR(epsilon_used(*set, a, KR_RIDGE_ABSOLUTE, 0.5 * scale), 0.5 * scale, rounding);
        EXPECT_NEAR(epsilon_used(*set, a, KR_RIDGE_TRACE, 0.3), 0.3 * trace / static_cast<double>(n), rounding);
        for (const double value : {0.01, 0.8, 3.0}) {
          const double epsilon = epsilon_used(*set, a, KR_RIDGE_RELATIVE, value) / (value * scale);
          EXPECT(epsilon >= 1 - 1e-10 && epsilon <= 1.05);  // lambda_max = scale
        }
      }
    }
  }
}

TEST("cholesky: a relative ridge is relative to lambda_max, also where -lambda_min is larger") {
  for (const KernelSet* set : kernel_sets()) {
    Batch<double> a = Batch<double>::diagonal({1, -4, 0.5});
    std::vector<kr_report> reports;
    run(*set, kronroot::cpu::cholesky, {KR_RIDGE_RELATIVE, 0, 2}, a, reports);  // -4 + 2 <= 0
    EXPECT(reports[0].status == KR_STATUS_NOT_POSITIVE_DEFINITE);
    EXPECT(reports[0].detail == 1);
  }
}

template <typename T>
void check_failures(const KernelSet& set) {
  const std::string name = std::string(set.name) + " " + type_name<T>;
  constexpr int64_t n = 37;
  Uniform random(4);
  Batch<T> good = spd<T>(4, n, 100, 1, random);
  for (const Op op : {kronroot::cpu::cholesky, kronroot::cpu::spd_inverse}) {
    std::vector<kr_report> reports;
    Batch<T> expected = run(set, op, {}, good, reports);
    Batch<T> a = good;
    for (int64_t i = 0; i < n; ++i) a(1, i, 0) = 0;  // zero column: pivot 0 fails
    a(2, 20, 20) = -1;                               // 0 to 19 pass
    a(3, 30, 7) = infinity_of<T>;
    for (const int threads : {1, 2}) {
      Batch<T> x = run(set, op, {}, a, reports, threads);
      check(reports[0].status == KR_STATUS_OK, name, "neighbour", reports[0].status);
      check(reports[1].status == KR_STATUS_NOT_POSITIVE_DEFINITE && reports[1].detail == 0, name, "pivot 0",
            reports[1].detail);
      check(reports[2].status == KR_STATUS_NOT_POSITIVE_DEFINITE && reports[2].detail == 20, name, "pivot 20",
            reports[2].detail);
      check(reports[3].status == KR_STATUS_NON_FINITE_INPUT && reports[3].detail == -1, name, "infinity",
            reports[3].status);
      check(untouched(x, 1) && untouched(x, 2) && untouched(x, 3), name, "a failed matrix was written");
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) check(x(0, i, j) == expected(0, i, j), name, "neighbour's bits");
      }
    }
  }
}

TEST("cholesky, spd_inverse: failures name the pivot, write nothing and touch no neighbour") {
  for (const KernelSet* set : kernel_sets()) {
    check_failures<float>(*set);
    check_failures<double>(*set);
  }
}

template <typename T>
void check_in_place_and_threads(const KernelSet& set) {
  const std::string name = std::string(set.name) + " " + type_name<T>;
  Uniform random(5);
  constexpr int64_t n = 150;  // too large for lanes: alone and in a batch the path is the same
  Batch<T> a = spd<T>(9, n, 1000, 1, random);
  for (const Op op : {kronroot::cpu::cholesky, kronroot::cpu::spd_inverse}) {
    std::vector<kr_report> reports, again;
    Batch<T> one = run(set, op, {KR_RIDGE_RELATIVE, 0, 1e-3}, a, reports, 1);
    Batch<T> two = run(set, op, {KR_RIDGE_RELATIVE, 0, 1e-3}, a, again, 2);
    check(same_bits(one.data(), two.data()), name, "threads");
    check(std::memcmp(reports.data(), again.data(), reports.size() * sizeof(kr_report)) == 0, name, "reports");
    Batch<T> in_place = a;
    const DeviceCall call(set, 2);
    const kr_cholesky_options options{KR_RIDGE_RELATIVE, 0, 1e-3};
    check(op(call.get(), &options, &in_place, &in_place, nullptr) == KR_OK, name, "in place");
    for (int64_t b = 0; b < 9; ++b) {
      Batch<T> alone(1, n, n, nan_of<T>);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j <= i; ++j) alone(i, j) = a(b, i, j);
      }
      Batch<T> x = run(set, op, options, alone, again);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          check(one(b, i, j) == x(i, j), name, "alone and in the batch differ");
          check(one(b, i, j) == in_place(b, i, j), name, "in place differs");
        }
      }
    }
  }
}

TEST("cholesky, spd_inverse: the same bits in place, alone and for any number of threads") {
  for (const KernelSet* set : kernel_sets()) {
    check_in_place_and_threads<float>(*set);
    check_in_place_and_threads<double>(*set);
  }
}

TEST("spd_solve: x may be b, b non-finite fails, and b = 0 gives 0") {
  for (const KernelSet* set : kernel_sets()) {
    Batch<double> a{{4, nan_of<double>}, {2, 5}};
    Batch<double> b{{8, 0, 1}, {8, 0, 1}};
    const DeviceCall call(*set);
    kr_report report{};
    EXPECT(kronroot::cpu::spd_solve(call.get(), nullptr, &a, &b, &b, &report) == KR_OK);
    EXPECT_NEAR(b(0, 0), 1.5, 1e-15);
    EXPECT_NEAR(b(1, 0), 1, 1e-15);
    EXPECT(b(0, 1) == 0 && b(1, 1) == 0);
    EXPECT(report.status == KR_STATUS_OK);
    b(0, 2) = nan_of<double>;
    const Batch<double> before = b;
    EXPECT(kronroot::cpu::spd_solve(call.get(), nullptr, &a, &b, &b, &report) == KR_OK);
    EXPECT(report.status == KR_STATUS_NON_FINITE_INPUT);
    EXPECT(same_bits(b.data(), before.data()));
  }
}

TEST("spd_solve: the same bits for any number of threads") {
  Uniform random(6);
  for (const KernelSet* set : kernel_sets()) {
    Batch<float> a = spd<float>(7, 50, 100, 1, random);
    Batch<float> b(7, 50, 20), one(7, 50, 20), two(7, 50, 20);
    random.fill(b);
    const DeviceCall one_thread(*set, 1), two_threads(*set, 2);
    EXPECT(kronroot::cpu::spd_solve(one_thread.get(), nullptr, &a, &b, &one, nullptr) == KR_OK);
    EXPECT(kronroot::cpu::spd_solve(two_threads.get(), nullptr, &a, &b, &two, nullptr) == KR_OK);
    EXPECT(same_bits(one.data(), two.data()));
  }
}

TEST("spd ops: cancelled matrices say so") {
  const int32_t cancel = 1;
  Batch<float> a = Batch<float>::identity(3), l(1, 3, 3, kUntouched<float>);
  const DeviceCall call(*kernel_sets().front(), 1, &cancel);
  kr_report report{};
  EXPECT(kronroot::cpu::cholesky(call.get(), nullptr, &a, &l, &report) == KR_CANCELLED);
  EXPECT(report.status == KR_STATUS_CANCELLED);
  EXPECT(untouched(l, 0));
}

}  // namespace
