// qr, svd, triangular_solve and norm_estimate of the reference on numbers worked out by hand.
#include <cmath>

#include "../batch.hpp"
#include "../expect.hpp"

using kronroot::test::Batch;
using kronroot::test::Call;

namespace {

const kr_backend& reference = *kr_reference_backend();

}  // namespace

TEST("qr: by hand, reduced and complete") {
  Call call;
  Batch<double> a{{3, 1}, {0, 2}, {4, 3}}, q(1, 3, 2), r(1, 2, 2), full(1, 3, 3), tall(1, 3, 2);
  kr_report report;
  // Columns (3, 0, 4) / 5 and (1, 2, 3) - 3 (3, 0, 4) / 5 = (-4, 10, 3) / 5, of length sqrt(5).
  EXPECT(reference.qr(call.get(), nullptr, &a, &q, &r, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_OK && report.method == KR_METHOD_HOUSEHOLDER && report.residual < 1e-15);
  const double length = std::sqrt(5.0), second[] = {-0.8 / length, 2 / length, 0.6 / length}, first[] = {0.6, 0, 0.8};
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(q(i, 0), first[i], 1e-15);
    EXPECT_NEAR(q(i, 1), second[i], 1e-15);
  }
  EXPECT_NEAR(r(0, 0), 5, 1e-15);
  EXPECT_NEAR(r(0, 1), 3, 1e-15);
  EXPECT(r(1, 0) == 0);
  EXPECT_NEAR(r(1, 1), length, 1e-15);
  EXPECT_NEAR(report.condition, 5 / length, 1e-14);
  const kr_qr_options complete{1, 0};
  EXPECT(reference.qr(call.get(), &complete, &a, &full, &tall, &report) == KR_OK);
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(full(i, 1), second[i], 1e-15);
    double dot = 0;
    for (int64_t k = 0; k < 3; ++k) dot += full(k, 2) * full(k, i);
    EXPECT_NEAR(dot, i == 2 ? 1 : 0, 1e-15);
  }
  EXPECT(tall(2, 0) == 0 && tall(2, 1) == 0);
}

TEST("qr: zero columns, failures and empty matrices") {
  Call call;
  Batch<float> a{{0, -2}, {0, 0}}, q(1, 2, 2, 7), r(1, 2, 2, 7);
  kr_report report;
  EXPECT(reference.qr(call.get(), nullptr, &a, &q, &r, &report) == KR_OK);
  EXPECT(r(0, 0) == 0 && std::abs(r(0, 1)) == 2 && r(1, 1) == 0 && std::isnan(report.condition));
  a(1, 1) = INFINITY;
  EXPECT(reference.qr(call.get(), nullptr, &a, nullptr, &r, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_NON_FINITE_INPUT && std::abs(r(0, 1)) == 2);
  Batch<float> huge{{3e38F}, {3e38F}}, column(1, 2, 1), norm(1, 1, 1, 7);
  EXPECT(reference.qr(call.get(), nullptr, &huge, &column, &norm, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_OVERFLOW && norm(0, 0) == 7);
  Batch<float> none(1, 0, 2), nothing(1, 0, 0), no_rows(1, 0, 2);
  EXPECT(reference.qr(call.get(), nullptr, &none, &nothing, &no_rows, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_OK && report.method == KR_METHOD_DIRECT);
}

TEST("svd: by hand, wide and tall, with signs") {
  Call call;
  // diag(3, 2) in exchanged columns, one of them negative.
  Batch<double> wide{{0, -3, 0}, {2, 0, 0}}, tall{{0, 2}, {-3, 0}, {0, 0}}, s(1, 2, 1), two(1, 2, 2), three(1, 3, 2);
  kr_report report;
  EXPECT(reference.svd(call.get(), nullptr, &wide, &s, &two, &three, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_OK && report.method == KR_METHOD_JACOBI && report.residual < 1e-15);
  EXPECT_NEAR(s(0, 0), 3, 1e-15);
  EXPECT_NEAR(s(1, 0), 2, 1e-15);
  EXPECT_NEAR(report.condition, 1.5, 1e-15);
  EXPECT_NEAR(two(0, 0), 1, 1e-15);
  EXPECT_NEAR(three(1, 0), -1, 1e-15);
  EXPECT_NEAR(two(1, 1), 1, 1e-15);
  EXPECT_NEAR(three(0, 1), 1, 1e-15);
  EXPECT(reference.svd(call.get(), nullptr, &tall, &s, &three, &two, &report) == KR_OK);
  EXPECT_NEAR(s(0, 0), 3, 1e-15);
  EXPECT_NEAR(two(0, 0), 1, 1e-15);
  EXPECT_NEAR(three(1, 0), -1, 1e-15);
}

TEST("svd: rank one completes its vectors; failures leave the outputs") {
  Call call;
  Batch<double> a{{1, 1}, {1, 1}}, s(1, 2, 1, 7), u(1, 2, 2, 7), v(1, 2, 2, 7);
  kr_report report;
  EXPECT(reference.svd(call.get(), nullptr, &a, &s, &u, &v, &report) == KR_OK);
  EXPECT_NEAR(s(0, 0), 2, 1e-15);
  EXPECT_NEAR(s(1, 0), 0, 1e-15);
  EXPECT_NEAR(u(0, 1) * u(0, 1) + u(1, 1) * u(1, 1), 1, 1e-15);
  EXPECT_NEAR(v(0, 0) * v(0, 1) + v(1, 0) * v(1, 1), 0, 1e-15);
  a(0, 1) = NAN;
  EXPECT(reference.svd(call.get(), nullptr, &a, &s, nullptr, nullptr, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_NON_FINITE_INPUT);
  EXPECT_NEAR(s(0, 0), 2, 1e-15);
}

TEST("triangular_solve: by hand, from both sides") {
  Call call;
  Batch<double> t{{2, 99}, {1, 4}}, b{{2, 4}, {9, 6}}, x(1, 2, 2);
  kr_report report;
  // 2 x = 2, x + 4 y = 9; the upper element is not read.
  EXPECT(reference.triangular_solve(call.get(), nullptr, &t, &b, &x, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_OK && report.condition == 2 && report.residual < 1e-15);
  EXPECT(x(0, 0) == 1 && x(1, 0) == 2 && x(0, 1) == 2 && x(1, 1) == 1);
  // X T^T = 2 B: x_0 from 2 x_0 = 2 b_0, then x_0 + 4 x_1 = 2 b_1.
  const kr_triangular_solve_options right{KR_SIDE_RIGHT, 0, 1, 0, 2};
  EXPECT(reference.triangular_solve(call.get(), &right, &t, &b, &x, &report) == KR_OK);
  EXPECT(x(0, 0) == 2 && x(0, 1) == 1.5 && x(1, 0) == 9 && x(1, 1) == 0.75);
  // Unit upper: x_1 = b_1, x_0 = b_0 - 99 b_1.
  const kr_triangular_solve_options unit{KR_SIDE_LEFT, 1, 0, 1, 0};
  EXPECT(reference.triangular_solve(call.get(), &unit, &t, &b, &x, &report) == KR_OK);
  EXPECT(x(1, 0) == 9 && x(0, 0) == 2 - 99 * 9 && report.condition == 1);
  t(1, 1) = 0;
  EXPECT(reference.triangular_solve(call.get(), nullptr, &t, &b, &x, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_SINGULAR && report.detail == 1 && x(1, 0) == 9);
}

TEST("norm_estimate: by hand") {
  Call call;
  Batch<double> a{{3, 0}, {-4, 0}, {0, 2}}, value(1, 1, 1);
  const double expected[] = {5, 5, std::sqrt(29.0), 7, 4, 4};
  for (int32_t kind = 0; kind < 6; ++kind) {
    const kr_norm_estimate_options options{kind, 0};
    EXPECT(reference.norm_estimate(call.get(), &options, &a, &value, nullptr) == KR_OK);
    EXPECT_NEAR(value(0, 0), expected[kind], 1e-15);
  }
}
