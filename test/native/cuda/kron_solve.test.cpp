// kron_solve on the device against the reference: bound, residual, condition, failures, and what is left alone; in
// shared memory and by products.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "test/native/cuda/cuda_call.hpp"
#include "test/native/uniform.hpp"

namespace kronroot::test {
namespace {

const kr_backend& reference = *kr_reference_backend();

template <typename T>
inline constexpr double ulp_of_test = sizeof(T) == 4 ? 0x1p-23 : 0x1p-52;

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

// Reflections I - 2 v v^T / |v|^2, for sizes that the reference would take long to decompose.
template <typename T>
void fill_reflection(Batch<T>& vectors, Batch<T>& values, Uniform& random) {
  const int64_t n = vectors.rows();
  for (int64_t b = 0; b < vectors.descriptor().batch; ++b) {
    std::vector<double> v;
    double square = 0;
    for (int64_t i = 0; i < n; ++i) v.push_back(random.next()), square += v.back() * v.back();
    for (int64_t i = 0; i < n; ++i) {
      values(b, i, 0) = static_cast<T>(std::abs(random.next()));
      for (int64_t j = 0; j < n; ++j) {
        const double product = v[static_cast<std::size_t>(i)] * v[static_cast<std::size_t>(j)];
        vectors(b, i, j) = static_cast<T>((i == j ? 1 : 0) - 2 * product / square);
      }
    }
  }
}

template <typename T>
void fill_positive(Batch<T>& x, Uniform& random) {
  random.fill(x);
  for (int64_t b = 0; b < x.descriptor().batch; ++b) {
    for (int64_t i = 0; i < x.rows(); ++i) {
      for (int64_t j = 0; j < x.cols(); ++j) x(b, i, j) = std::abs(x(b, i, j));
    }
  }
}

template <typename T>
struct Problem {
  Batch<T> a, a_values, b, b_values, scale, statistics, x, y;

  Problem(int64_t batch, int64_t m, int64_t n, Uniform& random, int64_t padding = 0)
      : a(batch, m, m, 0, padding),
        a_values(batch, m, 1, 0, padding),
        b(batch, n, n, 0, padding),
        b_values(batch, n, 1),
        scale(batch, m, n, 0, padding),
        statistics(batch, m, n, 0, padding),
        x(batch, m, n, 0, padding),
        y(batch, m, n, T{7}, padding) {
    m > 20 ? fill_reflection(a, a_values, random) : fill_basis(a, a_values, random);
    n > 20 ? fill_reflection(b, b_values, random) : fill_basis(b, b_values, random);
    random.fill(x);
    fill_positive(scale, random);
    fill_positive(statistics, random);
  }
};

// Which of the optional operands are there.
struct Form {
  bool bases, values, scale, statistics, y;
};
const Form forms[] = {
    {true, true, false, false, true},   {true, false, true, false, true},  {true, true, false, true, true},
    {true, false, false, true, false},  {false, true, false, false, true}, {false, false, false, false, true},
    {false, false, false, true, false},
};
const Form by_values = forms[0], by_scale = forms[1], by_statistics = forms[2];

template <typename T>
void solve_by_reference(const kr_kron_solve_options& options, const Form& form, Problem<T>& p, kr_report* reports) {
  const kr_kron_bases bases{form.bases ? &p.a : nullptr, form.values ? &p.a_values : nullptr,
                            form.bases ? &p.b : nullptr, form.values ? &p.b_values : nullptr};
  Call call;
  EXPECT(reference.kron_solve(call.get(), &options, &bases, form.scale ? &p.scale : nullptr,
                              form.statistics ? &p.statistics : nullptr, &p.x, form.y ? &p.y : nullptr,
                              reports) == KR_OK);
}

// On the device; `onto_x`: y is x there, and p.y gets it.
template <typename T>
std::vector<kr_report> solve(const kr_kron_solve_options& options, const Form& form, Problem<T>& p,
                             bool onto_x = false) {
  const DeviceBatch a(*&p.a), a_values(*&p.a_values), b(*&p.b), b_values(*&p.b_values), scale(*&p.scale),
      statistics(*&p.statistics), x(*&p.x), y(*&p.y);
  const kr_kron_bases bases{form.bases ? &a : nullptr, form.values ? &a_values : nullptr, form.bases ? &b : nullptr,
                            form.values ? &b_values : nullptr};
  DeviceReports reports(p.x.descriptor().batch);
  CudaCall call;
  EXPECT(cuda().kron_solve(call.get(), &options, &bases, form.scale ? &scale : nullptr,
                           form.statistics ? &statistics : nullptr, &x,
                           !form.y  ? nullptr
                           : onto_x ? &x
                                    : &y,
                           reports.get()) == KR_OK);
  y.read();
  x.read();
  statistics.read();
  return reports.read();
}

template <typename T>
double distance(const Batch<T>& x, const Batch<T>& y) {
  double squares = 0;
  for (std::size_t i = 0; i < x.data().size(); ++i) {
    const double d = static_cast<double>(x.data()[i]) - static_cast<double>(y.data()[i]);
    squares += d * d;
  }
  return std::sqrt(squares);
}

template <typename T>
double norm_of(const Batch<T>& x) {
  double squares = 0;
  for (const T each : x.data()) squares += static_cast<double>(each) * static_cast<double>(each);
  return std::sqrt(squares);
}

// |Y - Y'| for two answers within the bound of ops.h: the largest quotient times |X|, where 1 % of the largest scale is
// the damping and the largest square in S.
template <typename T>
void compare_with_reference(int64_t m, int64_t n, const Form& form, int32_t power, int64_t padding) {
  Uniform random(3);
  const kr_kron_solve_options options{power, KR_RIDGE_RELATIVE, 0.01, 1.5, power == 0 ? 0 : 0.1, 0.9, 0.2};
  Problem<T> ours(2, m, n, random, padding), theirs(ours);
  kr_report expected[2];
  const std::vector<kr_report> reports = solve(options, form, ours);
  solve_by_reference(options, form, theirs, expected);
  for (std::size_t b = 0; b < 2; ++b) {
    EXPECT(reports[b].status == KR_STATUS_OK && expected[b].status == KR_STATUS_OK);
    EXPECT(reports[b].method == KR_METHOD_DIRECT && reports[b].rung == KR_RUNG_CHOSEN && reports[b].detail == -1);
    EXPECT(reports[b].residual < 20 * static_cast<double>(std::max(m, n)) * ulp_of_test<T>);
    if (form.y) {
      EXPECT_NEAR(reports[b].condition / expected[b].condition, 1, 1e-3);
    } else {
      EXPECT(std::isnan(reports[b].condition));
    }
  }
  const double bound = 2 * (std::pow(m, 1.5) + std::pow(n, 1.5) + 8) * ulp_of_test<T>;
  EXPECT(distance(ours.y, theirs.y) <= 100 * bound * norm_of(theirs.y));
  EXPECT(distance(ours.statistics, theirs.statistics) <= bound * norm_of(theirs.statistics));
}

template <typename T>
void as_the_reference() {
  for (const auto& [m, n] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {2, 7}, {9, 4}, {9, 33}, {3, 35}}) {
    for (const Form& form : forms) {
      const int32_t power = (m + n) % 2 == 0 ? KR_KRON_POWER_ONE : KR_KRON_POWER_HALF;
      compare_with_reference<T>(m, n, form, power, m == 9 ? 3 : 0);
    }
  }
  // Too long for shared memory.
  for (const auto& [m, n] : std::vector<std::pair<int64_t, int64_t>>{{2, 257}, {257, 2}}) {
    for (const Form& form : {by_values, by_statistics}) {
      compare_with_reference<T>(m, n, form, KR_KRON_POWER_HALF, m == 2 ? 1 : 0);
    }
  }
}

// A Y B + damping Y = X for A and B put together from their bases.
void solves_the_system() {
  Uniform random(8);
  const int64_t m = 6, n = 5;
  Problem<double> p(1, m, n, random);
  solve({KR_KRON_POWER_ONE, KR_RIDGE_ABSOLUTE, 0.3, 0, 0, 0, 0}, by_values, p);
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

// Of three matrices the one in the middle is as it was before, the others as in the good batch.
template <typename T>
void expect_as_before(const Batch<T>& got, const Batch<T>& before, const Batch<T>& good) {
  const std::size_t size = got.data().size() / 3;
  for (std::size_t i = 0; i < 3 * size; ++i) {
    const T wanted = (i / size == 1 ? before : good).data()[i];
    EXPECT(got.data()[i] == wanted || (std::isnan(got.data()[i]) && std::isnan(wanted)));
  }
}

// One bad matrix of three: its status, its outputs as they were, and its neighbours to the bit.
template <typename T, typename Spoil>
void expect_alone(int64_t m, int64_t n, kr_status status, int64_t detail, const Form& form, Spoil spoil) {
  Uniform random(4);
  const kr_kron_solve_options options{KR_KRON_POWER_ONE, KR_RIDGE_ABSOLUTE, 0.1, 0, 0, 0.5, 0.5};
  Problem<T> good(3, m, n, random), bad(good);
  spoil(bad);
  const Problem<T> before(bad);
  solve(options, form, good);
  const std::vector<kr_report> reports = solve(options, form, bad);
  EXPECT(reports[1].status == status && reports[1].detail == detail && reports[1].rung == KR_RUNG_NONE);
  EXPECT(std::isnan(reports[1].residual) && std::isnan(reports[1].condition));
  for (const std::size_t b : {std::size_t{0}, std::size_t{2}}) EXPECT(reports[b].status == KR_STATUS_OK);
  expect_as_before(bad.y, before.y, good.y);
  expect_as_before(bad.statistics, before.statistics, good.statistics);
}

template <typename T>
void failures_stay_alone(int64_t m, int64_t n) {
  using P = Problem<T>;
  const auto expect = [&](kr_status status, int64_t detail, const Form& form, auto spoil) {
    expect_alone<T>(m, n, status, detail, form, spoil);
  };
  const int64_t i = m - 1, j = n - 2;
  const auto non_finite = KR_STATUS_NON_FINITE_INPUT;
  for (const Form& form : {by_values, by_statistics}) {
    expect(non_finite, -1, form, [&](P& p) { p.x(1, i, j) = nan_of<T>; });
    expect(non_finite, -1, form, [&](P& p) { p.a(1, i, 0) = infinity_of<T>; });
    expect(non_finite, -1, form, [&](P& p) { p.b(1, 0, j) = nan_of<T>; });
  }
  expect(non_finite, -1, by_values, [&](P& p) { p.a_values(1, i, 0) = nan_of<T>; });
  expect(non_finite, -1, by_values, [&](P& p) { p.b_values(1, j, 0) = infinity_of<T>; });
  expect(non_finite, -1, by_scale, [&](P& p) { p.scale(1, i, j) = nan_of<T>; });
  expect(non_finite, -1, by_statistics, [&](P& p) { p.statistics(1, i, j) = infinity_of<T>; });
  const auto negative = KR_STATUS_NOT_POSITIVE_DEFINITE;
  expect(negative, i, by_values, [&](P& p) { p.a_values(1, i, 0) = -1; });
  expect(negative, j, by_values, [&](P& p) { p.b_values(1, j, 0) = p.b_values(1, n - 1, 0) = -1; });
  expect(negative, i * n + j, by_scale, [&](P& p) { p.scale(1, i, j) = p.scale(1, i, n - 1) = -1; });
  expect(negative, j, by_scale, [&](P& p) { p.scale(1, 0, j) = -1, p.scale(1, i, 0) = -2; });
  expect(negative, i * n + j, by_statistics, [&](P& p) { p.statistics(1, i, j) = T(-1e6); });
  const T huge = std::numeric_limits<T>::max() / 4;
  expect(KR_STATUS_OVERFLOW, -1, by_statistics, [&](P& p) { p.x(1, i, j) = huge; });
  // Statistics that are not finite are an input before they are a result.
  expect(non_finite, -1, by_statistics, [&](P& p) { p.x(1, i, j) = huge, p.statistics(1, 0, 0) = nan_of<T>; });
  // The result alone: divided by 0.1 + 0.
  expect(KR_STATUS_OVERFLOW, -1, by_scale, [&](P& p) {
    for (int64_t k = 0; k < m; ++k) {
      for (int64_t l = 0; l < n; ++l) p.scale(1, k, l) = 0, p.x(1, k, l) = k == i && l == j ? huge : 0;
    }
  });
}

// The same where launches pass over the whole batch.
void failures_stay_alone_by_products() {
  using P = Problem<float>;
  const int64_t m = 257, n = 2;
  const auto expect = [&](kr_status status, int64_t detail, const Form& form, auto spoil) {
    expect_alone<float>(m, n, status, detail, form, spoil);
  };
  expect(KR_STATUS_NON_FINITE_INPUT, -1, by_values, [&](P& p) { p.x(1, 256, 1) = nan_of<float>; });
  expect(KR_STATUS_NON_FINITE_INPUT, -1, by_values, [&](P& p) { p.b(1, 0, 1) = nan_of<float>; });
  expect(KR_STATUS_NON_FINITE_INPUT, -1, by_statistics, [&](P& p) {
    p.x(1, 9, 1) = 1e38f;
    p.statistics(1, 200, 1) = nan_of<float>;
  });
  expect(KR_STATUS_OVERFLOW, -1, by_statistics, [&](P& p) { p.x(1, 9, 1) = 1e38f; });
  expect(KR_STATUS_NOT_POSITIVE_DEFINITE, 256, by_values, [&](P& p) { p.a_values(1, 256, 0) = -1; });
  expect(KR_STATUS_NOT_POSITIVE_DEFINITE, 21, by_scale, [&](P& p) { p.scale(1, 10, 1) = p.scale(1, 100, 0) = -1; });
}

// Scales a little below zero count as zero, zeros without damping are dropped, and so says the report.
template <typename T>
void zeros_and_small_negatives(int64_t columns) {
  const T little = static_cast<T>(sizeof(T) == 4 ? -1e-7 : -1e-16);
  Uniform random(1);
  Problem<T> p(1, 2, columns, random);
  for (int64_t j = 0; j < columns; ++j) {
    p.x(0, j) = T(2), p.x(1, j) = T(3);
    p.scale(0, j) = T(j % 2 == 0 ? 2 : 0), p.scale(1, j) = j % 2 == 0 ? little : T(4);
  }
  const Form scaled{false, false, true, false, true};
  for (const int32_t power : {KR_KRON_POWER_ONE, KR_KRON_POWER_HALF}) {
    kr_report report = solve({power, KR_RIDGE_NONE, 0, 2, 0, 0, 0}, scaled, p)[0];
    EXPECT(report.status == KR_STATUS_RANK_DEFICIENT && report.detail == columns && report.condition == 2);
    EXPECT_NEAR(static_cast<double>(p.y(0, 0)), power == 0 ? 0.5 : 1, 1e-7);
    EXPECT(p.y(0, 1) == 0 && p.y(1, 0) == 0);
    EXPECT_NEAR(static_cast<double>(p.y(1, columns - 1)), power == 0 ? 0.375 : 3 / std::sqrt(8.0), 1e-6);
    report = solve({power, KR_RIDGE_ABSOLUTE, 4, 0, 0, 0, 0}, scaled, p)[0];
    EXPECT(report.status == KR_STATUS_OK && report.condition == 2);
    EXPECT_NEAR(static_cast<double>(p.y(1, 0)), power == 0 ? 0.75 : 1.5, 1e-6);
    report = solve({power, KR_RIDGE_NONE, 0, 0, 0.5, 0, 0}, scaled, p)[0];
    EXPECT(report.status == KR_STATUS_OK);
    EXPECT(p.y(0, 1) == 4 && p.y(1, 0) == 6);
  }
  for (int64_t j = 0; j < columns; ++j) p.scale(0, j) = p.scale(1, j) = 0;
  const kr_report report = solve({}, scaled, p)[0];
  EXPECT(report.status == KR_STATUS_RANK_DEFICIENT && report.detail == 0 && std::isnan(report.condition));
  EXPECT(p.y(0, 0) == 0 && p.y(1, 1) == 0);
}

template <typename T>
void same_bits_alone_and_onto_x(int64_t m, int64_t n) {
  Uniform random(6);
  const kr_kron_solve_options options{KR_KRON_POWER_HALF, KR_RIDGE_NONE, 0, 0, 1e-8, 0, 1};
  Problem<T> p(2, m, n, random), onto(p), alone(1, m, n, random);
  for (int64_t b = 0; b < 2; ++b) {
    for (int64_t i = 0; i < m; ++i) p.statistics(b, i, 0) = nan_of<T>;  // beta is 0: not read
  }
  const auto take_second = [](Batch<T>& to, Batch<T>& from) {
    for (int64_t i = 0; i < to.rows(); ++i) {
      for (int64_t j = 0; j < to.cols(); ++j) to(i, j) = from(1, i, j);
    }
  };
  take_second(alone.a, p.a);
  take_second(alone.b, p.b);
  take_second(alone.x, p.x);
  solve(options, by_statistics, p);
  solve(options, by_statistics, onto, true);
  solve(options, by_statistics, alone);
  EXPECT(same_bits(onto.x.data(), p.y.data()) && same_bits(onto.statistics.data(), p.statistics.data()));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) EXPECT(alone.y(i, j) == p.y(1, i, j));
  }
}

}  // namespace

TEST("cuda kron_solve: as the reference") {
  as_the_reference<float>();
  as_the_reference<double>();
}

TEST("cuda kron_solve: the damped system, put together") { solves_the_system(); }

TEST("cuda kron_solve: failures leave their outputs and their neighbours alone") {
  failures_stay_alone<float>(5, 6);
  failures_stay_alone<double>(5, 6);
  failures_stay_alone_by_products();
}

TEST("cuda kron_solve: zeros and small negative scales") {
  zeros_and_small_negatives<float>(2);
  zeros_and_small_negatives<double>(258);
}

TEST("cuda kron_solve: the same bits alone and with y for x; statistics with beta 0 are not read") {
  same_bits_alone_and_onto_x<float>(5, 7);
  same_bits_alone_and_onto_x<double>(3, 257);
}

TEST("cuda kron_solve: a basis that is not orthonormal shows in the residual") {
  Uniform random(2);
  for (const int64_t n : {8, 257}) {
    Problem<float> p(1, 8, n, random);
    p.a(3, 3) += 0.5f;
    EXPECT(solve({}, by_values, p)[0].residual > 0.01);
  }
}

TEST("cuda kron_solve: scales of 1e30 and 1e-30; one basis for all; nothing of empty matrices") {
  Uniform random(9);
  for (const double scale : {1e-30, 1e30}) {
    Problem<float> p(1, 6, 4, random);
    for (int64_t i = 0; i < 6; ++i) {
      for (int64_t j = 0; j < 4; ++j) p.scale(i, j) *= static_cast<float>(scale);
    }
    Problem<float> theirs(p);
    const kr_kron_solve_options options{KR_KRON_POWER_HALF, KR_RIDGE_RELATIVE, 1e-3, 0, 0, 0, 0};
    const kr_report report = solve(options, by_scale, p)[0];
    solve_by_reference(options, by_scale, theirs, nullptr);
    EXPECT(report.status == KR_STATUS_OK && report.residual < 20 * 6 * 0x1p-23);
    EXPECT(distance(p.y, theirs.y) <= 1e-4 * norm_of(theirs.y));
  }
  Problem<float> shared(3, 4, 5, random), first(shared);
  for (int64_t b : {1, 2}) {
    for (int64_t i = 0; i < 4; ++i) {
      for (int64_t j = 0; j < 4; ++j) first.a(b, i, j) = shared.a(0, i, j);
    }
  }
  shared.a.descriptor().batch_stride = 0;
  solve({}, by_values, shared);
  solve({}, by_values, first);
  EXPECT(same_bits(shared.y.data(), first.y.data()));
  Batch<float> empty(2, 0, 3);
  const DeviceBatch on_device(*&empty);
  DeviceReports reports(2);
  CudaCall call;
  EXPECT(cuda().kron_solve(call.get(), nullptr, nullptr, nullptr, nullptr, &on_device, &on_device, reports.get()) ==
         KR_OK);
  for (const kr_report& report : reports.read()) EXPECT(report.status == KR_STATUS_OK && std::isnan(report.residual));
}

}  // namespace kronroot::test
