// The certificate itself: it has to see a wrong root, and only a wrong one.
#include "native/reference/balanced_residual.hpp"

#include <algorithm>
#include <cmath>

#include "../expect.hpp"

using namespace kronroot;
using namespace kronroot::reference;

namespace {

Dense diagonal(std::initializer_list<double> values) {
  const auto n = static_cast<int64_t>(values.size());
  Dense x(n, n);
  int64_t i = 0;
  for (double each : values) x(i, i) = each, ++i;
  return x;
}

constexpr Root square_root{2, 1, true}, cube_root{3, 1, true}, three_halves{3, 2, true};

}  // namespace

TEST("balanced_residual: 0 for exact roots") {
  for (Measure measure : {Measure::probe, Measure::full}) {
    EXPECT(balanced_residual(diagonal({4, 16, 1}), diagonal({0.5, 0.25, 1}), square_root, measure) == 0);
    EXPECT(balanced_residual(diagonal({8, 64, 1}), diagonal({0.5, 0.25, 1}), cube_root, measure) == 0);
    EXPECT(balanced_residual(diagonal({8, 64, 1}), diagonal({0.25, 0.0625, 1}), three_halves, measure) == 0);
    EXPECT(balanced_residual(diagonal({8, 64, 1}), diagonal({4, 16, 1}), {3, 2, false}, measure) == 0);
    EXPECT(projector_residual(diagonal({4, 16, 0}), diagonal({0.5, 0.25, 0}), square_root, measure) == 0);
  }
}

TEST("balanced_residual: X (1 + d) gives |(1 + d)^a - 1|, whatever the condition") {
  const double d = 0x1p-10;
  for (Measure measure : {Measure::probe, Measure::full}) {
    EXPECT_NEAR(
        balanced_residual(diagonal({4, 0x1p-80}), diagonal({0.5 * (1 + d), 0x1p40 * (1 + d)}), square_root, measure),
        std::pow(1 + d, 2) - 1, 1e-15);
    EXPECT_NEAR(
        balanced_residual(diagonal({8, 0x1p-90}), diagonal({0.5 * (1 + d), 0x1p30 * (1 + d)}), cube_root, measure),
        std::pow(1 + d, 3) - 1, 1e-15);
  }
}

TEST("balanced_residual: powers that double cannot hold") {
  const Root large{64, 63, true};
  // B^63 = 2^-31500 and X^64 = 2^31500
  EXPECT(balanced_residual(diagonal({0x1p-64}), diagonal({0x1p63}), large, Measure::probe) == 0);
  EXPECT(balanced_residual(diagonal({0x1p-640}), diagonal({0x1p630}), large, Measure::full) == 0);
  EXPECT(balanced_residual(diagonal({0x1p-640}), diagonal({0x1p-630}), {64, 63, false}, Measure::full) == 0);
}

TEST("balanced_residual: sees a wrong direction, a wrong exponent, a wrong basis") {
  // One wrong eigenvalue of four: |1.21 - 1| / sqrt(4)
  EXPECT_NEAR(balanced_residual(diagonal({1, 1, 1, 1}), diagonal({1, 1.1, 1, 1}), square_root, Measure::full), 0.105,
              1e-15);
  EXPECT_NEAR(balanced_residual(diagonal({1, 1, 1, 1}), diagonal({1, 1.1, 1, 1}), square_root, Measure::probe), 0.105,
              1e-15);
  // x^{-1/2} handed out for x^{-1/4}
  EXPECT(balanced_residual(diagonal({16, 81}), diagonal({0.25, 1.0 / 9}), {4, 1, true}, Measure::probe) > 0.9);
  // A symmetric error of size e between the two ends of condition c^2 shows as e c (p = 2): off-diagonal x1 e + e x2.
  const double e = 0x1p-30;
  Dense x = diagonal({0x1p20, 1});
  x(0, 1) = x(1, 0) = e;
  EXPECT(balanced_residual(diagonal({0x1p-40, 1}), x, square_root, Measure::full) < 2 * e);
  EXPECT(!(balanced_residual(diagonal({1, NAN}), diagonal({1, 1}), square_root, Measure::probe) <= 1e300));
}

TEST("balanced_residual: the probe estimates the full form") {
  const int64_t n = 64;
  Dense x = Dense::identity(n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) x(i, j) = x(j, i) = 1e-4 * std::sin(static_cast<double>(3 * i + 7 * j));
  }
  const double full = balanced_residual(Dense::identity(n), x, square_root, Measure::full);
  const double probed = balanced_residual(Dense::identity(n), x, square_root, Measure::probe);
  EXPECT(probed > full / 4 && probed < 4 * full);
}

TEST("balanced_residual: rounding X to f32 costs ulp cond^{max(b/a, 1/2)}") {
  const int64_t n = 8;
  // A reflection Q = I - 2 v v^T / |v|^2 mixes all directions of a spectrum from 1 to 1e-6.
  Dense q = Dense::identity(n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) q(i, j) -= 2.0 * static_cast<double>((i + 1) * (j + 1)) / 204;  // |v|^2 = 204
  }
  const auto with_spectrum = [&](double exponent) {
    Dense scaled_rows = q;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) scaled_rows(i, j) *= std::pow(10, -6.0 * static_cast<double>(i) / 7 * exponent);
    }
    return multiply(q, scaled_rows);
  };
  for (const Root root : {Root{1, 1}, {2, 1}, {3, 1}, {4, 1}, {8, 1}, {4, 3}, {3, 2}, {13, 15}}) {
    const Dense x = rounded(with_spectrum(root.exponent()), KR_F32);
    const double allowed = 0x1p-23 * std::pow(1e6, std::max(0.5, -root.exponent()));
    EXPECT(balanced_residual(with_spectrum(1), x, root, Measure::full) < allowed);
    EXPECT(balanced_residual(with_spectrum(1), x, root, Measure::probe) < 4 * allowed);
  }
}
