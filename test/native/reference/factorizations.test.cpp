// cholesky, spd_inverse and spd_solve of the reference.
#include <cmath>

#include "../batch.hpp"
#include "../expect.hpp"

using namespace kronroot;
using kronroot::test::Batch;
using kronroot::test::Call;
using kronroot::test::nan_of;

namespace {

const kr_backend& reference = *kr_reference_backend();

}  // namespace

TEST("cholesky: by hand; the upper triangle is not read") {
  Call call;
  kr_report report;
  Batch<double> a{{4, nan_of<double>, nan_of<double>}, {12, 37, nan_of<double>}, {-16, -43, 98}}, l(1, 3, 3, 9);
  EXPECT(reference.cholesky(call.get(), nullptr, &a, &l, &report) == KR_OK);
  const double expected[3][3] = {{2, 0, 0}, {6, 1, 0}, {-8, 5, 3}};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) EXPECT(l(i, j) == expected[i][j]);
  }
  EXPECT(report.status == KR_STATUS_OK && report.method == KR_METHOD_CHOLESKY && report.detail == -1);
  EXPECT(report.residual == 0 && report.condition == 9);
}

TEST("cholesky: in place") {
  Call call;
  Batch<float> a{{4, 2}, {2, 3}};
  EXPECT(reference.cholesky(call.get(), nullptr, &a, &a, nullptr) == KR_OK);
  EXPECT(a(0, 0) == 2 && a(0, 1) == 0 && a(1, 0) == 1);
  EXPECT_NEAR(a(1, 1), std::sqrt(2.0), 1e-7);
}

TEST("cholesky: ridge modes; the default is none") {
  Call call;
  kr_report report;
  Batch<double> a{{1, 1}, {1, 1}}, l(1, 2, 2, 7);  // eigenvalues 0, 2
  EXPECT(reference.cholesky(call.get(), nullptr, &a, &l, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_NOT_POSITIVE_DEFINITE && report.detail == 1 && report.rung == KR_RUNG_NONE);
  EXPECT(l(0, 0) == 7 && l(1, 1) == 7);
  struct {
    int32_t ridge;
    double value, pivot;
  } const cases[] = {{KR_RIDGE_ABSOLUTE, 3, 4}, {KR_RIDGE_RELATIVE, 0.5, 2}, {KR_RIDGE_TRACE, 8, 9}};
  for (const auto& each : cases) {
    const kr_cholesky_options options{each.ridge, 0, each.value};
    EXPECT(reference.cholesky(call.get(), &options, &a, &l, &report) == KR_OK);
    EXPECT_NEAR(l(0, 0) * l(0, 0), each.pivot, 1e-14);
    EXPECT(report.residual < 1e-15);
  }
}

TEST("cholesky: failures") {
  Call call;
  kr_report reports[4];
  Batch<float> a(4, 2, 2), l(4, 2, 2, 5);
  a(1, 0, 0) = 4, a(1, 1, 1) = 9;                  // fine
  a(2, 0, 0) = 4, a(2, 1, 0) = nan_of<float>;      // not finite
  a(3, 0, 0) = 1, a(3, 1, 0) = 2, a(3, 1, 1) = 1;  // indefinite; a(0) is zero
  EXPECT(reference.cholesky(call.get(), nullptr, &a, &l, reports) == KR_OK);
  EXPECT(reports[0].status == KR_STATUS_NOT_POSITIVE_DEFINITE && reports[0].detail == 0);
  EXPECT(reports[1].status == KR_STATUS_OK && l(1, 0, 0) == 2 && l(1, 1, 1) == 3);
  EXPECT(reports[2].status == KR_STATUS_NON_FINITE_INPUT && reports[2].detail == -1);
  EXPECT(reports[3].status == KR_STATUS_NOT_POSITIVE_DEFINITE && reports[3].detail == 1);
  for (int64_t b : {0, 2, 3}) EXPECT(l(b, 0, 0) == 5 && l(b, 1, 1) == 5);
}

TEST("spd_inverse: by hand, in place, symmetric, with a ridge") {
  Call call;
  kr_report report;
  Batch<double> a{{2, nan_of<double>}, {1, 2}};
  EXPECT(reference.spd_inverse(call.get(), nullptr, &a, &a, &report) == KR_OK);
  EXPECT_NEAR(a(0, 0), 2.0 / 3, 1e-15);
  EXPECT_NEAR(a(0, 1), -1.0 / 3, 1e-15);
  EXPECT(a(0, 1) == a(1, 0));
  EXPECT(report.residual < 1e-15);
  EXPECT_NEAR(report.condition, 4.0 / 3, 1e-14);  // l = (sqrt 2, sqrt 1.5)
  Batch<double> d = Batch<double>::diagonal({1, 3}), x(1, 2, 2);
  const kr_spd_inverse_options ridge{KR_RIDGE_ABSOLUTE, 0, 1};
  EXPECT(reference.spd_inverse(call.get(), &ridge, &d, &x, &report) == KR_OK);
  EXPECT_NEAR(x(0, 0), 0.5, 1e-16);
  EXPECT_NEAR(x(1, 1), 0.25, 1e-16);
}

TEST("spd_inverse: a result that the dtype cannot hold") {
  Call call;
  kr_report report;
  Batch<float> a{{1e-40f}}, x(1, 1, 1, 3);
  EXPECT(reference.spd_inverse(call.get(), nullptr, &a, &x, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_OVERFLOW && x(0, 0) == 3);
}

TEST("spd_solve: by hand, also over its right side") {
  Call call;
  kr_report report;
  Batch<double> a{{4, 2}, {2, 3}}, b{{8, 2}, {8, 5}}, x(1, 2, 2);
  EXPECT(reference.spd_solve(call.get(), nullptr, &a, &b, &x, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_OK && report.residual < 1e-16 * 10);
  const double expected[2][2] = {{1, -0.5}, {2, 2}};
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) EXPECT_NEAR(x(i, j), expected[i][j], 1e-15);
  }
  EXPECT(b(0, 0) == 8 && b(1, 1) == 5);
  EXPECT(reference.spd_solve(call.get(), nullptr, &a, &b, &b, &report) == KR_OK);
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) EXPECT(b(i, j) == x(i, j));
  }
}

TEST("spd_solve: failures leave x alone") {
  Call call;
  kr_report report;
  Batch<float> a{{1, 2}, {2, 1}}, good{{1, 0}, {0, 1}}, b{{1}, {1}}, poisoned{{1}, {nan_of<float>}}, x(1, 2, 1, 6);
  EXPECT(reference.spd_solve(call.get(), nullptr, &a, &b, &x, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_NOT_POSITIVE_DEFINITE && report.detail == 1);
  EXPECT(reference.spd_solve(call.get(), nullptr, &good, &poisoned, &x, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_NON_FINITE_INPUT);
  EXPECT(x(0, 0) == 6 && x(1, 0) == 6);
}

TEST("empty matrices are answered") {
  Call call;
  kr_report report;
  const kr_batch none{nullptr, KR_F64, 0, 1, 0, 0, 0, 0}, columns{nullptr, KR_F64, 0, 1, 0, 3, 3, 0};
  EXPECT(reference.cholesky(call.get(), nullptr, &none, &none, &report) == KR_OK && report.status == KR_STATUS_OK);
  EXPECT(reference.spd_inverse(call.get(), nullptr, &none, &none, &report) == KR_OK && report.status == KR_STATUS_OK);
  EXPECT(reference.spd_solve(call.get(), nullptr, &none, &columns, &columns, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_OK && report.method == KR_METHOD_DIRECT);
}
