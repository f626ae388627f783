// spd_solve with one matrix to a lane: the bound of ops.h, the answers of the path for single matrices, and
// independence of a lane from its neighbours.
#include <algorithm>
#include <cmath>
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

template <typename T>
Batch<T> solve_on(bool lanes, const KernelSet& set, const kr_cholesky_options& options, Batch<T>& a, Batch<T>& b,
                  std::vector<kr_report>& reports, int threads = 1) {
  Batch<T> x(b.descriptor().batch, b.rows(), b.cols(), kUntouched<T>, kPadding);
  reports.assign(static_cast<size_t>(b.descriptor().batch), kr_report{});
  kr_device device{&set, threads};
  device.crossovers = &spd_crossovers(lanes);
  Call call;
  call.fields().device = &device;
  check(kronroot::cpu::spd_solve(call.get(), &options, &a, &b, &x, reports.data()) == KR_OK, call.message(), "code");
  return x;
}

// max over columns of |A x - b|_2 / (|A|_F |x|_2 + |b|_2)
template <typename T>
double solve_residual(Batch<T>& a, Batch<T>& b, Batch<T>& x, int64_t index) {
  const int64_t n = a.rows();
  long double squares = 0, largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) squares += lower(a, index, i, j) * lower(a, index, i, j);
  }
  for (int64_t j = 0; j < b.cols(); ++j) {
    long double error = 0, solution = 0, right = 0;
    for (int64_t i = 0; i < n; ++i) {
      long double sum = -static_cast<long double>(b(index, i, j));
      for (int64_t k = 0; k < n; ++k) sum += lower(a, index, i, k) * x(index, k, j);
      error += sum * sum;
      solution += static_cast<long double>(x(index, i, j)) * x(index, i, j);
      right += static_cast<long double>(b(index, i, j)) * b(index, i, j);
    }
    if (error > 0) largest = std::max(largest, std::sqrt(error) / (std::sqrt(squares * solution) + std::sqrt(right)));
  }
  return static_cast<double>(largest);
}

template <typename T>
void check_solve(const KernelSet& set, int64_t n, int64_t columns, Uniform& random) {
  const std::string name = name_of(set, type_name<T>, "spd_solve", n) + " k=" + std::to_string(columns);
  const int64_t lanes = kernels_of<T>(set).lanes;
  Batch<T> a = mixed<T>(lanes + 1, n, random), b(lanes + 1, n, columns, nan_of<T>, kPadding);
  random.fill(b);
  std::vector<kr_report> reports, again;
  Batch<T> x = solve_on(true, set, {}, a, b, reports);
  for (int64_t index = 0; index <= lanes; ++index) {
    const kr_report& report = reports[static_cast<size_t>(index)];
    check(report.status == KR_STATUS_OK, name, "status", report.status);
    const double residual = solve_residual(a, b, x, index);
    check(residual < kRatioBound * static_cast<double>(n) * ulp_of<T>, name, "bound", residual);
    check(std::abs(report.residual - residual) <= 1e-6 * report.residual + 4e-16, name, "residual", report.residual);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = columns; j < columns + kPadding; ++j) check(x(index, i, j) == kUntouched<T>, name, "padding");
    }
  }
  for (const int64_t count : {int64_t{1}, lanes / 2, lanes - 1}) {
    if (count == 0) continue;
    Batch<T> some_a = part_of(a, lanes - count, count, 0), some_b = part_of(b, lanes - count, count, 0);
    Batch<T> some = solve_on(true, set, {}, some_a, some_b, again);
    for (int64_t index = 0; index < count; ++index) {
      check(same_matrix(some, index, x, lanes - count + index), name, "alone and in a group differ");
      check(same_report(again[static_cast<size_t>(index)], reports[static_cast<size_t>(lanes - count + index)]), name,
            "reports alone and in a group differ");
    }
  }
}

TEST("spd_solve lanes: the residual of ops.h at every size, and the same bits in any lane of any group") {
  Uniform random(15);
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33, 64, 65}) {
      for (const int64_t columns : {0, 1, 2, 3, 4, 5, 9}) {
        check_solve<float>(*set, n, columns, random);
        check_solve<double>(*set, n, columns, random);
      }
    }
  }
}

template <typename T>
void check_solve_failures(const KernelSet& set) {
  Uniform random(16);
  constexpr int64_t n = 9, columns = 5;
  const std::string name = name_of(set, type_name<T>, "spd_solve", n);
  const int64_t batch = 2 * kernels_of<T>(set).lanes + 6;
  Batch<T> a = mixed<T>(batch, n, random), b(batch, n, columns, nan_of<T>, kPadding);
  random.fill(b);
  std::vector<kr_report> reports, expected;
  Batch<T> good = solve_on(true, set, {}, a, b, expected);
  a(0, 6, 6) = -1;
  a(2, 3, 1) = nan_of<T>;
  b(4, 8, 4) = infinity_of<T>;
  for (int64_t i = 0; i < n; ++i) {  // x = b / a overflows
    for (int64_t j = 0; j <= i; ++j) a(5, i, j) = i == j ? std::numeric_limits<T>::min() : 0;
    b(5, i, 0) = std::numeric_limits<T>::max();
  }
  const kr_status statuses[] = {KR_STATUS_NOT_POSITIVE_DEFINITE, KR_STATUS_OK,
                                KR_STATUS_NON_FINITE_INPUT,      KR_STATUS_OK,
                                KR_STATUS_NON_FINITE_INPUT,      KR_STATUS_OVERFLOW};
  for (const int threads : {1, 2}) {
    Batch<T> x = solve_on(true, set, {}, a, b, reports, threads);
    for (int64_t index = 0; index < batch; ++index) {
      const kr_report& report = reports[static_cast<size_t>(index)];
      const kr_status status = index < 6 ? statuses[index] : KR_STATUS_OK;
      check(report.status == status, name, "status", report.status);
      check(report.detail == (index == 0 ? 6 : -1), name, "pivot", report.detail);
      if (status == KR_STATUS_OK) {
        check(same_matrix(x, index, good, index), name, "a neighbour's bits");
      } else {
        check(untouched(x, index), name, "a failed matrix was written");
      }
    }
  }
}

TEST("spd_solve lanes: a lane that fails is not written and disturbs no other") {
  for (const KernelSet* set : kernel_sets()) {
    check_solve_failures<float>(*set);
    check_solve_failures<double>(*set);
  }
}

// The same solutions as in the path for single matrices, whatever the ridge and the scale.
template <typename T>
void check_solve_ridges(const KernelSet& set) {
  Uniform random(17);
  constexpr int64_t n = 6, columns = 3;
  for (const double scale : {1.0, sizeof(T) == 4 ? 1e-25 : 1e-200, sizeof(T) == 4 ? 1e25 : 1e200}) {
    Batch<T> a = spd<T>(5, n, 10, scale, random), b(5, n, columns, nan_of<T>, kPadding);
    random.fill(b);
    for (const kr_cholesky_options& options :
         {kr_cholesky_options{}, {KR_RIDGE_ABSOLUTE, 0, 0.5 * scale}, {KR_RIDGE_TRACE, 0, 0.3}}) {
      std::vector<kr_report> reports, expected;
      Batch<T> x = solve_on(true, set, options, a, b, reports), y = solve_on(false, set, options, a, b, expected);
      for (int64_t index = 0; index < 5; ++index) {
        check(reports[static_cast<size_t>(index)].status == KR_STATUS_OK, set.name, "status");
        for (int64_t j = 0; j < columns; ++j) {
          double error = 0, size = 0;
          for (int64_t i = 0; i < n; ++i) {
            error = std::max(error, std::abs(static_cast<double>(x(index, i, j)) - y(index, i, j)));
            size = std::max(size, std::abs(static_cast<double>(y(index, i, j))));
          }
          check(error <= kRatioBound * n * ulp_of<T> * 10 * size, set.name, "solution", error / size);
        }
      }
    }
  }
}

TEST("spd_solve lanes: every ridge and scale as in the path for single matrices") {
  for (const KernelSet* set : kernel_sets()) {
    check_solve_ridges<float>(*set);
    check_solve_ridges<double>(*set);
  }
}

}  // namespace
