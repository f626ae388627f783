// orthogonalize of the reference: the exact polar factor, and Newton-Schulz against the scalar polynomials.
#include <algorithm>
#include <cmath>
#include <vector>

#include "../batch.hpp"
#include "../expect.hpp"
#include "native/core/orthogonalize_schedule.hpp"

using namespace kronroot;
using kronroot::test::Batch;
using kronroot::test::Call;
using kronroot::test::nan_of;

namespace {

const kr_backend& reference = *kr_reference_backend();

kr_orthogonalize_options with(int32_t method, int32_t table = KR_TABLE_QUINTIC) {
  kr_orthogonalize_options options{};
  options.method = method;
  options.table = table;
  return options;
}

template <typename T>
struct Result {
  Result(const Batch<T>& a, kr_orthogonalize_options options) : x(1, (&a)->rows, (&a)->cols, T{9}) {
    code = reference.orthogonalize(call.get(), &options, &a, &x, &report);
  }
  double operator()(int64_t i, int64_t j) { return x(i, j); }
  Call call;
  Batch<T> x;
  kr_report report;
  kr_code code;
};

// The composed polynomial of a schedule at one singular value.
double composed(const kr_orthogonalize_options& options, double s) {
  std::vector<Quintic> steps(static_cast<size_t>(orthogonalize_schedule(options, nullptr, 0)));
  orthogonalize_schedule(options, steps.data(), static_cast<int>(steps.size()));
  for (const Quintic& p : steps) s = p.a * s + p.b * std::pow(s, 3) + p.c * std::pow(s, 5);
  return s;
}

Batch<double> transposed(Batch<double> a) {
  Batch<double> t(1, a.cols(), a.rows());
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = 0; j < a.cols(); ++j) t(j, i) = a(i, j);
  }
  return t;
}

}  // namespace

TEST("polar: diag(1, 4), and a reflection") {
  Result<float> x(Batch<float>::diagonal({1, 4}), with(KR_METHOD_POLAR));
  EXPECT(x.code == KR_OK && x.report.status == KR_STATUS_OK && x.report.method == KR_METHOD_POLAR);
  EXPECT(x(0, 0) == 1 && x(1, 1) == 1 && x(0, 1) == 0);
  EXPECT(x.report.residual == 0 && x.report.condition == 4);
  Result<double> y(Batch<double>{{0, -3}, {2, 0}}, with(KR_METHOD_POLAR));
  EXPECT(y(0, 1) == -1 && y(1, 0) == 1 && y(0, 0) == 0);
}

TEST("polar: symmetric positive definite gives I; [[1, 1], [0, 1]] by hand") {
  Result<double> spd(Batch<double>{{2, 1}, {1, 2}}, with(KR_METHOD_POLAR));
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(spd(i / 2, i % 2), i / 2 == i % 2, 1e-15);
  // U = [[2, 1], [-1, 2]] / sqrt 5: U^T A is symmetric.
  Result<double> shear(Batch<double>{{1, 1}, {0, 1}}, with(KR_METHOD_POLAR));
  const double expected[] = {2, 1, -1, 2};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(shear(i / 2, i % 2), expected[i] / std::sqrt(5.0), 1e-15);
}

TEST("polar: wide and tall") {
  const Batch<double> a{{3, 0, 4}, {0, 2, 0}};
  Result<double> wide(a, with(KR_METHOD_POLAR)), tall(transposed(a), with(KR_METHOD_POLAR));
  const double expected[2][3] = {{0.6, 0, 0.8}, {0, 1, 0}};
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      EXPECT_NEAR(wide(i, j), expected[i][j], 1e-15);
      EXPECT(tall(j, i) == wide(i, j));
    }
  }
}

TEST("polar: ill-conditioned to full accuracy") {
  // Row scaling leaves the polar factor of orthogonal rows unchanged, at any condition above the cutoff.
  Result<double> x(Batch<double>{{3e-12, 4e-12}, {-4, 3}}, with(KR_METHOD_POLAR));
  const double expected[] = {0.6, 0.8, -0.8, 0.6};
  EXPECT(x.report.status == KR_STATUS_OK);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(x(i / 2, i % 2), expected[i], 1e-15);
}

TEST("polar: rank-deficient") {
  Result<double> x(Batch<double>{{1, 2}, {2, 4}}, with(KR_METHOD_POLAR));  // u v^T with u = v = (1, 2) / sqrt 5
  EXPECT(x.report.status == KR_STATUS_RANK_DEFICIENT && x.report.detail == 1 && x.report.residual < 1e-15);
  const double expected[] = {0.2, 0.4, 0.4, 0.8};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(x(i / 2, i % 2), expected[i], 1e-15);
  // The cutoff follows the dtype: 1e-9 is a direction in f64 and rounding in f32.
  EXPECT(Result<double>(Batch<double>::diagonal({1, 1e-9}), with(KR_METHOD_POLAR)).report.status == KR_STATUS_OK);
  EXPECT(Result<float>(Batch<float>::diagonal({1, 1e-9f}), with(KR_METHOD_POLAR)).report.detail == 1);
}

TEST("newton-schulz: every singular value goes through the table's polynomial") {
  const double values[] = {1, 0.5, 0.1, 0.01};
  const Batch<double> a = Batch<double>::diagonal({1, 0.5, 0.1, 0.01});
  const double size = std::sqrt(1 + 0.25 + 0.01 + 0.0001);
  for (int table = KR_TABLE_QUINTIC; table <= KR_TABLE_MODULA; ++table) {
    for (int method : {KR_METHOD_AUTO, KR_METHOD_NEWTON_SCHULZ, KR_METHOD_GRAM_NEWTON_SCHULZ}) {
      const kr_orthogonalize_options options = with(method, table);
      Result<double> x(a, options);
      EXPECT(x.report.status == KR_STATUS_OK);
      EXPECT(x.report.method == (method == KR_METHOD_AUTO ? int{KR_METHOD_NEWTON_SCHULZ} : method));
      EXPECT(x.report.iterations == orthogonalize_schedule(options, nullptr, 0));
      for (int i = 0; i < 4; ++i) {
        // Of a diagonal matrix the AOL rule leaves only the signs.
        const double start = table == KR_TABLE_AOL ? 1 / aol_safety : values[i] / size;
        EXPECT_NEAR(x(i, i), composed(options, start), 1e-13);
        EXPECT(x(i, (i + 1) % 4) == 0);
      }
    }
  }
}

TEST("newton-schulz: published intervals for singular values from 1e-2 to 1") {
  // background/optimizers.md section 5, N: image of [1e-2, 1] under five steps.
  struct {
    int32_t table;
    double low, high;
  } const published[] = {{KR_TABLE_QUINTIC, 0.68, 1.135}, {KR_TABLE_JIACHENG, 0.977, 1.033},
                         {KR_TABLE_CANS, 0.883, 1.125},   {KR_TABLE_CUBIC, 0.765, 1.305},
                         {KR_TABLE_MODULA, 0.971, 1.195}, {KR_TABLE_DEEPSEEK, 0.9999, 1.0006}};
  for (const auto& each : published) {
    kr_orthogonalize_options options = with(KR_METHOD_NEWTON_SCHULZ, each.table);
    for (double s = 1e-2; s <= 1; s *= 1.02) {
      // A row of length 1 whose orthogonal mate has length s: |A|_F = sqrt(1 + s^2); safety brings the first value
      // to 1.
      options.safety = 1 / std::sqrt(1 + s * s);
      Result<double> x(Batch<double>::diagonal({1, s}), options);
      EXPECT(x(1, 1) > each.low && x(1, 1) < each.high);
    }
  }
}

TEST("newton-schulz: custom coefficients, steps, safety") {
  const double triples[] = {2, -1.5, 0.5, 1, 0, 0};
  kr_orthogonalize_options options = with(KR_METHOD_NEWTON_SCHULZ, KR_TABLE_CUSTOM);
  options.coefficients = triples;
  options.coefficient_count = 2;
  options.steps = 4;  // the last triple, the identity, repeats
  options.safety = 2;
  Result<double> x(Batch<double>{{3, 4}}, options);
  const double half = 2 * 0.5 - 1.5 * 0.125 + 0.5 / 32;
  EXPECT_NEAR(x(0, 0), 0.6 * half, 1e-15);
  EXPECT_NEAR(x(0, 1), 0.8 * half, 1e-15);
  EXPECT(x.report.iterations == 4);
  EXPECT_NEAR(x.report.residual, half * half - std::pow(half, 4), 1e-15);
}

TEST("newton-schulz: AOL divides by the row sums of |A A^T|") {
  kr_orthogonalize_options options = with(KR_METHOD_NEWTON_SCHULZ, KR_TABLE_AOL);
  options.steps = 1;
  Result<double> x(Batch<double>{{3, 4}, {0, 5}, {0, 0}}, with(KR_METHOD_NEWTON_SCHULZ, KR_TABLE_AOL));
  EXPECT(x.report.status == KR_STATUS_OK && x(2, 0) == 0 && x(2, 1) == 0);
  // A A^T = [[25, 20], [20, 25]]: both rows are divided by sqrt 45. One step then is p applied to that matrix.
  Result<double> y(Batch<double>{{3, 4}, {0, 5}}, options);
  kr_orthogonalize_options frobenius = with(KR_METHOD_NEWTON_SCHULZ, KR_TABLE_CUSTOM);
  frobenius.safety = aol_safety * std::sqrt(45.0 / 50.0);
  Quintic p;
  orthogonalize_schedule(options, &p, 1);
  const double triple[] = {p.a, p.b, p.c};
  frobenius.coefficients = triple;
  frobenius.coefficient_count = 1;
  Result<double> z(Batch<double>{{3, 4}, {0, 5}}, frobenius);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(y(i / 2, i % 2), z(i / 2, i % 2), 1e-14);
}

TEST("newton-schulz: a rank-one matrix keeps its orientation") {
  for (int table = KR_TABLE_QUINTIC; table <= KR_TABLE_MODULA; ++table) {
    Result<double> x(Batch<double>{{1, 2, 2}, {2, 4, 4}}, with(KR_METHOD_NEWTON_SCHULZ, table));
    EXPECT(x.report.status == KR_STATUS_OK);
    EXPECT(x(0, 0) > 0.6 / std::sqrt(45.0));
    // AOL's scaling of the rows equalises them.
    EXPECT_NEAR(x(1, 2) / x(0, 0), table == KR_TABLE_AOL ? std::sqrt(8.0) : 4.0, 1e-12);
  }
}

TEST("orthogonalize: scales from 1e-30 to 1e30 give the same bits up to powers of two") {
  for (int method : {KR_METHOD_NEWTON_SCHULZ, KR_METHOD_POLAR}) {
    Result<float> plain(Batch<float>{{1, 2}, {3, 5}}, with(method));
    for (float scale : {0x1p-100f, 0x1p100f}) {
      Result<float> x(Batch<float>{{scale, 2 * scale}, {3 * scale, 5 * scale}}, with(method));
      EXPECT(x.report.status == plain.report.status);
      for (int i = 0; i < 4; ++i) EXPECT(x(i / 2, i % 2) == plain(i / 2, i % 2));
    }
  }
}

TEST("orthogonalize: zero, empty and non-finite matrices") {
  for (int method : {KR_METHOD_NEWTON_SCHULZ, KR_METHOD_POLAR}) {
    Result<float> zero(Batch<float>(1, 2, 3), with(method));
    EXPECT(zero.report.status == KR_STATUS_RANK_DEFICIENT && zero.report.detail == 0 && zero.report.residual == 0);
    EXPECT(zero(0, 0) == 0 && zero(1, 2) == 0);
    Result<float> bad(Batch<float>{{1, nan_of<float>}}, with(method));
    EXPECT(bad.report.status == KR_STATUS_NON_FINITE_INPUT && bad(0, 0) == 9);
    Call call;
    const kr_batch none{nullptr, KR_F32, 0, 1, 0, 4, 4, 0};
    kr_report report;
    const kr_orthogonalize_options options = with(method);
    EXPECT(reference.orthogonalize(call.get(), &options, &none, &none, &report) == KR_OK);
    EXPECT(report.status == KR_STATUS_OK && report.method == KR_METHOD_DIRECT);
  }
}

TEST("orthogonalize: (G G^T)^{-1/4} G (G^T G)^{-1/4} is the polar factor") {
  Call call;
  Batch<double> g{{4, 1, -2}, {1, 3, 0.5}, {-1, 2, 5}}, left(1, 3, 3), right(1, 3, 3), product(1, 3, 3);
  const kr_gram_options other{KR_SIDE_RIGHT, 0, 0, 0};
  kr_inverse_root_options root{};
  root.p_numerator = 4;
  root.p_denominator = 1;
  root.ridge = KR_RIDGE_NONE;
  EXPECT(reference.gram(call.get(), nullptr, &g, &left) == KR_OK);
  EXPECT(reference.gram(call.get(), &other, &g, &right) == KR_OK);
  EXPECT(reference.inverse_root(call.get(), &root, &left, &left, nullptr) == KR_OK);
  EXPECT(reference.inverse_root(call.get(), &root, &right, &right, nullptr) == KR_OK);
  EXPECT(reference.kron_apply(call.get(), nullptr, &left, &g, &right, &product) == KR_OK);
  Result<double> polar(g, with(KR_METHOD_POLAR));
  for (int i = 0; i < 9; ++i) EXPECT_NEAR(polar(i / 3, i % 3), product(i / 3, i % 3), 1e-13);
}
