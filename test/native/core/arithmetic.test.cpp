// Checked sizes, rational roots, ridges, random signs and reports.
#include <cmath>
#include <cstdint>
#include <limits>

#include "../expect.hpp"
#include "native/core/checked.hpp"
#include "native/core/random.hpp"
#include "native/core/rational.hpp"
#include "native/core/report.hpp"
#include "native/core/ridge.hpp"

using namespace kronroot;

namespace {

constexpr int64_t most = std::numeric_limits<int64_t>::max();

kr_inverse_root_options root_options(int32_t numerator, int32_t denominator) {
  kr_inverse_root_options options{};
  options.p_numerator = numerator;
  options.p_denominator = denominator;
  return options;
}

}  // namespace

TEST("Checked: plain results and remembered overflows") {
  EXPECT((Checked(3) * 4 + 5 - 2).value() == 15);
  EXPECT((Checked(most) - 1).valid());
  EXPECT(!(Checked(most) + 1).valid());
  EXPECT(!(Checked(most) * 2).valid());
  EXPECT(!(Checked(most) * 2 * 0).valid());
  EXPECT(!(Checked(3) - 4).valid());
  EXPECT(!(Checked(-1) + 2).valid());
  EXPECT((Checked(most) * 2).value() == 0);
}

TEST("Root: default, reduction, sign") {
  const Root standard = root_of(root_options(0, 0));
  EXPECT(standard.a == 2 && standard.b == 1 && standard.inverse);
  const Root reduced = root_of(root_options(48, 64));
  EXPECT(reduced.a == 3 && reduced.b == 4 && reduced.inverse);
  const Root positive = root_of(root_options(-4, 2));
  EXPECT(positive.a == 2 && positive.b == 1 && !positive.inverse);
  EXPECT(root_of(root_options(4, 3)).exponent() == -0.75);
  EXPECT(positive.exponent() == 0.5);
}

TEST("root_power: to 1 ulp of f64 over the whole range") {
  const double ulp = std::numeric_limits<double>::epsilon();
  EXPECT(static_cast<double>(root_power(16, {4, 1, true})) == 0.5);
  EXPECT(static_cast<double>(root_power(8, {3, 2, true})) == 0.25);
  EXPECT(static_cast<double>(root_power(8, {3, 2, false})) == 4.0);
  // 2^(900/3): std::pow(0x1p900, -1.0 / 3) is off by about 40 ulp.
  EXPECT_NEAR(static_cast<double>(root_power(0x1p900L, {3, 1, true})) / 0x1p-300, 1, ulp);
  EXPECT_NEAR(static_cast<double>(root_power(0x1p-1020L, {60, 7, true})) / 0x1p119, 1, ulp);
}

TEST("ridge_epsilon: every mode") {
  EXPECT(ridge_epsilon(KR_RIDGE_DEFAULT, 0, 2.0, 3.0, 4, KR_F32) == 2e-6);
  EXPECT(ridge_epsilon(KR_RIDGE_DEFAULT, 9, 2.0, 3.0, 4, KR_F64) == 2e-12);
  EXPECT(ridge_epsilon(KR_RIDGE_NONE, 9, 2.0, 3.0, 4, KR_F32) == 0);
  EXPECT(ridge_epsilon(KR_RIDGE_ABSOLUTE, 0.25, 2.0, 3.0, 4, KR_F32) == 0.25);
  EXPECT(ridge_epsilon(KR_RIDGE_RELATIVE, 0.25, 2.0, 3.0, 4, KR_F32) == 0.5);
  EXPECT(ridge_epsilon(KR_RIDGE_TRACE, 0.25, 2.0, 3.0, 4, KR_F32) == 0.1875);
  EXPECT(ridge_epsilon(KR_RIDGE_PSEUDO_INVERSE, 9, 2.0, 3.0, 4, KR_F32) == 0);
  EXPECT(ridge_epsilon(KR_RIDGE_RELATIVE, 0.25, -2.0, -3.0, 4, KR_F32) == 0);
  EXPECT(ridge_epsilon(KR_RIDGE_TRACE, 0.25, -2.0, -3.0, 4, KR_F32) == 0);
  EXPECT(ridge_epsilon(KR_RIDGE_TRACE, 0.25, 0.0, 0.0, 0, KR_F32) == 0);
}

TEST("thresholds of the defined answers") {
  EXPECT(null_threshold(2.0, 8, KR_F32) == 8 * 0x1p-23 * 2);
  EXPECT(null_threshold(-2.0, 8, KR_F64) == 0);
  EXPECT(pseudo_inverse_cutoff(0, 2.0, 8, KR_F64) == 8 * 0x1p-52 * 2);
  EXPECT(pseudo_inverse_cutoff(0.5, 2.0, 8, KR_F64) == 1);
  EXPECT(negative_tolerance(0.0, 2.0, 8, KR_F64) == 64 * 0x1p-52 * 2);
  EXPECT(negative_tolerance(0.5, 2.0, 8, KR_F64) == 0.5);
}

TEST("random_sign: fixed, balanced, uncorrelated with its neighbours") {
  static_assert(random_bits(0, 0) == 0xe220a8397b1dcdafu, "SplitMix64's first output for seed 0");
  int sum = 0, products = 0;
  for (uint64_t i = 0; i < 10000; ++i) {
    const double sign = random_sign(probe_stream, i);
    EXPECT(sign == 1 || sign == -1);
    sum += static_cast<int>(sign);
    products += static_cast<int>(sign * random_sign(probe_stream, i + 1));
  }
  EXPECT(std::abs(sum) < 400);  // four standard deviations
  EXPECT(std::abs(products) < 400);
}

TEST("reports: documented defaults") {
  const kr_report ok = answered(KR_METHOD_EIGH);
  EXPECT(ok.status == KR_STATUS_OK && ok.method == KR_METHOD_EIGH && ok.rung == KR_RUNG_CHOSEN && ok.detail == -1);
  EXPECT(std::isnan(ok.residual) && std::isnan(ok.condition));
  const kr_report failure = failed(KR_STATUS_NOT_POSITIVE_DEFINITE, 3);
  EXPECT(failure.rung == KR_RUNG_NONE && failure.detail == 3 && is_failure(failure) && !is_failure(ok));
  const kr_report dropped = rank_deficient(ok, 2);
  EXPECT(dropped.status == KR_STATUS_RANK_DEFICIENT && dropped.detail == 2 && !is_failure(dropped));
}
