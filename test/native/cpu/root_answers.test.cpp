// The defined answers of inverse_root (ops.h), one by one, and 10,000 random cases against the reference.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "native/cpu/inverse_root/certificate.hpp"
#include "test/native/cpu/root_answer.hpp"

using namespace kronroot;
using namespace kronroot::test;

namespace {

const kr_method methods[] = {KR_METHOD_AUTO,         KR_METHOD_EIGH,      KR_METHOD_MINIMAX, KR_METHOD_COUPLED_NEWTON,
                             KR_METHOD_HIGHER_ORDER, KR_METHOD_CHEBYSHEV, KR_METHOD_RATIONAL};

template <typename T>
void check_one_by_one() {
  const double ulp = ulp_of<T>;
  for (kr_method method : methods) {
    for (int p : {1, 2, 3, 4, 7, 64}) {
      for (double value : {3.0, 1.0, 7e-20, 5e18}) {
        const Batch<T> a{{static_cast<T>(value)}};
        const RootAnswer<T> answer(a, 1, root_options(p, 1, KR_RIDGE_NONE, 0, method));
        const auto exact = static_cast<double>(std::pow(static_cast<long double>(a.data()[0]), -1.0L / p));
        EXPECT(answer.report.status == KR_STATUS_OK && answer.report.method == KR_METHOD_DIRECT);
        EXPECT_NEAR(answer.x.data()[0], exact, 2 * ulp * exact);
        EXPECT(answer.report.condition == 1 && answer.report.residual < 100 * ulp);
      }
    }
  }
}

template <typename T>
void check_zero() {
  for (kr_method method : methods) {
    for (int64_t n : {1, 3, 40}) {
      const Batch<T> zero(1, n, n);
      RootAnswer<T> absolute(zero, n, root_options(2, 1, KR_RIDGE_ABSOLUTE, 4, method));
      EXPECT(absolute.report.status == KR_STATUS_RANK_DEFICIENT && absolute.report.detail == 0);
      EXPECT(absolute.report.method == KR_METHOD_DIRECT);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) EXPECT(absolute.x(i, j) == (i == j ? T{0.5} : T{0}));
      }
      const RootAnswer<T> pseudo(zero, n, root_options(2, 1, KR_RIDGE_PSEUDO_INVERSE, 0, method));
      EXPECT(pseudo.report.status == KR_STATUS_RANK_DEFICIENT && pseudo.report.detail == 0);
      EXPECT(std::all_of(pseudo.x.data().begin(), pseudo.x.data().end(), [](T each) { return each == 0; }));
      for (int ridge : {KR_RIDGE_DEFAULT, KR_RIDGE_NONE, KR_RIDGE_RELATIVE, KR_RIDGE_TRACE}) {
        EXPECT(RootAnswer<T>(zero, n, root_options(2, 1, ridge, 0.1, method))
                   .failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
      }
    }
  }
}

// Q diag(values) Q^T; `values` may be negative.
template <typename T>
Batch<T> with_values(const std::vector<double>& values, uint64_t seed = 5) {
  return rounded<T>(MatrixSource(seed).with_eigenvalues(values), static_cast<int64_t>(values.size()));
}

}  // namespace

TEST("inverse_root: n = 0") {
  const Batch<float> nothing(1, 0, 0);
  const RootAnswer<float> answer(nothing, 0, root_options(2, 1, KR_RIDGE_DEFAULT, 0));
  EXPECT(answer.code == KR_OK && answer.report.status == KR_STATUS_OK);
}

TEST("inverse_root: 1 x 1 to 2 ulp") {
  check_one_by_one<float>();
  check_one_by_one<double>();
}

TEST("inverse_root: the zero matrix") {
  check_zero<float>();
  check_zero<double>();
}

TEST("inverse_root: diagonal matrices in closed form") {
  const Batch<double> a = Batch<double>::diagonal({16, 81, 1, 256});
  RootAnswer<double> answer(a, 4, root_options(4, 1, KR_RIDGE_NONE, 0));
  EXPECT(answer.report.method == KR_METHOD_DIRECT && answer.report.condition == 256);
  EXPECT(answer.x(0, 0) == 0.5 && answer.x(2, 2) == 1 && answer.x(3, 3) == 0.25 && answer.x(0, 1) == 0);
  EXPECT_NEAR(answer.x(1, 1), 1.0 / 3, 1e-16);
  // A negative power of a negative root: (A)^{3/4}.
  RootAnswer<double> positive(a, 4, root_options(-4, 3, KR_RIDGE_NONE, 0));
  EXPECT_NEAR(positive.x(1, 1), 27, 1e-14);
}

TEST("inverse_root: rank-deficient on the ridge") {
  for (kr_method method : methods) {
    for (int64_t n : {3, 20, 48}) {
      std::vector<double> values(static_cast<size_t>(n), 0.0);
      for (int64_t i = 0; i < n - n / 3; ++i) values[static_cast<size_t>(i)] = 1 + 0.1 * static_cast<double>(i);
      const double largest = values[static_cast<size_t>(n - n / 3 - 1)];
      const Batch<double> a = with_values<double>(values);
      const RootAnswer<double> answer(a, n, root_options(2, 1, KR_RIDGE_RELATIVE, 1e-4, method));
      EXPECT(answer.report.status == KR_STATUS_RANK_DEFICIENT);
      EXPECT(answer.report.detail == n - n / 3);
      EXPECT_NEAR(answer.report.condition, 1e4, 1.1);
      double trace = 0, exact = 0;
      for (int64_t i = 0; i < n; ++i) trace += answer.x.data()[static_cast<size_t>(i * n + i)];
      for (double value : values) exact += 1 / std::sqrt(value + 1e-4 * largest);
      EXPECT_NEAR(trace, exact, 1e-8 * exact);
      EXPECT(RootAnswer<double>(a, n, root_options(2, 1, KR_RIDGE_NONE, 0, method))
                 .failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
    }
  }
}

TEST("inverse_root: slightly indefinite counts as 0, more is refused") {
  for (kr_method method : methods) {
    const double epsilon = 1e-3;
    for (double share : {0.001, 0.5, 0.99}) {
      const Batch<double> a = with_values<double>({2, 1, 0.5, -share * epsilon});
      const RootAnswer<double> answer(a, 4, root_options(4, 1, KR_RIDGE_ABSOLUTE, epsilon, method));
      EXPECT(answer.report.status == KR_STATUS_RANK_DEFICIENT && answer.report.detail == 3);
      EXPECT(answer.report.residual < 1e-9);
      double trace = 0, exact = std::pow(epsilon, -0.25);
      for (double value : {2.0, 1.0, 0.5}) exact += std::pow(value + epsilon, -0.25);
      for (size_t i = 0; i < 4; ++i) trace += answer.x.data()[5 * i];
      EXPECT_NEAR(trace, exact, 1e-9 * exact);
    }
    const Batch<double> worse = with_values<double>({2, 1, 0.5, -1.01 * epsilon});
    EXPECT(RootAnswer<double>(worse, 4, root_options(4, 1, KR_RIDGE_ABSOLUTE, epsilon, method))
               .failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
    EXPECT(RootAnswer<double>(with_values<double>({-1, -2, -3}), 3, root_options(2, 1, KR_RIDGE_DEFAULT, 0, method))
               .failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
  }
}

TEST("inverse_root: slightly asymmetric is symmetrised, more is refused, and so is what is not finite") {
  for (kr_method method : methods) {
    const Batch<float> a{{2, 1.0001f}, {0.9999f, 2}};
    const Batch<float> symmetric{{2, 1}, {1, 2}};
    const auto options = root_options(2, 1, KR_RIDGE_NONE, 0, method);
    const RootAnswer<float> answer(a, 2, options), exact(symmetric, 2, options);
    EXPECT(answer.report.status == KR_STATUS_OK);
    EXPECT_NEAR(answer.x.data()[1], exact.x.data()[1], 1e-6);
    EXPECT(RootAnswer<float>({{2, 1.001f}, {0.999f, 2}}, 2, options).failed_with(KR_STATUS_NOT_SYMMETRIC));
    for (float bad : {nan_of<float>, infinity_of<float>, -infinity_of<float>}) {
      EXPECT(RootAnswer<float>({{2, bad}, {bad, 2}}, 2, options).failed_with(KR_STATUS_NON_FINITE_INPUT));
      EXPECT(RootAnswer<float>({{bad, 0}, {0, 2}}, 2, options).failed_with(KR_STATUS_NON_FINITE_INPUT));
    }
  }
}

TEST("inverse_root: any scale; overflow is reported") {
  MatrixSource source(3);
  const Dense a = source.matrix(Spectra::geometric, 24, 1e3);
  for (kr_method method : methods) {
    for (const auto& p : {std::pair(1, 1), std::pair(2, 1), std::pair(3, 1), std::pair(4, 3)}) {
      const auto options = root_options(p.first, p.second, KR_RIDGE_RELATIVE, 1e-3, method);
      const RootAnswer<float> one(rounded<float>(a, 24), 24, options);
      for (int exponent : {-72, -40, 3, 48, 96}) {
        const RootAnswer<float> other(rounded<float>(a, 24, std::ldexp(1.0, exponent)), 24, options);
        EXPECT(other.report.status == one.report.status);
        const double factor = std::exp2(-static_cast<double>(exponent) * p.second / p.first);
        EXPECT_NEAR(other.x.data()[0] / (one.x.data()[0] * factor), 1, 1e-5);
      }
    }
    EXPECT(RootAnswer<float>(rounded<float>(a, 24, 0x1p-126), 24, root_options(1, 2, KR_RIDGE_RELATIVE, 1e-1, method))
               .failed_with(KR_STATUS_OVERFLOW));
    EXPECT(
        RootAnswer<float>({{1e-30f}}, 1, root_options(1, 2, KR_RIDGE_NONE, 0, method)).failed_with(KR_STATUS_OVERFLOW));
    // A ridge far above the matrix: epsilon^{-1/2} I.
    const RootAnswer<float> ridge(rounded<float>(a, 24, 1e-30), 24, root_options(2, 1, KR_RIDGE_ABSOLUTE, 4, method));
    EXPECT_NEAR(ridge.x.data()[0], 0.5, 1e-6);
    EXPECT_NEAR(ridge.x.data()[1], 0, 1e-6);
  }
}

TEST("inverse_root: ridge modes") {
  const std::vector<double> values = {4, 1, 0.25};
  const struct {
    int ridge;
    double value, epsilon;
  } cases[] = {{KR_RIDGE_DEFAULT, 0, 4e-12},    {KR_RIDGE_NONE, 0, 0},        {KR_RIDGE_ABSOLUTE, 0.5, 0.5},
               {KR_RIDGE_RELATIVE, 0.01, 0.04}, {KR_RIDGE_TRACE, 0.3, 0.525}, {KR_RIDGE_RELATIVE, 3, 12}};
  for (kr_method method : methods) {
    for (const auto& each : cases) {
      const RootAnswer<double> answer(with_values<double>(values), 3,
                                      root_options(2, 1, each.ridge, each.value, method));
      double trace = 0, exact = 0;
      for (double value : values) exact += 1 / std::sqrt(value + each.epsilon);
      for (size_t i = 0; i < 3; ++i) trace += answer.x.data()[4 * i];
      EXPECT_NEAR(trace, exact, 1e-13 * exact + 1e-9 * each.epsilon);
      EXPECT_NEAR(answer.report.condition, (4 + each.epsilon) / (0.25 + each.epsilon), 0.02 * 16);
    }
  }
}

TEST("inverse_root: pseudo-inverses") {
  for (kr_method method : methods) {
    const Batch<float> a = with_values<float>({4, 1, 1e-4, 0});
    RootAnswer<float> all(a, 4, root_options(2, 1, KR_RIDGE_PSEUDO_INVERSE, 0, method));
    EXPECT(all.report.status == KR_STATUS_RANK_DEFICIENT && all.report.detail == 3);
    EXPECT(all.report.method == KR_METHOD_EIGH);
    EXPECT_NEAR(all.report.condition, 4e4, 400);
    RootAnswer<float> two(a, 4, root_options(2, 1, KR_RIDGE_PSEUDO_INVERSE, 1e-3, method));
    EXPECT(two.report.detail == 2);
    EXPECT_NEAR(two.x(0, 0) + two.x(1, 1) + two.x(2, 2) + two.x(3, 3), 1.5, 1e-5);
  }
}

TEST("inverse_root: x may be a; bad neighbours and threads change no bits; all instruction sets agree") {
  const int64_t n = 24, batch = 6;
  MatrixSource source(8);
  Batch<float> a(batch, n, n, 0, 3);
  for (int64_t b = 0; b < batch; ++b) {
    const Dense one = source.matrix(all_spectra[b % 5], n, 1e4);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) a(b, i, j) = static_cast<float>(one[static_cast<size_t>(i * n + j)]);
    }
  }
  for (kr_method method : methods) {
    for (const cpu::KernelSet* kernels : kernel_sets()) {
      const auto options = root_options(4, 1, KR_RIDGE_RELATIVE, 1e-4, method);
      Batch<float> x(batch, n, n), poisoned(batch, n, n), in_place(a), bad(a);
      bad(2, 3, 4) = nan_of<float>;
      std::vector<kr_report> reports(batch), bad_reports(batch);
      EXPECT(cpu::inverse_root(DeviceCall(*kernels, 1).get(), &options, &a, &x, reports.data()) == KR_OK);
      EXPECT(cpu::inverse_root(DeviceCall(*kernels, 2).get(), &options, &bad, &poisoned, bad_reports.data()) == KR_OK);
      EXPECT(cpu::inverse_root(DeviceCall(*kernels, 2).get(), &options, &in_place, &in_place, nullptr) == KR_OK);
      EXPECT(bad_reports[2].status == KR_STATUS_NON_FINITE_INPUT);
      for (int64_t b = 0; b < batch; ++b) {
        EXPECT(reports[static_cast<size_t>(b)].status < KR_FIRST_FAILURE);
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            EXPECT(b == 2 || x(b, i, j) == poisoned(b, i, j));
            EXPECT(x(b, i, j) == in_place(b, i, j));
          }
        }
      }
    }
  }
}

TEST("inverse_root: cancellation") {
  const int32_t cancel = 1;
  const Batch<float> a = with_values<float>({2, 1});
  Batch<float> x(1, 2, 2, 77);
  kr_report report;
  const auto options = root_options(2, 1, KR_RIDGE_DEFAULT, 0);
  EXPECT(cpu::inverse_root(DeviceCall(cpu::best_kernels(), 1, &cancel).get(), &options, &a, &x, &report) ==
         KR_CANCELLED);
  EXPECT(report.status == KR_STATUS_CANCELLED && x(0, 0) == 77);
}

TEST("inverse_root, orthogonalize: cancellation in the middle of a matrix") {
  const int64_t n = 800;
  MatrixSource source(2);
  const Batch<double> a = rounded<double>(source.matrix(Spectra::geometric, n, 1e8), n);
  const auto root = root_options(8, 1, KR_RIDGE_NONE, 0, KR_METHOD_COUPLED_NEWTON);
  kr_orthogonalize_options polar{};
  polar.table = KR_TABLE_POLAR_EXPRESS;
  polar.steps = 1000;
  for (bool is_root : {true, false}) {
    int32_t cancel = 0;
    std::thread canceller([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      __atomic_store_n(&cancel, 1, __ATOMIC_RELEASE);
    });
    const DeviceCall call(cpu::best_kernels(), 1, &cancel);
    Batch<double> x(1, n, n, untouched);
    kr_report report;
    const kr_code code = is_root ? cpu::inverse_root(call.get(), &root, &a, &x, &report)
                                 : cpu::orthogonalize(call.get(), &polar, &a, &x, &report);
    canceller.join();
    EXPECT(code == KR_CANCELLED && report.status == KR_STATUS_CANCELLED && x(0, 0) == untouched);
    EXPECT_CONTAINS(call.message(), "cancelled");
  }
}

TEST("inverse_root: a bound that nothing meets climbs the whole ladder and leaves x alone") {
  for (kr_method method : methods) {
    kr_inverse_root_options options = root_options(4, 1, KR_RIDGE_RELATIVE, 1e-6, method);
    options.residual_bound = 1e-18;
    EXPECT(RootAnswer<float>(with_values<float>({2, 1, 0.1}), 3, options).failed_with(KR_STATUS_NOT_CONVERGED));
    EXPECT(RootAnswer<double>(with_values<double>({2, 1, 0.1}), 3, options).failed_with(KR_STATUS_NOT_CONVERGED));
  }
  // The f32 routes miss 1e-5 at this condition; f64 meets it.
  MatrixSource source(2);
  kr_inverse_root_options options = root_options(4, 1, KR_RIDGE_RELATIVE, 1e-6, KR_METHOD_COUPLED_NEWTON);
  options.residual_bound = 1e-5;
  const RootAnswer<float> answer(rounded<float>(source.matrix(Spectra::geometric, 40, 1e6), 40), 40, options);
  EXPECT(answer.answered() && answer.report.rung == KR_RUNG_EIGH_F64 && answer.report.method == KR_METHOD_EIGH);
  options.max_iterations = 2;
  options.residual_bound = 0;
  const RootAnswer<float> cut(rounded<float>(source.matrix(Spectra::geometric, 40, 1e6), 40), 40, options);
  EXPECT(cut.answered() && cut.report.rung == KR_RUNG_EIGH);
}

TEST("certificate: sees a wrong root in every direction, by probe and in full") {
  const int64_t n = 12;
  MatrixSource source(4);
  for (const auto& p : {std::pair(1, 1), std::pair(2, 1), std::pair(3, 1), std::pair(8, 1), std::pair(4, 3)}) {
    kr_inverse_root_options options = root_options(p.first, p.second, KR_RIDGE_NONE, 0);
    std::vector<double> values(n), images(n);
    for (size_t i = 0; i < n; ++i) {
      values[i] = std::pow(1e4, -static_cast<double>(i) / (n - 1));
      images[i] = std::pow(values[i], -static_cast<double>(p.second) / p.first);
    }
    const Dense a = MatrixSource(1).with_eigenvalues(values);
    for (int full : {0, 1}) {
      options.full_residual = full;
      const cpu::RootProblem<double> problem{
          cpu::best_kernels(), built_in_crossovers("avx512"), options, nullptr, root_of(options), n, a.data(), 0, 0};
      for (size_t direction = 0; direction < n; ++direction) {
        for (double factor : {1.0, 1.3, 0.5, 0.0}) {
          std::vector<double> wrong = images;
          wrong[direction] *= factor;
          const Dense x = MatrixSource(1).with_eigenvalues(wrong);
          const double residual = cpu::balanced_residual(problem, 0, {}, x.data());
          const double expected = std::abs(std::pow(factor, p.first) - 1) / std::sqrt(n);
          if (factor == 1) EXPECT_NEAR(residual, 0, 1e-9);
          if (factor != 1 && full == 1) EXPECT_NEAR(residual, expected, 1e-6 * expected + 1e-9);
          if (factor != 1 && full == 0) EXPECT(residual > 0.02 * expected);
        }
      }
    }
  }
}

TEST("certificate: what is not finite does not pass") {
  const kr_inverse_root_options options = root_options(2, 1, KR_RIDGE_NONE, 0);
  const double a[] = {2, 1, 1, 2};
  const cpu::RootProblem<double> problem{
      cpu::best_kernels(), built_in_crossovers("avx512"), options, nullptr, root_of(options), 2, a, 0, 4};
  for (double bad : {nan_of<double>, infinity_of<double>}) {
    for (size_t i = 0; i < 4; ++i) {
      double x[] = {1, 0, 0, 1};
      x[i] = bad;
      EXPECT(!(cpu::balanced_residual(problem, 0, {}, x) <= 1e300));
    }
    const double x[] = {bad, bad, bad, bad};
    EXPECT(!(cpu::balanced_residual(problem, 0, {}, x) <= 1e300));
  }
}

// Every answer within 100 n ulp condition of the reference, which computes in f64 from the same input; every matrix of
// condition <= 1e6 after the ridge answered, except powers above 1, whose rounding alone may exceed the bound.
template <typename T>
void fuzz(uint64_t seed, int cases) {
  int compared = 0;
  MatrixSource source(seed);
  const kr_backend& reference = *kr_reference_backend();
  for (int k = 0; k < cases; ++k) {
    const int64_t n = 1 + source.integer(source.integer(8) == 0 ? 24 : 8);
    const double condition = std::pow(10, 8 * source.uniform());
    Dense dense = source.matrix(all_spectra[source.integer(5)], n, condition);
    const bool spoils = source.integer(16) == 0;
    if (spoils) dense[static_cast<size_t>(source.integer(n) * (n + 1))] -= source.uniform();
    const double scale = std::exp2(static_cast<double>(source.integer(41)) - 20);
    const Batch<T> a = rounded<T>(dense, n, scale);
    const int p[][2] = {{1, 1}, {2, 1}, {3, 1}, {4, 1}, {8, 1}, {4, 3}, {6, 1}, {5, 2}, {-2, 1}, {-4, 3}, {-1, 1}};
    const auto& root = p[source.integer(11)];
    const int ridges[] = {KR_RIDGE_DEFAULT,  KR_RIDGE_NONE,  KR_RIDGE_RELATIVE,
                          KR_RIDGE_RELATIVE, KR_RIDGE_TRACE, KR_RIDGE_ABSOLUTE};
    const int ridge = ridges[source.integer(6)];
    double value = std::pow(10, -6 * source.uniform());
    if (ridge == KR_RIDGE_ABSOLUTE) value *= scale;
    const auto options = root_options(root[0], root[1], ridge, value, methods[source.integer(4)]);

    RootAnswer<T> answer(a, n, options);
    Batch<T> x(1, n, n);
    kr_report exact;
    reference.inverse_root(Call().get(), &options, &a, &x, &exact);
    const std::string where = "case " + std::to_string(k) + " n " + std::to_string(n) + " p " +
                              std::to_string(root[0]) + "/" + std::to_string(root[1]) + " ridge " +
                              std::to_string(ridge) + " " + std::to_string(value) + " method " +
                              std::to_string(options.method) + " condition " + std::to_string(exact.condition);
    if (answer.answered() && exact.status < KR_FIRST_FAILURE) {
      ++compared;
      const double error = relative_error(answer.x, widened(x, n));
      check(error <= 100 * static_cast<double>(n) * ulp_of<T> * exact.condition, where, "silent miss, error", error);
      const double ratio = answer.report.condition / exact.condition;
      const bool is_beyond_rounding = exact.condition * ulp_of<T> * static_cast<double>(n) > 0.3;
      check((ratio > 1.0 / 3 && ratio < 3) || is_beyond_rounding, where, "condition", answer.report.condition);
    } else if (answer.answered()) {
      check(false, where, "answered what the reference refuses, status", exact.status);
    } else if (exact.status < KR_FIRST_FAILURE) {
      check(exact.condition > 1.1e6, where, "refused what the reference answers, status", answer.report.status);
    } else {
      check(answer.report.status == exact.status, where, "other failure", answer.report.status);
    }
  }
  EXPECT(compared > cases / 2);
}

TEST("inverse_root: no silent miss in 10,000 random cases") {
  fuzz<float>(11, 7000);
  fuzz<double>(12, 3000);
}
