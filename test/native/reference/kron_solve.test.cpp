// kron_solve of the reference on numbers worked out by hand, and its refusals.
#include <cmath>

#include "../batch.hpp"
#include "../expect.hpp"
#include "native/core/check.hpp"

using namespace kronroot;
using kronroot::test::Batch;
using kronroot::test::Call;

namespace {

const kr_backend& reference = *kr_reference_backend();

template <typename T>
void by_hand() {
  Call call;
  // A swaps the rows of X, with values 2 and 3; B is the identity with values 1 and 10.
  Batch<T> swap{{0, 1}, {1, 0}}, a{{2}, {3}}, b{{1}, {10}}, x{{1, 2}, {3, 4}}, y(1, 2, 2);
  const kr_kron_bases bases{&swap, &a, nullptr, &b};
  const kr_kron_solve_options options{KR_KRON_POWER_ONE, KR_RIDGE_ABSOLUTE, 1, 0, 0, 0, 0};
  kr_report report;
  // Z = {{3, 4}, {1, 2}} over {{3, 21}, {4, 31}}, then swapped back.
  EXPECT(reference.kron_solve(call.get(), &options, &bases, nullptr, nullptr, &x, &y, &report) == KR_OK);
  EXPECT(report.status == KR_STATUS_OK && report.residual < 1e-6);
  EXPECT_NEAR(report.condition, 31. / 3, 1e-12);
  EXPECT_NEAR(static_cast<double>(y(0, 0)), 1. / 4, 1e-7);
  EXPECT_NEAR(static_cast<double>(y(0, 1)), 2. / 31, 1e-7);
  EXPECT_NEAR(static_cast<double>(y(1, 0)), 1, 1e-7);
  EXPECT_NEAR(static_cast<double>(y(1, 1)), 4. / 21, 1e-7);
}

// S <- S / 2 + Z^2, then Y = Z / (sqrt(2 S) + 1).
template <typename T>
void statistics_by_hand() {
  Call call;
  Batch<T> swap{{0, 1}, {1, 0}}, x{{1, 2}, {3, 0}}, s{{2, 4}, {14, 0}}, y(1, 2, 2);
  const kr_kron_bases bases{nullptr, nullptr, &swap, nullptr};
  const kr_kron_solve_options options{KR_KRON_POWER_HALF, KR_RIDGE_NONE, 0, 2, 1, 0.5, 1};
  EXPECT(reference.kron_solve(call.get(), &options, &bases, nullptr, &s, &x, &y, nullptr) == KR_OK);
  // Z = {{2, 1}, {0, 3}}
  EXPECT(s(0, 0) == 5 && s(0, 1) == 3 && s(1, 0) == 7 && s(1, 1) == 9);
  EXPECT_NEAR(static_cast<double>(y(0, 1)), 2 / (std::sqrt(10.) + 1), 1e-6);
  EXPECT_NEAR(static_cast<double>(y(0, 0)), 1 / (std::sqrt(6.) + 1), 1e-6);
  EXPECT_NEAR(static_cast<double>(y(1, 0)), 3 / (std::sqrt(18.) + 1), 1e-6);
  EXPECT(y(1, 1) == 0);
}

}  // namespace

TEST("kron_solve: a damped system by hand") {
  by_hand<float>();
  by_hand<double>();
}

TEST("kron_solve: statistics by hand") {
  statistics_by_hand<float>();
  statistics_by_hand<double>();
}

TEST("kron_solve: refusals name the argument") {
  Call call;
  Batch<float> x(1, 2, 3), y(1, 2, 3), s(1, 2, 3), two(1, 2, 2), three(1, 3, 3), values(1, 3, 1), pair(1, 3, 2);
  const auto refuse = [&](kr_code code, const char* message, const kr_kron_solve_options& options,
                          const kr_kron_bases& bases, const kr_batch* scale, const kr_batch* statistics,
                          const kr_batch* to) {
    EXPECT(check_kron_solve(call.get(), &options, &bases, scale, statistics, &x, to) == code);
    EXPECT_CONTAINS(call.message(), message);
  };
  EXPECT(check_kron_solve(call.get(), nullptr, nullptr, nullptr, nullptr, &x, &y) == KR_OK);
  EXPECT(check_kron_solve(call.get(), nullptr, nullptr, nullptr, nullptr, &x, &x) == KR_OK);
  EXPECT(check_kron_solve(call.get(), nullptr, nullptr, nullptr, &s, &x, nullptr) == KR_OK);
  refuse(KR_BAD_SHAPE, "y: expected a descriptor, got NULL, and no statistics", {}, {}, &s, nullptr, nullptr);
  refuse(KR_BAD_SHAPE, "scale: expected NULL, since statistics", {}, {}, &two, &s, &y);
  refuse(KR_BAD_SHAPE, "a_vectors: expected 2 rows (rows of x), got 3", {}, {&three, nullptr, nullptr, nullptr},
         nullptr, nullptr, &y);
  refuse(KR_BAD_SHAPE, "b_values: expected 1 cols", {}, {nullptr, nullptr, nullptr, &pair}, nullptr, nullptr, &y);
  refuse(KR_BAD_SHAPE, "a_values: expected 2 rows", {}, {nullptr, &values, nullptr, nullptr}, nullptr, nullptr, &y);
  refuse(KR_BAD_SHAPE, "scale: expected 2 rows", {}, {}, &three, nullptr, &y);
  refuse(KR_BAD_ALIAS, "statistics: expected memory apart from x", {}, {}, nullptr, &x, &y);
  refuse(KR_BAD_ALIAS, "y: expected memory apart from statistics", {}, {}, nullptr, &s, &s);
  refuse(KR_BAD_OPTION, "power: expected a kr_kron_power", {2, 0, 0, 0, 0, 0, 0}, {}, nullptr, nullptr, &y);
  refuse(KR_BAD_OPTION, "damping: expected KR_RIDGE_DEFAULT", {0, KR_RIDGE_TRACE, 0, 0, 0, 0, 0}, {}, nullptr, nullptr,
         &y);
  refuse(KR_BAD_OPTION, "damping_value: expected", {0, 0, -1, 0, 0, 0, 0}, {}, nullptr, nullptr, &y);
  refuse(KR_BAD_OPTION, "factor: expected", {0, 0, 0, -1, 0, 0, 0}, {}, nullptr, nullptr, &y);
  refuse(KR_BAD_OPTION, "epsilon: expected", {0, 0, 0, 0, std::nan(""), 0, 0}, {}, nullptr, nullptr, &y);
  refuse(KR_BAD_OPTION, "beta: expected", {0, 0, 0, 0, 0, -1, 0}, {}, nullptr, nullptr, &y);
  refuse(KR_BAD_OPTION, "weight: expected", {0, 0, 0, 0, 0, 0, -1}, {}, nullptr, nullptr, &y);
}
