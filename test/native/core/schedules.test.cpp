// Polynomial schedules: published coefficients, equioscillation, and the steps they promise.
#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "native/core/minimax.hpp"
#include "native/core/orthogonalize_schedule.hpp"
#include "native/core/polar_express.hpp"
#include "test/native/expect.hpp"

using namespace kronroot;

namespace {

void expect_quintic(const Quintic& actual, const Quintic& expected, double tolerance) {
  EXPECT_NEAR(actual.a, expected.a, tolerance);
  EXPECT_NEAR(actual.b, expected.b, tolerance);
  EXPECT_NEAR(actual.c, expected.c, tolerance);
}

kr_orthogonalize_options options_of(int table, int steps = 0) {
  kr_orthogonalize_options options{};
  options.table = table;
  options.steps = steps;
  return options;
}

double image(const Quintic& p, double s) { return s * (p.a + s * s * (p.b + s * s * p.c)); }

std::vector<Quintic> schedule(const kr_orthogonalize_options& options) {
  std::vector<Quintic> steps(static_cast<size_t>(orthogonalize_schedule(options, nullptr, 0)));
  orthogonalize_schedule(options, steps.data(), static_cast<int>(steps.size()));
  return steps;
}

// |t - 1| after all steps, for the eigenvalue x.
double distance(const std::vector<MinimaxStep>& steps, int p, double x) {
  double m = x, root = 1;
  for (const MinimaxStep& c : steps) {
    const double factor = c.c0 + m * (c.c1 + m * c.c2);
    root *= factor;
    m *= std::pow(factor, p);
  }
  return std::abs(root * std::pow(x, 1.0 / p) - 1);
}

}  // namespace

TEST("polar_express: the published coefficients") {
  const Quintic raw[] = {
      {8.287212018146, -23.595886519099, 17.300387312531}, {4.107059111542, -2.947849916738, .544843108293},
      {3.948690853482, -2.908902115963, .551819139437},    {3.318419657371, -2.488488024315, .510048940124},
      {2.300652019955, -1.668903984575, .418807311953},    {1.891301407787, -1.267995827195, .376804089485},
      {1.875001480833, -1.250001645358, .375000164527},    {15.0 / 8, -10.0 / 8, 3.0 / 8}};
  Quintic steps[8];
  polar_express({.safety = 1}, steps);
  // The last two are fitted to intervals of width 1e-3 and 1e-9, where the coefficients are known to fewer digits.
  for (int k = 0; k < 8; ++k) expect_quintic(steps[k], raw[k], k < 6 ? 1e-11 : k < 7 ? 1e-10 : 1e-8);

  const Quintic with_safety[] = {{8.2051, -22.9019, 16.4607}, {4.0664, -2.8612, .5184}, {3.9096, -2.8234, .5250},
                                 {3.2856, -2.4153, .4853},    {2.2779, -1.6198, .3985}, {1.8726, -1.2307, .3585},
                                 {1.8564, -1.2132, .3568},    {1.875, -1.25, .375}};
  const std::vector<Quintic> published = schedule(options_of(KR_TABLE_POLAR_EXPRESS));
  EXPECT(published.size() == 8);
  for (size_t k = 0; k < published.size(); ++k) expect_quintic(published[k], with_safety[k], 1e-4);
}

TEST("polar_express: maps [lower, 1] to 1 for other ranges") {
  for (double lower : {0.5, 1e-1, 1e-3, 1e-6}) {
    for (double cushion : {1e-3, 0.02, 0.1}) {
      Quintic steps[30];
      polar_express({.lower = lower, .cushion = cushion, .safety = 1, .steps = 30}, steps);
      for (int i = 0; i <= 100; ++i) {
        double s = std::pow(lower, i / 100.0);
        for (const Quintic& step : steps) s = image(step, s);
        EXPECT_NEAR(s, 1, 1e-12);
      }
    }
  }
}

TEST("polar_express: one step oscillates between equal errors") {
  Quintic step;
  polar_express({.lower = 0.3, .cushion = 0.02, .safety = 1, .steps = 1}, &step);
  double most = 0, least = 2;
  for (int i = 0; i <= 100000; ++i) {
    const double value = image(step, 0.3 + 0.7 * i / 100000);
    most = std::max(most, value);
    least = std::min(least, value);
  }
  EXPECT_NEAR(most - 1, 1 - least, 1e-9);
  EXPECT_NEAR(image(step, 0.3), least, 1e-9);
  EXPECT_NEAR(image(step, 1), least + 2 * (1 - least), 1e-9);
}

TEST("orthogonalize_schedule: lengths, repetition, custom triples") {
  const int lengths[] = {5, 5, 8, 5, 4, 10, 5, 5};
  for (int table = KR_TABLE_QUINTIC; table <= KR_TABLE_MODULA; ++table) {
    EXPECT(static_cast<int>(schedule(options_of(table)).size()) == lengths[table]);
    EXPECT(schedule(options_of(table, 3)).size() == 3);
    const std::vector<Quintic> longer = schedule(options_of(table, 20));
    if (table != KR_TABLE_POLAR_EXPRESS) expect_quintic(longer[19], longer[18], 0);
  }
  expect_quintic(schedule(options_of(KR_TABLE_DEEPSEEK))[8], {2, -1.5, 0.5}, 0);
  const double triples[] = {1, 2, 3, 4, 5, 6};
  kr_orthogonalize_options custom = options_of(KR_TABLE_CUSTOM);
  custom.coefficient_count = 2;
  custom.coefficients = triples;
  EXPECT(schedule(custom).size() == 2);
  custom.steps = 4;
  expect_quintic(schedule(custom)[0], {1, 2, 3}, 0);
  expect_quintic(schedule(custom)[3], {4, 5, 6}, 0);
  Quintic one[1];
  EXPECT(orthogonalize_schedule(options_of(KR_TABLE_POLAR_EXPRESS), one, 1) == 8);
  expect_quintic(one[0], schedule(options_of(KR_TABLE_POLAR_EXPRESS))[0], 0);
  kr_orthogonalize_options safe = options_of(KR_TABLE_QUINTIC);
  EXPECT(orthogonalize_safety(safe) == 1);
  safe.safety = 1.05;
  EXPECT(orthogonalize_safety(safe) == 1.05);
  safe.table = KR_TABLE_POLAR_EXPRESS;
  EXPECT(orthogonalize_safety(safe) == 1);
}

TEST("named tables: end in the bands they are known for") {
  // Singular values from 0.05 up (Muon's own band is [0.68, 1.13] after five steps).
  const struct {
    int table;
    double low, high;
  } bands[] = {{KR_TABLE_QUINTIC, 0.67, 1.21},
               {KR_TABLE_JIACHENG, 0.8, 1.2},
               {KR_TABLE_CANS, 0.88, 1.12},
               {KR_TABLE_DEEPSEEK, 0.999, 1.001},
               {KR_TABLE_CUBIC, 0.7, 1.3}};
  for (const auto& band : bands) {
    for (int i = 0; i <= 1000; ++i) {
      double s = 0.05 + 0.95 * i / 1000;
      for (const Quintic& step : schedule(options_of(band.table))) s = image(step, s);
      if (s < band.low || s > band.high) EXPECT_NEAR(s, 1, std::max(1 - band.low, band.high - 1));
    }
  }
}

TEST("minimax_fit: the capped polynomials of docs/algorithms.md") {
  const struct {
    int p;
    double left, c0, c1, c2, growth;
  } known[] = {{1, 0.132864, 6.72004, -13.89975, 8.17971, 6.7},
               {2, 0.0455783, 3.42602, -6.85708, 4.43105, 11.7},
               {4, 0.0101733, 2.13980, -4.02528, 2.88547, 21.0}};
  for (const auto& each : known) {
    const double left = minimax_left_cap(each.p);
    EXPECT_NEAR(left, each.left, 1e-6 * each.left * 10);
    const auto [step, error] = minimax_fit(each.p, left);
    EXPECT_NEAR(error, 0.2, 1e-9);
    EXPECT_NEAR(step.c0 / (1 + error), each.c0, 2e-5);
    EXPECT_NEAR(step.c1 / (1 + error), each.c1, 2e-5);
    EXPECT_NEAR(step.c2 / (1 + error), each.c2, 2e-5);
    EXPECT_NEAR(std::pow(step.c0 / (1 + error), each.p), each.growth, 0.05);
  }
}

TEST("minimax_steps: counts, and |t - 1| <= tolerance over the whole range") {
  // Iterations for condition 1e2 .. 1e6 at tolerance 1e-6.
  const int counts[][5] = {{5, 6, 7, 8, 9}, {4, 5, 6, 7, 8}, {4, 4, 5, 6, 7}};
  const int exponents[] = {1, 2, 4};
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 5; ++k) {
      EXPECT(static_cast<int>(minimax_steps(exponents[i], std::pow(10, k + 2), 1e-6).size()) == counts[i][k]);
    }
  }
  for (int p : {1, 2, 3, 4, 5, 7, 8, 16, 33, 64}) {
    for (double condition : {1.0, 1.0001, 3.0, 1e2, 1e6, 1e12}) {
      for (double tolerance : {1e-6, 3e-8, 1e-16}) {
        const std::vector<MinimaxStep> steps = minimax_steps(p, condition, tolerance);
        EXPECT(!steps.empty() && steps.size() < 20);
        double worst = 0;
        for (int i = 0; i <= 300; ++i) worst = std::max(worst, distance(steps, p, std::pow(condition, -i / 300.0)));
        EXPECT_NEAR(worst, 0, tolerance + 4e-15);
        // Below the range the polynomials neither blow up nor change sign.
        EXPECT(distance(steps, p, 0.1 / condition) < 1);
      }
    }
  }
}

TEST("minimax_schedule: the condition rounded up, the same object for all threads") {
  const std::vector<MinimaxStep>* seen[4];
  std::vector<std::thread> threads;
  for (auto& each : seen) threads.emplace_back([&each] { each = &minimax_schedule(3, 3456.0, 1e-6); });
  for (std::thread& each : threads) each.join();
  for (const auto* each : seen) EXPECT(each == seen[0]);
  EXPECT(seen[0] == &minimax_schedule(3, 3981.0, 1e-6));
  EXPECT(seen[0] != &minimax_schedule(3, 3982.0, 1e-6));
  EXPECT_NEAR(distance(*seen[0], 3, 1 / 3981.0), 0, 1e-6);
  EXPECT(!minimax_schedule(2, HUGE_VAL, 1e-6).empty());
}
