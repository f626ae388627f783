// eigh of the reference on matrices whose spectrum is known, and its defined answers.
#include <cmath>
#include <cstdlib>

#include "../batch.hpp"
#include "../expect.hpp"
#include "native/core/matrix.hpp"
#include "native/core/random.hpp"

using namespace kronroot;
using kronroot::test::Batch;
using kronroot::test::Call;
using kronroot::test::nan_of;

namespace {

const kr_backend& reference = *kr_reference_backend();

template <typename T>
struct Eigen {
  explicit Eigen(Batch<T>& a)
      : values((&a)->batch, a.rows(), 1),
        vectors((&a)->batch, a.rows(), a.rows()),
        reports(static_cast<size_t>((&a)->batch)) {
    code = reference.eigh(call.get(), nullptr, &a, &values, &vectors, reports.data());
  }
  Call call;
  Batch<T> values, vectors;
  std::vector<kr_report> reports;
  kr_code code;
};

// The larger of LAPACK's ratios |A V - V diag(w)|_1 / (n ulp |A|_1) and |V^T V - I|_1 / (n ulp); bound: 10.
template <typename T>
double lapack_ratio(Batch<T>& a, Batch<T>& w, Batch<T>& v) {
  const int64_t n = a.rows();
  double error = 0, loss = 0, size = 0;
  for (int64_t j = 0; j < n; ++j) {
    double error_column = 0, loss_column = 0, size_column = 0;
    for (int64_t i = 0; i < n; ++i) {
      double product = 0, inner = 0;
      for (int64_t k = 0; k < n; ++k) {
        product += static_cast<double>(a(i, k)) * v(k, j);
        inner += static_cast<double>(v(k, i)) * v(k, j);
      }
      error_column += std::abs(product - static_cast<double>(v(i, j)) * w(j, 0));
      loss_column += std::abs(inner - (i == j));
      size_column += std::abs(static_cast<double>(a(i, j)));
    }
    error = std::max(error, error_column), loss = std::max(loss, loss_column), size = std::max(size, size_column);
  }
  return std::max(error / size, loss) / (static_cast<double>(n) * ulp_of<T>);
}

template <typename T>
Batch<T> random_symmetric(int64_t n, double decades) {
  Batch<T> a(1, n, n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      const double uniform = static_cast<double>(random_bits(7, static_cast<uint64_t>(i * n + j))) * 0x1p-63 - 1;
      const double grade = std::pow(10, -decades * static_cast<double>(i + j) / static_cast<double>(2 * n));
      a(i, j) = a(j, i) = static_cast<T>(uniform * grade);
    }
  }
  return a;
}

}  // namespace

TEST("eigh: 2 x 2, with the sign rule for equal magnitudes") {
  Batch<float> a{{2, 1}, {1, 2}};
  Eigen e(a);
  EXPECT(e.code == KR_OK && e.reports[0].status == KR_STATUS_OK);
  EXPECT_NEAR(e.values(0, 0), 1, 1e-7);
  EXPECT_NEAR(e.values(1, 0), 3, 1e-7);
  const double h = std::sqrt(0.5);
  EXPECT_NEAR(e.vectors(0, 0), h, 1e-7);  // the first of equals is positive
  EXPECT_NEAR(e.vectors(1, 0), -h, 1e-7);
  EXPECT_NEAR(e.vectors(0, 1), h, 1e-7);
  EXPECT_NEAR(e.vectors(1, 1), h, 1e-7);
  EXPECT_NEAR(e.reports[0].condition, 3, 1e-12);
  EXPECT(e.reports[0].residual < 1e-7);
}

TEST("eigh: second difference matrix, 2 - 2 cos(k pi / 4)") {
  Batch<double> a{{2, -1, 0}, {-1, 2, -1}, {0, -1, 2}};
  Eigen e(a);
  EXPECT_NEAR(e.values(0, 0), 2 - std::sqrt(2.0), 1e-15);
  EXPECT_NEAR(e.values(1, 0), 2, 1e-15);
  EXPECT_NEAR(e.values(2, 0), 2 + std::sqrt(2.0), 1e-15);
  EXPECT_NEAR(e.vectors(0, 0), 0.5, 1e-15);
  EXPECT_NEAR(e.vectors(1, 0), std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(e.vectors(1, 1), 0, 1e-15);
  EXPECT(e.vectors(1, 2) > 0);
}

TEST("eigh: Hilbert matrix of order 3") {
  Batch<double> a{{1, 1.0 / 2, 1.0 / 3}, {1.0 / 2, 1.0 / 3, 1.0 / 4}, {1.0 / 3, 1.0 / 4, 1.0 / 5}};
  Eigen e(a);
  EXPECT_NEAR(e.values(0, 0), 0.0026873403557735, 1e-15);
  EXPECT_NEAR(e.values(1, 0), 0.1223270658539058, 1e-15);
  EXPECT_NEAR(e.values(2, 0), 1.4083189271236540, 1e-14);
  // det H = 1 / 2160: the small eigenvalue to full relative accuracy of the product
  EXPECT_NEAR(e.values(0, 0) * e.values(1, 0) * e.values(2, 0) * 2160, 1, 1e-13);
}

TEST("eigh: diagonal, indefinite and anti-diagonal matrices") {
  Batch<double> d = Batch<double>::diagonal({3, -1, 2}), swap{{0, 1}, {1, 0}};
  Eigen e(d), s(swap);
  EXPECT(e.values(0, 0) == -1 && e.values(1, 0) == 2 && e.values(2, 0) == 3);
  EXPECT(e.vectors(1, 0) == 1 && e.vectors(2, 1) == 1 && e.vectors(0, 2) == 1);
  EXPECT(e.reports[0].condition == 3 && e.reports[0].residual == 0);
  EXPECT_NEAR(s.values(0, 0), -1, 1e-15);
  EXPECT_NEAR(s.values(1, 0), 1, 1e-15);
}

TEST("eigh: LAPACK's ratios below 10 on random and graded matrices") {
  for (int64_t n : {4, 13, 32}) {
    for (double decades : {0.0, 8.0, 30.0}) {
      Batch<double> a = random_symmetric<double>(n, decades);
      Eigen e(a);
      EXPECT(e.reports[0].status == KR_STATUS_OK);
      EXPECT(lapack_ratio(a, e.values, e.vectors) < 10);
      EXPECT(e.reports[0].residual < 1e-14);
      Batch<float> b = random_symmetric<float>(n, decades);
      Eigen f(b);
      EXPECT(lapack_ratio(b, f.values, f.vectors) < 10);
      for (int64_t i = 1; i < n; ++i) EXPECT(e.values(i - 1, 0) <= e.values(i, 0));
    }
  }
}

TEST("eigh: rank-deficient matrix converges") {
  Batch<double> a(1, 24, 24);
  for (int64_t i = 0; i < 24; ++i) {
    for (int64_t j = 0; j < 24; ++j) {
      for (uint64_t k = 0; k < 5; ++k) {
        a(i, j) += std::cos(static_cast<double>(k + 1) * static_cast<double>(i)) *
                   std::cos(static_cast<double>(k + 1) * static_cast<double>(j));
      }
    }
  }
  Eigen e(a);
  EXPECT(e.reports[0].status == KR_STATUS_OK);
  EXPECT(e.reports[0].iterations < 20);
  EXPECT_NEAR(e.values(18, 0), 0, 1e-14);
  EXPECT(e.values(19, 0) > 1);
  EXPECT(lapack_ratio(a, e.values, e.vectors) < 10);
}

TEST("eigh: any scale") {
  for (double scale : {1e-300, 1e-320, 1e300}) {
    Batch<double> a{{2 * scale, scale}, {scale, 2 * scale}};
    Eigen e(a);
    EXPECT(e.reports[0].status == KR_STATUS_OK);
    EXPECT_NEAR(e.values(1, 0) / scale, 3, 1e-3 * (scale < 1e-310) + 1e-15);
    EXPECT_NEAR(e.reports[0].condition, 3, 1e-3);
  }
  Batch<float> b{{2e38f, 2e38f}, {2e38f, 2e38f}};
  Eigen e(b);
  EXPECT(e.reports[0].status == KR_STATUS_OVERFLOW);  // 4e38 is no float
  EXPECT(e.values(1, 0) == 0);                        // untouched
}

TEST("eigh: zero, 1 x 1, empty, values only") {
  Batch<float> zero(1, 3, 3), one{{-5}};
  Eigen z(zero), o(one);
  EXPECT(z.reports[0].status == KR_STATUS_OK && z.values(2, 0) == 0 && z.vectors(1, 1) == 1);
  EXPECT(z.reports[0].residual == 0 && std::isnan(z.reports[0].condition));
  EXPECT(o.values(0, 0) == -5 && o.vectors(0, 0) == 1 && o.reports[0].method == KR_METHOD_DIRECT);
  Call call;
  const kr_batch none{nullptr, KR_F32, 0, 2, 0, 0, 0, 0}, no_values{nullptr, KR_F32, 0, 2, 0, 1, 1, 0};
  kr_report reports[2];
  EXPECT(reference.eigh(call.get(), nullptr, &none, &no_values, &none, reports) == KR_OK);
  EXPECT(reports[1].status == KR_STATUS_OK);
  Batch<double> a{{2, 1}, {1, 2}}, values(1, 2, 1);
  EXPECT(reference.eigh(call.get(), nullptr, &a, &values, nullptr, reports) == KR_OK);
  EXPECT_NEAR(values(1, 0), 3, 1e-15);
  EXPECT(std::isnan(reports[0].residual));
  EXPECT(reference.eigh(call.get(), nullptr, &a, &values, nullptr, nullptr) == KR_OK);
}

TEST("eigh: asymmetry up to sqrt(ulp) is averaged, above it refused") {
  const double bound = std::sqrt(0x1p-52) * 4;  // max|A| = 4
  Batch<double> slightly{{4, 1 + 0.9 * bound}, {1, 2}}, too_much{{4, 1 + 1.1 * bound}, {1, 2}};
  Eigen s(slightly), t(too_much);
  EXPECT(s.reports[0].status == KR_STATUS_OK);
  EXPECT_NEAR(s.values(0, 0) + s.values(1, 0), 6, 1e-14);
  EXPECT_NEAR(s.values(0, 0) * s.values(1, 0), 8 - std::pow(1 + 0.45 * bound, 2), 1e-14);
  EXPECT(t.reports[0].status == KR_STATUS_NOT_SYMMETRIC && t.reports[0].rung == KR_RUNG_NONE);
}

TEST("eigh: a bad matrix leaves its neighbours bit-identical") {
  Batch<float> a(3, 4, 4), poisoned(3, 4, 4);
  for (int64_t b = 0; b < 3; ++b) {
    for (int64_t i = 0; i < 4; ++i) {
      for (int64_t j = 0; j < 4; ++j) a(b, i, j) = poisoned(b, i, j) = 1.0f / static_cast<float>(i + j + b + 1);
    }
  }
  poisoned(1, 2, 3) = nan_of<float>;
  Eigen good(a), bad(poisoned);
  EXPECT(bad.reports[1].status == KR_STATUS_NON_FINITE_INPUT);
  EXPECT(bad.vectors(1, 0, 0) == 0 && bad.values(1, 0, 0) == 0);
  for (int64_t b : {0, 2}) {
    EXPECT(bad.reports[static_cast<size_t>(b)].status == KR_STATUS_OK);
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT(good.values(b, i, 0) == bad.values(b, i, 0));
      for (int64_t j = 0; j < 4; ++j) EXPECT(good.vectors(b, i, j) == bad.vectors(b, i, j));
    }
  }
}
