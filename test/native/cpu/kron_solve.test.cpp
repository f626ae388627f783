// kron_solve against the reference: bound, residual, condition, failures, and what is left alone.
#include <algorithm>
#include <cmath>
#include <vector>

#include "devices.hpp"

using namespace kronroot;
using namespace kronroot::test;

namespace {

const kr_backend& reference = *kr_reference_backend();

// Orthonormal bases and values of random Gram matrices, by the reference.
template <typename T>
void fill_basis(Batch<T>& vectors, Batch<T>& values, Uniform& random) {
  const int64_t batch = vectors.descriptor().batch, n = vectors.rows();
  Batch<T> x(batch, n, n), gram(batch, n, n);
  random.fill(x);
  Call call;
  reference.gram(call.get(), nullptr, &x, &gram);
  reference.eigh(call.get(), nullptr, &gram, &values, &vectors, nullptr);
}

template <typename T>
void fill_positive(Batch<T>& x, Uniform& random) {
  random.fill(x);
  for (int64_t k = 0; k < x.descriptor().batch; ++k) {
    for (int64_t i = 0; i < x.rows(); ++i) {
      for (int64_t j = 0; j < x.cols(); ++j) x(k, i, j) = std::abs(x(k, i, j));
    }
  }
}

template <typename T>
struct Problem {
  Batch<T> a, a_values, b, b_values, scale, statistics, x, y;

  Problem(int64_t batch, int64_t m, int64_t n, Uniform& random)
      : a(batch, m, m),
        a_values(batch, m, 1),
        b(batch, n, n),
        b_values(batch, n, 1),
        scale(batch, m, n),
        statistics(batch, m, n),
        x(batch, m, n),
        y(batch, m, n, T{7}) {
    fill_basis(a, a_values, random);
    fill_basis(b, b_values, random);
    random.fill(x);
    fill_positive(scale, random);
    fill_positive(statistics, random);
  }
};

// Which of the optional operands are there.
struct Form {
  bool bases, values, scale, statistics, y;
};
const Form kForms[] = {
    {true, true, false, false, true},   {true, false, true, false, true},  {true, true, false, true, true},
    {true, false, false, true, false},  {false, true, false, false, true}, {false, false, false, false, true},
    {false, false, false, true, false},
};

template <typename T>
kr_code solve(const kr_backend* backend, const kr_call* call, const kr_kron_solve_options& options, const Form& form,
              Problem<T>& p, kr_report* reports) {
  const kr_kron_bases bases{form.bases ? &p.a : nullptr, form.values ? &p.a_values : nullptr,
                            form.bases ? &p.b : nullptr, form.values ? &p.b_values : nullptr};
  const auto entry = backend == nullptr ? cpu::kron_solve : backend->kron_solve;
  return entry(call, &options, &bases, form.scale ? &p.scale : nullptr, form.statistics ? &p.statistics : nullptr, &p.x,
               form.y ? &p.y : nullptr, reports);
}

template <typename T>
double distance(const Batch<T>& x, const Batch<T>& y) {
  double squares = 0;
  for (size_t i = 0; i < x.data().size(); ++i) {
    const double d = static_cast<double>(x.data()[i]) - static_cast<double>(y.data()[i]);
    squares += d * d;
  }
  return std::sqrt(squares);
}

template <typename T>
double norm_of(Batch<T>& x) {
  const kr_batch& shape = x.descriptor();
  return distance(x, Batch<T>(shape.batch, shape.rows, shape.cols));
}

template <typename T>
void compare_with_reference(const cpu::KernelSet& set) {
  Uniform random(3);
  const double ulp = sizeof(T) == 4 ? 0x1p-23 : 0x1p-52;
  for (const auto& [m, n] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {2, 7}, {8, 8}, {9, 4}, {33, 20}, {70, 65}}) {
    for (const Form& form : kForms) {
      for (const int32_t power : {KR_KRON_POWER_ONE, KR_KRON_POWER_HALF}) {
        const kr_kron_solve_options options{power, KR_RIDGE_RELATIVE, 0.01, 1.5, power == 0 ? 0 : 0.1, 0.9, 0.2};
        Problem<T> ours(2, m, n, random), theirs(ours), shared(ours);
        const std::string where = std::string(set.name) + " " + type_name<T> + " " + std::to_string(m) + " x " +
                                  std::to_string(n) + " form " + std::to_string(&form - kForms);
        DeviceCall one(set), two(set, 2);
        Call call;
        kr_report reports[2], expected[2];
        check(solve<T>(nullptr, one.get(), options, form, ours, reports) == KR_OK, where, "answers");
        check(solve<T>(&reference, call.get(), options, form, theirs, expected) == KR_OK, where, "reference");
        solve<T>(nullptr, two.get(), options, form, shared, nullptr);
        check(same_bits(ours.y.data(), shared.y.data()) && same_bits(ours.statistics.data(), shared.statistics.data()),
              where, "same bits on two threads");
        for (int k = 0; k < 2; ++k) {
          check(reports[k].status == KR_STATUS_OK && expected[k].status == KR_STATUS_OK, where, "status");
          check(reports[k].residual < 20 * static_cast<double>(std::max(m, n)) * ulp, where, "residual",
                reports[k].residual);
          const double ratio = reports[k].condition / expected[k].condition;
          check(!form.y || std::abs(ratio - 1) < 1e-3, where, "condition", ratio);
        }
        // Both differ from the exact results by the bound at most; the damping is 1 % of the largest scale, and the
        // largest quotient is in Y. So is the largest square in S.
        const double bound = 2 * (std::pow(m, 1.5) + std::pow(n, 1.5) + 8) * ulp;
        check(distance(ours.y, theirs.y) <= 100 * bound * norm_of(theirs.y), where, "solution");
        check(distance(ours.statistics, theirs.statistics) <= bound * norm_of(theirs.statistics), where, "statistics");
      }
    }
  }
}

// A Y B + damping Y = X for A and B put together from their bases.
void solves_the_system(const cpu::KernelSet& set) {
  Uniform random(8);
  const int64_t m = 6, n = 5;
  Problem<double> p(1, m, n, random);
  const kr_kron_solve_options options{KR_KRON_POWER_ONE, KR_RIDGE_ABSOLUTE, 0.3, 0, 0, 0, 0};
  DeviceCall call(set);
  EXPECT(solve<double>(nullptr, call.get(), options, {true, true, false, false, true}, p, nullptr) == KR_OK);
  const auto of = [](Batch<double>& q, Batch<double>& w, int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t k = 0; k < q.rows(); ++k) sum += q(i, k) * w(k, 0) * q(j, k);
    return sum;
  };
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0.3 * p.y(i, j);
      for (int64_t k = 0; k < m; ++k) {
        for (int64_t l = 0; l < n; ++l) sum += of(p.a, p.a_values, i, k) * p.y(k, l) * of(p.b, p.b_values, l, j);
      }
      EXPECT_NEAR(sum, p.x(i, j), 1e-12);
    }
  }
}

// Three matrices of 30 elements: the one in the middle is as it was before, the others as in the good batch.
template <typename T>
void expect_as_before(const Batch<T>& got, const Batch<T>& before, const Batch<T>& good) {
  for (size_t i = 0; i < 90; ++i) {
    const T wanted = (i / 30 == 1 ? before : good).data()[i];
    EXPECT(got.data()[i] == wanted || (std::isnan(got.data()[i]) && std::isnan(wanted)));
  }
}

// One bad matrix of three: its status, its outputs as they were, and its neighbours to the bit.
template <typename T, typename Spoil>
void expect_alone(const cpu::KernelSet& set, kr_status status, int32_t detail, const Form& form, Spoil spoil) {
  Uniform random(4);
  const kr_kron_solve_options options{KR_KRON_POWER_ONE, KR_RIDGE_ABSOLUTE, 0.1, 0, 0, 0.5, 0.5};
  Problem<T> good(3, 5, 6, random), bad(good);
  spoil(bad);
  const Problem<T> before(bad);
  DeviceCall call(set);
  kr_report reports[3];
  EXPECT(solve<T>(nullptr, call.get(), options, form, good, nullptr) == KR_OK);
  EXPECT(solve<T>(nullptr, call.get(), options, form, bad, reports) == KR_OK);
  EXPECT(reports[1].status == status && reports[1].detail == detail);
  for (int k : {0, 2}) EXPECT(reports[k].status == KR_STATUS_OK);
  expect_as_before(bad.y, before.y, good.y);
  expect_as_before(bad.statistics, before.statistics, good.statistics);
}

template <typename T>
void failures_stay_alone(const cpu::KernelSet& set) {
  const Form values{true, true, false, false, true}, scaled{true, false, true, false, true},
      updated{true, false, false, true, true};
  using P = Problem<T>;
  for (const T bad : {nan_of<T>, infinity_of<T>}) {
    const auto non_finite = KR_STATUS_NON_FINITE_INPUT;
    for (const Form& form : {values, scaled, updated}) {
      expect_alone<T>(set, non_finite, -1, form, [&](P& p) { p.x(1, 2, 3) = bad; });
      expect_alone<T>(set, non_finite, -1, form, [&](P& p) { p.a(1, 4, 4) = bad; });
      expect_alone<T>(set, non_finite, -1, form, [&](P& p) { p.b(1, 0, 1) = bad; });
    }
    expect_alone<T>(set, non_finite, -1, values, [&](P& p) { p.a_values(1, 2, 0) = bad; });
    expect_alone<T>(set, non_finite, -1, values, [&](P& p) { p.b_values(1, 5, 0) = bad; });
    expect_alone<T>(set, non_finite, -1, scaled, [&](P& p) { p.scale(1, 4, 5) = bad; });
    expect_alone<T>(set, non_finite, -1, updated, [&](P& p) { p.statistics(1, 4, 5) = bad; });
  }
  const auto negative = KR_STATUS_NOT_POSITIVE_DEFINITE;
  expect_alone<T>(set, negative, 2, values, [](P& p) { p.a_values(1, 2, 0) = -1; });
  expect_alone<T>(set, negative, 5, values, [](P& p) { p.b_values(1, 5, 0) = -1; });
  expect_alone<T>(set, negative, 15, scaled, [](P& p) { p.scale(1, 2, 3) = -1; });
  expect_alone<T>(set, negative, 15, updated, [](P& p) { p.statistics(1, 2, 3) = -1e6; });
  const T huge = std::numeric_limits<T>::max() / 4;
  expect_alone<T>(set, KR_STATUS_OVERFLOW, -1, updated, [&](P& p) { p.x(1, 2, 3) = huge; });
}

// Scales a little below zero count as zero, zeros without damping are dropped, and so says the report.
template <typename T>
void zeros_and_small_negatives(const cpu::KernelSet& set) {
  Batch<T> x{{1, 2}, {3, 4}}, scale{{2, 0}, {static_cast<T>(sizeof(T) == 4 ? -1e-7 : -1e-16), 4}}, y(1, 2, 2);
  DeviceCall call(set);
  kr_report report;
  for (const int32_t power : {KR_KRON_POWER_ONE, KR_KRON_POWER_HALF}) {
    const kr_kron_solve_options none{power, KR_RIDGE_NONE, 0, 2, 0, 0, 0};
    EXPECT(cpu::kron_solve(call.get(), &none, nullptr, &scale, nullptr, &x, &y, &report) == KR_OK);
    EXPECT(report.status == KR_STATUS_RANK_DEFICIENT && report.detail == 2 && report.condition == 2);
    EXPECT_NEAR(static_cast<double>(y(0, 0)), power == 0 ? 0.25 : 0.5, 1e-7);
    EXPECT(y(0, 1) == 0 && y(1, 0) == 0);
    EXPECT_NEAR(static_cast<double>(y(1, 1)), power == 0 ? 0.5 : std::sqrt(2.0), 1e-6);
    const kr_kron_solve_options damped{power, KR_RIDGE_ABSOLUTE, 4, 0, 0, 0, 0};
    EXPECT(cpu::kron_solve(call.get(), &damped, nullptr, &scale, nullptr, &x, &y, &report) == KR_OK);
    EXPECT(report.status == KR_STATUS_OK && report.condition == 2);
    EXPECT_NEAR(static_cast<double>(y(1, 0)), power == 0 ? 0.75 : 1.5, 1e-6);
    const kr_kron_solve_options outside{power, KR_RIDGE_NONE, 0, 0, 0.5, 0, 0};
    EXPECT(cpu::kron_solve(call.get(), &outside, nullptr, &scale, nullptr, &x, &y, &report) == KR_OK);
    EXPECT(report.status == KR_STATUS_OK);
    EXPECT(y(0, 1) == 4 && y(1, 0) == 6);
  }
  // All zero: nothing is kept, nothing is known of the condition.
  Batch<T> zero(1, 2, 2);
  EXPECT(cpu::kron_solve(call.get(), nullptr, nullptr, &zero, nullptr, &x, &y, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_RANK_DEFICIENT && report.detail == 0 && std::isnan(report.condition));
  EXPECT(y(0, 0) == 0 && y(1, 1) == 0);
}

}  // namespace

TEST("kron_solve: as the reference, on any number of threads") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    compare_with_reference<float>(*set);
    compare_with_reference<double>(*set);
  }
}

TEST("kron_solve: the damped system, put together") {
  for (const cpu::KernelSet* set : kernel_sets()) solves_the_system(*set);
}

TEST("kron_solve: failures leave their outputs and their neighbours alone") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    failures_stay_alone<float>(*set);
    failures_stay_alone<double>(*set);
  }
}

TEST("kron_solve: zeros and small negative scales") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    zeros_and_small_negatives<float>(*set);
    zeros_and_small_negatives<double>(*set);
  }
}

TEST("kron_solve: a basis that is not orthonormal shows in the residual") {
  Uniform random(2);
  Problem<float> p(1, 8, 8, random);
  p.a(3, 3) += 0.5f;
  DeviceCall call(*kernel_sets().front());
  kr_report report;
  EXPECT(solve<float>(nullptr, call.get(), {}, {true, true, false, false, true}, p, &report) == KR_OK);
  EXPECT(report.residual > 0.01);
}

TEST("kron_solve: y may be x; statistics with beta 0 are not read") {
  Uniform random(6);
  Problem<float> p(2, 5, 7, random), apart(p);
  for (int64_t i = 0; i < 5; ++i) {
    for (int64_t k : {0, 1}) p.statistics(k, i, 2) = nan_of<float>;
  }
  const kr_kron_solve_options options{KR_KRON_POWER_HALF, KR_RIDGE_NONE, 0, 0, 1e-8, 0, 1};
  DeviceCall call(*kernel_sets().front());
  EXPECT(solve<float>(nullptr, call.get(), options, {true, false, false, true, true}, apart, nullptr) == KR_OK);
  const kr_kron_bases bases{&p.a, nullptr, &p.b, nullptr};
  EXPECT(cpu::kron_solve(call.get(), &options, &bases, nullptr, &p.statistics, &p.x, &p.x, nullptr) == KR_OK);
  EXPECT(same_bits(p.x.data(), apart.y.data()) && same_bits(p.statistics.data(), apart.statistics.data()));
}
