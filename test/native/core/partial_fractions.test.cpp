// Sums of simple fractions for powers.
#include "native/core/partial_fractions.hpp"

#include <algorithm>
#include <cmath>

#include "test/native/expect.hpp"

using namespace kronroot;

namespace {

// max |x^alpha sum_k w_k / (x + s_k) - 1| over a fine grid of [1 / condition, 1].
double largest_error(const PartialFractions& sum, double alpha, double condition) {
  constexpr int kPoints = 4000;
  double largest = 0;
  for (int i = 0; i <= kPoints; ++i) {
    const double x = std::pow(condition, -static_cast<double>(i) / kPoints);
    double value = 0;
    for (size_t k = 0; k < sum.poles.size(); ++k) value += sum.weights[k] / (x + sum.poles[k]);
    largest = std::max(largest, std::abs(std::pow(x, alpha) * value - 1));
  }
  return largest;
}

TEST("partial fractions: powers to the tolerance, with positive poles and weights") {
  for (const double alpha : {0.5, 0.25, 1.0 / 3, 2.0 / 3, 1.0 / 16, 1.0 / 64, 63.0 / 64, 0.3}) {
    for (const double condition : {2.0, 10.0, 100.0, 1e4, 1e6, 5e8, 1e13}) {
      for (const double tolerance : {1e-3, 0x1p-24, least_fraction_tolerance}) {
        const PartialFractions sum = partial_fractions(alpha, condition, tolerance);
        const double excess = (alpha >= 0.125 ? 20 : 200) * least_fraction_tolerance;
        EXPECT(largest_error(sum, alpha, condition) <= tolerance + excess);
        EXPECT(sum.poles.size() == sum.weights.size());
        EXPECT(std::all_of(sum.poles.begin(), sum.poles.end(), [](double s) { return s > 0; }));
        EXPECT(std::all_of(sum.weights.begin(), sum.weights.end(), [](double w) { return w > 0; }));
      }
    }
  }
}

TEST("partial fractions: few of them") {
  EXPECT(partial_fractions(0.5, 1e2, 0x1p-24).poles.size() == 7);
  EXPECT(partial_fractions(0.25, 1e4, 0x1p-24).poles.size() == 11);
  EXPECT(partial_fractions(0.25, 1e6, 0x1p-24).poles.size() == 16);
}

TEST("partial fractions: the inverse is one") {
  const PartialFractions sum = partial_fractions(1, 1e6, 0x1p-24);
  EXPECT(sum.poles == std::vector<double>{0});
  EXPECT(sum.weights == std::vector<double>{1});
}

TEST("partial fractions: kept by powers of two of the condition") {
  PowerFractions fractions(0.25, 0x1p-24), others(0.25, 0x1p-24);
  EXPECT(&fractions.of(900) == &fractions.of(1000));
  EXPECT(&fractions.of(900) == &others.of(1000));
  EXPECT(&fractions.of(1000) != &fractions.of(1030));
  EXPECT(largest_error(fractions.of(1000), 0.25, 1000) <= 0x1p-24 + 1e-12);
}

}  // namespace
