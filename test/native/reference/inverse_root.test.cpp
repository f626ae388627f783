// inverse_root of the reference: closed forms, and the defined answers of ops.h one by one.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "../batch.hpp"
#include "../expect.hpp"

using namespace kronroot;
using kronroot::test::Batch;
using kronroot::test::Call;
using kronroot::test::infinity_of;
using kronroot::test::nan_of;

namespace {

const kr_backend& reference = *kr_reference_backend();

kr_inverse_root_options root(int32_t numerator, int32_t denominator = 1, int32_t ridge = KR_RIDGE_NONE,
                             double value = 0) {
  kr_inverse_root_options options{};
  options.p_numerator = numerator;
  options.p_denominator = denominator;
  options.ridge = ridge;
  options.ridge_value = value;
  return options;
}

constexpr double untouched = 77;

template <typename T>
struct Result {
  Result(const Batch<T>& a, kr_inverse_root_options options) : x(1, a.rows(), a.rows(), T{untouched}) {
    code = reference.inverse_root(call.get(), &options, &a, &x, &report);
  }
  double operator()(int64_t i, int64_t j) { return x(i, j); }
  bool failed_with(kr_status status) {
    const auto same = [](T each) { return each == T{untouched}; };
    return code == KR_OK && report.status == status && report.rung == KR_RUNG_NONE &&
           std::all_of(x.data().begin(), x.data().end(), same);
  }
  bool rank_deficient(int32_t rank) {
    return code == KR_OK && report.status == KR_STATUS_RANK_DEFICIENT && report.detail == rank;
  }
  bool ok() { return code == KR_OK && report.status == KR_STATUS_OK && report.detail == -1; }
  Call call;
  Batch<T> x;
  kr_report report;
  kr_code code;
};

// Q diag(values) Q^T with the rotation Q that swaps no axes: columns (2,-2,1)/3, (1,2,2)/3, (2,1,-2)/3.
template <typename T>
Batch<T> with_spectrum(double x, double y, double z) {
  const double q[3][3] = {{2, 1, 2}, {-2, 2, 1}, {1, 2, -2}};
  Batch<T> a(1, 3, 3);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      a(i, j) = static_cast<T>((x * q[i][0] * q[j][0] + y * q[i][1] * q[j][1] + z * q[i][2] * q[j][2]) / 9);
    }
  }
  return a;
}

template <typename T>
Batch<T> product(Batch<T>& a, Batch<T>& b) {
  Call call;
  Batch<T> c(1, a.rows(), b.cols());
  reference.matmul(call.get(), nullptr, &a, &b, &c);
  return c;
}

}  // namespace

TEST("inverse_root: diag(1, 4) and the default p = 2") {
  Result<float> x(Batch<float>::diagonal({1, 4}), root(0, 0));
  EXPECT(x.ok());
  EXPECT(x(0, 0) == 1 && x(1, 1) == 0.5 && x(0, 1) == 0 && x(1, 0) == 0);
  EXPECT(x.report.residual == 0 && x.report.condition == 4);
}

TEST("inverse_root: the identity") {
  for (int64_t n : {10, 40}) {
    for (int p : {1, 2, 4, 8}) {
      Result<double> x(Batch<double>::identity(n), root(p));
      EXPECT(x.ok());
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) EXPECT(x(i, j) == (i == j));
      }
    }
  }
}

TEST("inverse_root: a spectrum that shows a wrong exponent") {
  const int roots[][2] = {{1, 1}, {2, 1}, {3, 1}, {4, 1}, {8, 1}, {4, 3}, {13, 15}, {1, 3}, {-1, 1}, {-2, 1}, {-4, 3}};
  for (const auto& p : roots) {
    const double exponent = -static_cast<double>(p[1]) / p[0];
    Batch<double> expected =
        with_spectrum<double>(std::pow(0.5, exponent), std::pow(3, exponent), std::pow(16, exponent));
    const double size = std::pow(16, std::abs(exponent));
    // What the certificate makes of rounding at condition 32.
    const double growth = 10 * std::pow(32, std::max(std::abs(exponent), 0.5));
    Result<double> x(with_spectrum<double>(0.5, 3, 16), root(p[0], p[1]));
    EXPECT(x.ok() && x.report.residual < 0x1p-52 * growth);
    for (int i = 0; i < 9; ++i) EXPECT_NEAR(x(i / 3, i % 3), expected(i / 3, i % 3), 1e-13 * size);
    EXPECT(x(0, 1) == x(1, 0) && x(0, 2) == x(2, 0) && x(1, 2) == x(2, 1));
    Result<float> y(with_spectrum<float>(0.5, 3, 16), root(p[0], p[1]));
    EXPECT(y.ok() && y.report.residual < 0x1p-23 * growth);
    for (int i = 0; i < 9; ++i) EXPECT_NEAR(y(i / 3, i % 3), expected(i / 3, i % 3), 3e-6 * size);
  }
}

TEST("inverse_root: tridiagonal families, |X^{-p} - A| <= 1e-4 max(1, |A|)") {
  const double entries[] = {0.001, 0.01, 0.1, 1, 10, 100};
  const int64_t n = 10;
  for (int kind : {1, 2}) {
    for (double alpha : entries) {
      for (double beta : entries) {
        if (2 * beta > alpha) continue;
        Batch<double> a(1, n, n);
        for (int64_t i = 0; i < n; ++i) a(i, i) = alpha;
        for (int64_t i = 1; i < n; ++i) a(i, i - 1) = a(i - 1, i) = beta;
        a(0, 0) = kind == 1 ? alpha + beta : alpha - beta;
        if (kind == 1) a(n - 1, n - 1) = alpha + beta;
        for (int p : {1, 2, 4, 8}) {
          Result<double> x(a, root(p));
          EXPECT(x.ok());
          Result<double> y(x.x, root(1));
          Batch<double> power = y.x;
          for (int k = 1; k < p; ++k) {
            const Batch<double> next = product(power, y.x);
            for (int64_t i = 0; i < n * n; ++i) power(i / n, i % n) = next.data()[static_cast<size_t>(i)];
          }
          double error = 0;
          for (int64_t i = 0; i < n; ++i) {
            double row = 0;
            for (int64_t j = 0; j < n; ++j) row += std::abs(power(i, j) - a(i, j));
            error = std::max(error, row);
          }
          EXPECT(error <= 1e-11 * std::max(1.0, alpha + 2 * beta));
        }
      }
    }
  }
}

TEST("inverse_root: ridge modes") {
  const Batch<double> a = Batch<double>::diagonal({1, 8});
  struct {
    int32_t ridge;
    double value, epsilon;
  } const cases[] = {{KR_RIDGE_DEFAULT, 0, 8e-12},
                     {KR_RIDGE_NONE, 5, 0},
                     {KR_RIDGE_ABSOLUTE, 3, 3},
                     {KR_RIDGE_RELATIVE, 0.5, 4},
                     {KR_RIDGE_TRACE, 2, 9}};
  for (const auto& each : cases) {
    Result<double> x(a, root(3, 1, each.ridge, each.value));
    EXPECT(x.ok());
    EXPECT_NEAR(x(0, 0), std::cbrt(1 / (1 + each.epsilon)), 1e-15);
    EXPECT_NEAR(x(1, 1), std::cbrt(1 / (8 + each.epsilon)), 1e-15);
    EXPECT_NEAR(x.report.condition, (8 + each.epsilon) / (1 + each.epsilon), 1e-14);
  }
  Result<float> f(Batch<float>::diagonal({1, 8}), root(2, 1, KR_RIDGE_DEFAULT));
  EXPECT_NEAR(f(0, 0), 1 / std::sqrt(1 + 8e-6), 6e-8);
}

TEST("inverse_root: the ridge goes inside the root") {
  Result<double> x(Batch<double>::diagonal({0.1, 3.1}), root(2, 1, KR_RIDGE_ABSOLUTE, 0.9));
  EXPECT_NEAR(x(0, 0), 1, 1e-15);  // not 0.1^{-1/2} + 0.9
  EXPECT_NEAR(x(1, 1), 0.5, 1e-15);
}

TEST("inverse_root: pseudo-inverse") {
  Result<double> x(Batch<double>::diagonal({1, 4, 0}), root(2, 1, KR_RIDGE_PSEUDO_INVERSE));
  EXPECT(x.rank_deficient(2));
  EXPECT(x(0, 0) == 1 && x(1, 1) == 0.5 && x(2, 2) == 0);
  EXPECT(x.report.residual == 0 && x.report.condition == 4);
  Result<float> y(Batch<float>{{2, 2}, {2, 2}}, root(2, 1, KR_RIDGE_PSEUDO_INVERSE));
  EXPECT(y.rank_deficient(1));
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(y(i / 2, i % 2), 0.25, 1e-7);
  Result<double> cut(Batch<double>::diagonal({1, 4, 100}), root(2, 1, KR_RIDGE_PSEUDO_INVERSE, 0.04));
  EXPECT(cut.rank_deficient(1));  // eigenvalues <= 0.04 lambda_max = 4 contribute nothing
  EXPECT(cut(1, 1) == 0 && cut(2, 2) == 0.1);
  Result<double> full(Batch<double>::diagonal({1, 4}), root(2, 1, KR_RIDGE_PSEUDO_INVERSE));
  EXPECT(full.ok() && full(1, 1) == 0.5);
}

TEST("inverse_root: n = 0") {
  Call call;
  kr_report reports[2];
  const kr_batch none{nullptr, KR_F64, 0, 2, 0, 0, 0, 0};
  EXPECT(reference.inverse_root(call.get(), nullptr, &none, &none, reports) == KR_OK);
  EXPECT(reports[0].status == KR_STATUS_OK && reports[1].method == KR_METHOD_DIRECT);
}

TEST("inverse_root: 1 x 1 to 2 ulp, at every scale") {
  for (double value : {3.0, 1e-300, 7e200, 0x1p-1000, 5e-310}) {
    for (int p : {2, 3, 7, 64}) {
      Result<double> x(Batch<double>{{value}}, root(p));
      EXPECT(x.ok() && x.report.method == KR_METHOD_DIRECT);
      const auto exact = std::pow(static_cast<long double>(value), -1.0L / p);
      EXPECT(std::abs(static_cast<long double>(x(0, 0)) - exact) <= 2 * 0x1p-52L * exact);
      EXPECT(x.report.residual < 1e-13);
    }
  }
  EXPECT(Result<double>(Batch<double>{{-1}}, root(2)).failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
  EXPECT(Result<double>(Batch<double>{{-1}}, root(2, 1, KR_RIDGE_PSEUDO_INVERSE))
             .failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
}

TEST("inverse_root: the zero matrix") {
  const Batch<double> zero(1, 3, 3);
  Result<double> ridge(zero, root(4, 1, KR_RIDGE_ABSOLUTE, 1e-4));
  EXPECT(ridge.rank_deficient(0) && ridge.report.method == KR_METHOD_DIRECT);
  EXPECT_NEAR(ridge(0, 0), 10, 1e-14);
  EXPECT(ridge(0, 1) == 0 && ridge(2, 2) == ridge(0, 0));
  Result<double> pseudo(zero, root(4, 1, KR_RIDGE_PSEUDO_INVERSE));
  EXPECT(pseudo.rank_deficient(0) && pseudo(1, 1) == 0 && std::isnan(pseudo.report.condition));
  Result<double> positive(zero, root(-4, 1, KR_RIDGE_PSEUDO_INVERSE));
  EXPECT(positive.rank_deficient(0) && positive(1, 1) == 0);
  for (int32_t ridge : {KR_RIDGE_DEFAULT, KR_RIDGE_NONE, KR_RIDGE_RELATIVE, KR_RIDGE_TRACE}) {
    EXPECT(Result<double>(zero, root(2, 1, ridge, 0.5)).failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
  }
  EXPECT(Result<double>(zero, root(2, 1, KR_RIDGE_ABSOLUTE, 0)).failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
}

TEST("inverse_root: rank-deficient") {
  const Batch<double> a = with_spectrum<double>(0, 1, 4);
  Result<double> x(a, root(2, 1, KR_RIDGE_ABSOLUTE, 0.25));
  EXPECT(x.rank_deficient(2));
  Batch<double> expected = with_spectrum<double>(2, std::sqrt(1 / 1.25), std::sqrt(1 / 4.25));
  for (int i = 0; i < 9; ++i) EXPECT_NEAR(x(i / 3, i % 3), expected(i / 3, i % 3), 1e-14);
  EXPECT_NEAR(x.report.condition, 17, 1e-13);
  EXPECT(Result<double>(a, root(2)).failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
  Result<float> f(with_spectrum<float>(0, 1, 4), root(4, 1, KR_RIDGE_DEFAULT));
  EXPECT(f.rank_deficient(2) && f.report.residual < 0.05);
}

TEST("inverse_root: slightly indefinite eigenvalues count as 0") {
  Result<double> within(Batch<double>::diagonal({1, -3e-15}), root(2, 1, KR_RIDGE_DEFAULT));  // tau = 16 ulp
  EXPECT(within.rank_deficient(1));
  EXPECT_NEAR(within(1, 1) * 1e-6, 1, 1e-14);
  EXPECT(Result<double>(Batch<double>::diagonal({1, -3e-15}), root(2)).failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
  EXPECT(Result<double>(Batch<double>::diagonal({1, -1e-11}), root(2, 1, KR_RIDGE_DEFAULT))
             .failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
  // tau = epsilon
  Result<double> ridge(with_spectrum<double>(-0.4, 1, 2), root(2, 1, KR_RIDGE_ABSOLUTE, 0.5));
  EXPECT(ridge.rank_deficient(2) && ridge.report.residual < 1e-14);
  Batch<double> expected = with_spectrum<double>(std::sqrt(2.0), std::sqrt(1 / 1.5), std::sqrt(1 / 2.5));
  for (int i = 0; i < 9; ++i) EXPECT_NEAR(ridge(i / 3, i % 3), expected(i / 3, i % 3), 1e-14);
  EXPECT(Result<double>(with_spectrum<double>(-0.6, 1, 2), root(2, 1, KR_RIDGE_ABSOLUTE, 0.5))
             .failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
  Result<double> pseudo(Batch<double>::diagonal({1, -3e-15}), root(2, 1, KR_RIDGE_PSEUDO_INVERSE));
  EXPECT(pseudo.rank_deficient(1) && pseudo(1, 1) == 0);
}

TEST("inverse_root: asymmetric and non-finite input") {
  EXPECT(Result<double>(Batch<double>{{2, 1}, {2, 1}}, root(2)).failed_with(KR_STATUS_NOT_SYMMETRIC));
  const double slight = 1e-9;  // below sqrt(2^-52) = 1.5e-8
  Result<double> s(Batch<double>{{5, 4 + slight}, {4 - slight, 5}}, root(-2));
  EXPECT(s.ok());
  EXPECT_NEAR(s(0, 1), 1, 1e-14);
  for (double bad : {nan_of<double>, infinity_of<double>}) {
    EXPECT(Result<double>(Batch<double>{{2, bad}, {bad, 1}}, root(2)).failed_with(KR_STATUS_NON_FINITE_INPUT));
  }
}

TEST("inverse_root: a result that the dtype cannot hold") {
  EXPECT(Result<float>(Batch<float>{{1e-40f}}, root(1)).failed_with(KR_STATUS_OVERFLOW));
  EXPECT(Result<float>(Batch<float>::diagonal({1, 1e-40f}), root(1, 3, KR_RIDGE_ABSOLUTE, 1e-30))
             .failed_with(KR_STATUS_OVERFLOW));
  EXPECT(Result<double>(Batch<double>{{5e-310}}, root(1, 64)).failed_with(KR_STATUS_OVERFLOW));
}

TEST("inverse_root: tiny and huge matrices") {
  for (double scale : {0x1p-1000, 0x1p1000}) {
    Result<double> x(with_spectrum<double>(0.5 * scale, 3 * scale, 16 * scale), root(4));
    EXPECT(x.ok() && x.report.residual < 1e-13);
    Batch<double> expected = with_spectrum<double>(std::pow(0.5, -0.25), std::pow(3, -0.25), 0.5);
    for (int i = 0; i < 9; ++i) {
      EXPECT_NEAR(x(i / 3, i % 3) * std::pow(scale, 0.25), expected(i / 3, i % 3), 1e-14);
    }
  }
}

TEST("inverse_root: a residual above the bound is no answer") {
  kr_inverse_root_options options = root(2);
  options.residual_bound = 1e-12;
  EXPECT(Result<float>(with_spectrum<float>(0.5, 3, 16), options).failed_with(KR_STATUS_NOT_CONVERGED));
  options.residual_bound = 1e-4;
  EXPECT(Result<float>(with_spectrum<float>(0.5, 3, 16), options).ok());
  options.full_residual = 1;
  Result<float> full(with_spectrum<float>(0.5, 3, 16), options);
  EXPECT(full.ok() && full.report.residual > 1e-9 && full.report.residual < 1e-6);
}

TEST("inverse_root: in place, and never a word to the input otherwise") {
  Call call;
  const Batch<double> original = with_spectrum<double>(0.5, 3, 16);
  Batch<double> a = original, x(1, 3, 3);
  EXPECT(reference.inverse_root(call.get(), nullptr, &a, &x, nullptr) == KR_OK);
  EXPECT(a.data() == original.data());
  EXPECT(reference.inverse_root(call.get(), nullptr, &a, &a, nullptr) == KR_OK);
  EXPECT(a.data() == x.data());
}

TEST("inverse_root: one matrix for the whole batch; batches equal single matrices") {
  Call call;
  Batch<double> a = with_spectrum<double>(0.5, 3, 16), single(1, 3, 3), batch(4, 3, 3);
  EXPECT(reference.inverse_root(call.get(), nullptr, &a, &single, nullptr) == KR_OK);
  a.descriptor().batch = 4;
  a.descriptor().batch_stride = 0;
  kr_report reports[4];
  EXPECT(reference.inverse_root(call.get(), nullptr, &a, &batch, reports) == KR_OK);
  for (int64_t b = 0; b < 4; ++b) {
    for (int i = 0; i < 9; ++i) EXPECT(batch(b, i / 3, i % 3) == single(i / 3, i % 3));
  }
}

TEST("inverse_root: cancelled") {
  const int32_t cancel = 1;
  Call call(&cancel);
  Batch<double> a = with_spectrum<double>(0.5, 3, 16), x(1, 3, 3, untouched);
  kr_report report;
  EXPECT(reference.inverse_root(call.get(), nullptr, &a, &x, &report) == KR_CANCELLED);
  EXPECT_CONTAINS(call.message(), "0 of 1");
  EXPECT(report.status == KR_STATUS_CANCELLED && x(0, 0) == untouched);
}

TEST("inverse_root: refused calls touch neither output nor reports") {
  Call call;
  Batch<double> a(1, 3, 3), x(1, 2, 2, untouched);
  kr_report report;
  std::memset(&report, 0x5a, sizeof report);
  EXPECT(reference.inverse_root(call.get(), nullptr, &a, &x, &report) == KR_BAD_SHAPE);
  EXPECT(x(0, 0) == untouched && report.status == 0x5a5a5a5a);
}
