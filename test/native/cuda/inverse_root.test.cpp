// inverse_root of the CUDA backend: the defined answers and bounds of ops.h against the reference.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "native/core/matrix.hpp"
#include "native/core/report.hpp"
#include "test/native/cpu/spectra.hpp"
#include "test/native/cuda/cuda_call.hpp"

namespace kronroot::test {
namespace {

constexpr double untouched = 77;

kr_inverse_root_options options_of(int numerator, int denominator, int ridge, double value,
                                   kr_method method = KR_METHOD_AUTO) {
  kr_inverse_root_options options{};
  options.p_numerator = numerator;
  options.p_denominator = denominator;
  options.ridge = ridge;
  options.ridge_value = value;
  options.method = method;
  return options;
}

void check(bool holds, const std::string& where, const char* what, double value = 0) {
  if (!holds) report_failure("", 0, where + ": " + what + " (" + std::to_string(value) + ")");
}

// Matrices of one order as a batch, rounded to T.
template <typename T>
Batch<T> stacked(const std::vector<Dense>& matrices, int64_t n, int64_t padding = 0) {
  Batch<T> batch(static_cast<int64_t>(matrices.size()), n, n, 0, padding);
  for (size_t b = 0; b < matrices.size(); ++b) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        batch(static_cast<int64_t>(b), i, j) = static_cast<T>(matrices[b][static_cast<size_t>(i * n + j)]);
      }
    }
  }
  return batch;
}

// What the backend answers to a batch.
template <typename T>
struct Answer {
  Answer(const Batch<T>& a, const kr_inverse_root_options& options) : x(a) {
    std::fill_n(const_cast<T*>(x.data().data()), x.data().size(), T{untouched});
    const int64_t batch = Batch<T>(a).descriptor().batch;
    const DeviceBatch device_a(*&a), device_x(*&x);
    DeviceReports device_reports(batch);
    const CudaCall call;
    code = cuda().inverse_root(call.get(), &options, &device_a, &device_x, device_reports.get());
    if (code != KR_OK) report_failure(__FILE__, __LINE__, call.message());
    device_x.read();
    reports = device_reports.read();
  }
  const kr_report& report(int64_t b = 0) const { return reports[static_cast<size_t>(b)]; }
  bool failed_with(kr_status status) const {
    return report().status == status && report().rung == KR_RUNG_NONE && report().method == KR_METHOD_AUTO &&
           std::all_of(x.data().begin(), x.data().end(), [](T each) { return each == T{untouched}; });
  }
  Batch<T> x;
  std::vector<kr_report> reports;
  kr_code code;
};

// The reference in f64 from the same input.
template <typename T>
Batch<double> exact_of(Batch<T> a, const kr_inverse_root_options& given, std::vector<kr_report>* reports) {
  const kr_batch& shape = a.descriptor();
  Batch<double> wide(shape.batch, shape.rows, shape.cols), x(shape.batch, shape.rows, shape.cols);
  for (int64_t b = 0; b < shape.batch; ++b) {
    for (int64_t i = 0; i < shape.rows; ++i) {
      for (int64_t j = 0; j < shape.cols; ++j) wide(b, i, j) = static_cast<double>(a(b, i, j));
    }
  }
  kr_inverse_root_options options = given;
  if (options.ridge == KR_RIDGE_DEFAULT && sizeof(T) == 4) {
    options.ridge = KR_RIDGE_RELATIVE;
    options.ridge_value = 1e-6;
  }
  options.residual_bound = 1e30;
  reports->resize(static_cast<size_t>(shape.batch));
  EXPECT(kr_reference_backend()->inverse_root(Call().get(), &options, &wide, &x, reports->data()) == KR_OK);
  return x;
}

// |x - exact|_F / |exact|_F of matrix b.
template <typename T>
double relative_error(Batch<T>& x, Batch<double>& exact, int64_t b) {
  double error = 0, size = 0;
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.rows(); ++j) {
      const double difference = static_cast<double>(x(b, i, j)) - exact(b, i, j);
      error += difference * difference;
      size += exact(b, i, j) * exact(b, i, j);
    }
  }
  return std::sqrt(error / size);
}

template <typename T>
const char* name_of_type() {
  return sizeof(T) == 4 ? "f32" : "f64";
}

// "<= 100 n ulp condition for every method that reports OK", and X exactly symmetric.
template <typename T>
void check_bound(const std::vector<Dense>& matrices, int64_t n, const kr_inverse_root_options& options,
                 const std::string& what) {
  const Batch<T> a = stacked<T>(matrices, n, n % 3);
  Answer<T> answer(a, options);
  std::vector<kr_report> exact_reports;
  Batch<double> exact = exact_of(a, options, &exact_reports);
  for (int64_t b = 0; b < static_cast<int64_t>(matrices.size()); ++b) {
    const kr_report& report = answer.report(b);
    const kr_report& expected = exact_reports[static_cast<size_t>(b)];
    const std::string where = std::string(name_of_type<T>()) + " n " + std::to_string(n) + " p " +
                              std::to_string(options.p_numerator) + "/" + std::to_string(options.p_denominator) +
                              " matrix " + std::to_string(b) + " " + what + " method " +
                              std::to_string(options.method) + " answered by " + std::to_string(report.method) +
                              " rung " + std::to_string(report.rung);
    check(report.status < KR_FIRST_FAILURE, where, "status", report.status);
    if (report.status >= KR_FIRST_FAILURE) continue;
    const double error = relative_error(answer.x, exact, b);
    const double bound = 100 * static_cast<double>(n) * ulp_of<T> * expected.condition;
    check(error <= bound, where, "error / bound", error / bound);
    check(report.residual <= 0.05, where, "residual", report.residual);
    const bool is_chosen = report.method == KR_METHOD_EIGH && report.rung == KR_RUNG_CHOSEN;
    if (options.method == KR_METHOD_AUTO && n > 1) check(is_chosen, where, "left the first rung");
    const double ratio = report.condition / expected.condition;
    const bool is_beyond_rounding = expected.condition * ulp_of<T> * static_cast<double>(n) > 0.3;
    check((ratio > 1.0 / 3 && ratio < 3) || is_beyond_rounding, where, "condition", report.condition);
    bool is_symmetric = true;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < i; ++j) is_symmetric &= answer.x(b, i, j) == answer.x(b, j, i);
    }
    check(is_symmetric, where, "not symmetric");
  }
}

std::vector<Dense> every_spectrum(int64_t n, double condition, double scale = 1) {
  std::vector<Dense> matrices;
  MatrixSource source(static_cast<uint64_t>(n));
  for (Spectra spectra : all_spectra) {
    Dense each = source.matrix(spectra, n, condition);
    for (double& element : each) element *= scale;
    matrices.push_back(std::move(each));
  }
  return matrices;
}

const kr_method every_way[] = {KR_METHOD_AUTO, KR_METHOD_MINIMAX, KR_METHOD_COUPLED_NEWTON, KR_METHOD_HIGHER_ORDER};

template <typename T>
void check_sizes(std::initializer_list<int64_t> sizes, double condition) {
  for (int64_t n : sizes) {
    for (int p : {2, 4}) {
      for (kr_method method : {KR_METHOD_AUTO, KR_METHOD_MINIMAX}) {
        check_bound<T>(every_spectrum(n, condition), n, options_of(p, 1, KR_RIDGE_RELATIVE, 1 / condition, method),
                       "sizes");
      }
    }
  }
}

TEST("inverse_root: within 100 n ulp condition, one warp a matrix") {
  check_sizes<float>({1, 2, 3, 5, 8, 9, 16, 17, 31}, 1e4);
  check_sizes<double>({2, 8, 16, 32}, 1e8);
}

// Decomposed, and iterated.
template <typename T>
void check_both(const std::vector<Dense>& matrices, int64_t n, kr_inverse_root_options options) {
  for (kr_method method : {KR_METHOD_AUTO, KR_METHOD_MINIMAX}) {
    options.method = method;
    check_bound<T>(matrices, n, options, "large");
  }
}

TEST("inverse_root: within 100 n ulp condition, one block a matrix") {
  check_both<float>(every_spectrum(33, 1e4), 33, options_of(4, 1, KR_RIDGE_RELATIVE, 1e-4));
  check_both<double>(every_spectrum(33, 1e6), 33, options_of(2, 1, KR_RIDGE_RELATIVE, 1e-6));
  MatrixSource source(7);
  for (int64_t n : {64, 97}) {
    check_both<float>({source.matrix(Spectra::geometric, n, 1e2)}, n, options_of(2, 1, KR_RIDGE_NONE, 0));
  }
  // X has no room in shared memory beside three others.
  check_both<float>({source.matrix(Spectra::geometric, 128, 1e2)}, 128, options_of(4, 1, KR_RIDGE_NONE, 0));
  check_both<double>({source.matrix(Spectra::geometric, 64, 1e2)}, 64, options_of(3, 1, KR_RIDGE_NONE, 0));
}

TEST("inverse_root: within 100 n ulp condition, by batched products") {
  MatrixSource source(8);
  check_both<float>({source.matrix(Spectra::geometric, 129, 4)}, 129, options_of(2, 1, KR_RIDGE_NONE, 0));
  const std::vector<Dense> several = {source.matrix(Spectra::geometric, 66, 1e1),
                                      source.matrix(Spectra::wishart, 66, 1),
                                      source.matrix(Spectra::clustered, 66, 1e4)};
  for (const auto& p : {std::pair(1, 1), std::pair(3, 1), std::pair(5, 1), std::pair(8, 1)}) {
    check_both<double>(several, 66, options_of(p.first, p.second, KR_RIDGE_RELATIVE, 1e-2));
  }
  check_bound<double>(several, 66, options_of(4, 3, KR_RIDGE_RELATIVE, 1e-2, KR_METHOD_COUPLED_NEWTON), "large");
}

// Above order 32 the answer is certified across the device: every way to a residual.
TEST("inverse_root: large matrices, every kind of p, ridge and residual") {
  MatrixSource source(9);
  const int64_t n = 37;
  const std::vector<Dense> matrices = {source.matrix(Spectra::geometric, n, 1e2),
                                       source.matrix(Spectra::shampoo, n, 1)};
  for (const auto& p : {std::pair(1, 1), std::pair(2, 1), std::pair(4, 3), std::pair(5, 3), std::pair(-1, 1),
                        std::pair(-3, 2), std::pair(1, 2)}) {
    for (kr_method method : {KR_METHOD_AUTO, KR_METHOD_MINIMAX}) {
      kr_inverse_root_options options = options_of(p.first, p.second, KR_RIDGE_RELATIVE, 1e-2, method);
      check_bound<float>(matrices, n, options, "large");
      options.full_residual = 1;
      check_bound<float>(matrices, n, options, "large, full residual");
    }
  }
  Answer<float> pseudo(stacked<float>(matrices, n), options_of(2, 1, KR_RIDGE_PSEUDO_INVERSE, 1e-3));
  for (int64_t b : {0, 1}) EXPECT(pseudo.report(b).method == KR_METHOD_EIGH && pseudo.report(b).residual < 1e-3);
}

TEST("inverse_root: every p, inverse and positive powers") {
  const int64_t n = 13;
  const int roots[][2] = {{1, 1},  {2, 1},  {3, 1}, {4, 1}, {5, 1}, {6, 1},  {7, 1},  {8, 1},  {9, 1}, {13, 1},
                          {16, 1}, {64, 1}, {4, 3}, {3, 2}, {1, 2}, {-1, 1}, {-2, 1}, {-3, 2}, {-1, 3}};
  for (const auto& root : roots) {
    for (kr_method method : every_way) {
      check_bound<float>(every_spectrum(n, 1e2), n, options_of(root[0], root[1], KR_RIDGE_RELATIVE, 1e-2, method),
                         "powers");
    }
  }
}

TEST("inverse_root: methods on conditions up to the element type's") {
  for (kr_method method : {KR_METHOD_EIGH, KR_METHOD_MINIMAX, KR_METHOD_COUPLED_NEWTON, KR_METHOD_HIGHER_ORDER,
                           KR_METHOD_NEWTON_DB, KR_METHOD_RATIONAL}) {
    for (double condition : {1e1, 1e6}) {
      check_bound<float>(every_spectrum(12, condition), 12, options_of(2, 1, KR_RIDGE_RELATIVE, 1 / condition, method),
                         "methods");
      check_bound<double>(every_spectrum(12, condition * condition), 12,
                          options_of(2, 1, KR_RIDGE_RELATIVE, 1 / (condition * condition), method), "methods");
    }
  }
}

const kr_method methods[] = {KR_METHOD_AUTO, KR_METHOD_MINIMAX, KR_METHOD_COUPLED_NEWTON};

// Q diag(values) Q^T; `values` may be negative.
template <typename T>
Batch<T> with_values(const std::vector<double>& values, uint64_t seed = 5) {
  return stacked<T>({MatrixSource(seed).with_eigenvalues(values)}, static_cast<int64_t>(values.size()));
}

template <typename T>
double trace_of(Batch<T>& x) {
  double trace = 0;
  for (int64_t i = 0; i < x.rows(); ++i) trace += static_cast<double>(x(i, i));
  return trace;
}

template <typename T>
void check_one_by_one() {
  const double ulp = ulp_of<T>;
  for (kr_method method : methods) {
    for (int p : {1, 2, 3, 4, 7, 64}) {
      for (double value : {3.0, 1.0, 7e-20, 5e18, 1e-30, 1e30}) {
        const Batch<T> a{{static_cast<T>(value)}};
        const Answer<T> answer(a, options_of(p, 1, KR_RIDGE_NONE, 0, method));
        const auto exact = static_cast<double>(std::pow(static_cast<long double>(a.data()[0]), -1.0L / p));
        EXPECT(answer.report().status == KR_STATUS_OK && answer.report().method == KR_METHOD_DIRECT);
        EXPECT_NEAR(static_cast<double>(answer.x.data()[0]), exact, 2 * ulp * exact);
        EXPECT(answer.report().condition == 1 && answer.report().residual < 100 * ulp);
      }
    }
  }
}

TEST("inverse_root: 1 x 1 to 2 ulp, n = 0 and empty batches") {
  check_one_by_one<float>();
  check_one_by_one<double>();
  const Batch<float> nothing(3, 0, 0);
  const Answer<float> empty(nothing, options_of(2, 1, KR_RIDGE_DEFAULT, 0));
  EXPECT(empty.report(2).status == KR_STATUS_OK && empty.report(2).method == KR_METHOD_DIRECT);
  EXPECT(empty.report(2).detail == -1 && empty.report(2).reserved == 0);
  const Answer<float> none(Batch<float>(0, 4, 4), options_of(2, 1, KR_RIDGE_DEFAULT, 0));
  EXPECT(none.code == KR_OK);
}

TEST("inverse_root: the zero matrix") {
  for (kr_method method : methods) {
    for (int64_t n : {1, 3, 40, 130}) {
      const Batch<float> zero(1, n, n);
      Answer<float> absolute(zero, options_of(2, 1, KR_RIDGE_ABSOLUTE, 4, method));
      EXPECT(absolute.report().status == KR_STATUS_RANK_DEFICIENT && absolute.report().detail == 0);
      EXPECT(absolute.report().method == KR_METHOD_DIRECT);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) EXPECT(absolute.x(i, j) == (i == j ? 0.5f : 0.0f));
      }
      const Answer<float> pseudo(zero, options_of(2, 1, KR_RIDGE_PSEUDO_INVERSE, 0, method));
      EXPECT(pseudo.report().status == KR_STATUS_RANK_DEFICIENT && pseudo.report().detail == 0);
      EXPECT(std::all_of(pseudo.x.data().begin(), pseudo.x.data().end(), [](float each) { return each == 0; }));
      for (int ridge : {KR_RIDGE_DEFAULT, KR_RIDGE_NONE, KR_RIDGE_RELATIVE, KR_RIDGE_TRACE}) {
        EXPECT(Answer<float>(zero, options_of(2, 1, ridge, 0.1, method)).failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
      }
    }
  }
}

TEST("inverse_root: diagonal matrices in closed form") {
  const Batch<double> a = Batch<double>::diagonal({16, 81, 1, 256});
  Answer<double> answer(a, options_of(4, 1, KR_RIDGE_NONE, 0));
  EXPECT(answer.report().method == KR_METHOD_DIRECT && answer.report().condition == 256);
  EXPECT(answer.x(0, 0) == 0.5 && answer.x(2, 2) == 1 && answer.x(3, 3) == 0.25 && answer.x(0, 1) == 0);
  EXPECT_NEAR(answer.x(1, 1), 1.0 / 3, 1e-16);
  Answer<double> positive(a, options_of(-4, 3, KR_RIDGE_NONE, 0));
  EXPECT_NEAR(positive.x(1, 1), 27, 1e-14);
}

TEST("inverse_root: rank-deficient on the ridge") {
  for (kr_method method : methods) {
    for (int64_t n : {3, 20, 40}) {
      std::vector<double> values(static_cast<size_t>(n), 0.0);
      for (int64_t i = 0; i < n - n / 3; ++i) values[static_cast<size_t>(i)] = 1 + 0.1 * static_cast<double>(i);
      const double largest = values[static_cast<size_t>(n - n / 3 - 1)];
      const Batch<double> a = with_values<double>(values);
      Answer<double> answer(a, options_of(2, 1, KR_RIDGE_RELATIVE, 1e-4, method));
      EXPECT(answer.report().status == KR_STATUS_RANK_DEFICIENT && answer.report().detail == n - n / 3);
      EXPECT_NEAR(answer.report().condition, 1e4, 1.1);
      double exact = 0;
      for (double value : values) exact += 1 / std::sqrt(value + 1e-4 * largest);
      EXPECT_NEAR(trace_of(answer.x), exact, 1e-8 * exact);
      EXPECT(
          Answer<double>(a, options_of(2, 1, KR_RIDGE_NONE, 0, method)).failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
    }
  }
}

TEST("inverse_root: slightly indefinite counts as 0, more is refused") {
  for (kr_method method : methods) {
    const double epsilon = 1e-3;
    for (double share : {0.001, 0.5, 0.99}) {
      const Batch<double> a = with_values<double>({2, 1, 0.5, -share * epsilon});
      Answer<double> answer(a, options_of(4, 1, KR_RIDGE_ABSOLUTE, epsilon, method));
      EXPECT(answer.report().status == KR_STATUS_RANK_DEFICIENT && answer.report().detail == 3);
      EXPECT(answer.report().residual < 1e-9);
      double exact = std::pow(epsilon, -0.25);
      for (double value : {2.0, 1.0, 0.5}) exact += std::pow(value + epsilon, -0.25);
      EXPECT_NEAR(trace_of(answer.x), exact, 1e-9 * exact);
    }
    const Batch<double> worse = with_values<double>({2, 1, 0.5, -1.01 * epsilon});
    EXPECT(Answer<double>(worse, options_of(4, 1, KR_RIDGE_ABSOLUTE, epsilon, method))
               .failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
    EXPECT(Answer<double>(with_values<double>({-1, -2, -3}), options_of(2, 1, KR_RIDGE_DEFAULT, 0, method))
               .failed_with(KR_STATUS_NOT_POSITIVE_DEFINITE));
  }
}

TEST("inverse_root: slightly asymmetric is symmetrised, more is refused, and so is what is not finite") {
  for (kr_method method : methods) {
    const auto options = options_of(2, 1, KR_RIDGE_NONE, 0, method);
    const Answer<float> answer({{2, 1.0001f}, {0.9999f, 2}}, options), exact({{2, 1}, {1, 2}}, options);
    EXPECT(answer.report().status == KR_STATUS_OK);
    EXPECT_NEAR(static_cast<double>(answer.x.data()[1]), static_cast<double>(exact.x.data()[1]), 1e-6);
    EXPECT(Answer<float>({{2, 1.001f}, {0.999f, 2}}, options).failed_with(KR_STATUS_NOT_SYMMETRIC));
    for (float bad : {nan_of<float>, infinity_of<float>, -infinity_of<float>}) {
      EXPECT(Answer<float>({{2, bad}, {bad, 2}}, options).failed_with(KR_STATUS_NON_FINITE_INPUT));
      EXPECT(Answer<float>({{bad, 0}, {0, 2}}, options).failed_with(KR_STATUS_NON_FINITE_INPUT));
    }
  }
}

TEST("inverse_root: any scale; overflow is reported") {
  const Dense a = MatrixSource(3).matrix(Spectra::geometric, 10, 1e3);
  const auto scaled = [&](double factor) {
    Dense all = a;
    for (double& each : all) each *= factor;
    return stacked<float>({all}, 10);
  };
  for (kr_method method : methods) {
    for (const auto& p : {std::pair(1, 1), std::pair(3, 1), std::pair(4, 3)}) {
      const auto options = options_of(p.first, p.second, KR_RIDGE_RELATIVE, 1e-3, method);
      const Answer<float> one(scaled(1), options);
      for (int exponent : {-72, 3, 96}) {
        const Answer<float> other(scaled(std::ldexp(1.0, exponent)), options);
        EXPECT(other.report().status == one.report().status);
        const double factor = std::exp2(-static_cast<double>(exponent) * p.second / p.first);
        EXPECT_NEAR(other.x.data()[0] / (one.x.data()[0] * factor), 1, 1e-5);
      }
    }
    EXPECT(Answer<float>(scaled(0x1p-126), options_of(1, 2, KR_RIDGE_RELATIVE, 1e-1, method))
               .failed_with(KR_STATUS_OVERFLOW));
    EXPECT(Answer<float>({{1e-30f}}, options_of(1, 2, KR_RIDGE_NONE, 0, method)).failed_with(KR_STATUS_OVERFLOW));
    // A ridge far above the matrix: epsilon^{-1/2} I.
    const Answer<float> ridge(scaled(1e-30), options_of(2, 1, KR_RIDGE_ABSOLUTE, 4, method));
    EXPECT_NEAR(static_cast<double>(ridge.x.data()[0]), 0.5, 1e-6);
    EXPECT_NEAR(static_cast<double>(ridge.x.data()[1]), 0, 1e-6);
  }
}

TEST("inverse_root: ridge modes") {
  const std::vector<double> values = {4, 1, 0.25};
  const struct {
    int ridge;
    double value, epsilon;
  } cases[] = {{KR_RIDGE_DEFAULT, 0, 4e-12},    {KR_RIDGE_NONE, 0, 0},        {KR_RIDGE_ABSOLUTE, 0.5, 0.5},
               {KR_RIDGE_RELATIVE, 0.01, 0.04}, {KR_RIDGE_TRACE, 0.3, 0.525}, {KR_RIDGE_RELATIVE, 3, 12}};
  for (kr_method method : methods) {
    for (const auto& each : cases) {
      Answer<double> answer(with_values<double>(values), options_of(2, 1, each.ridge, each.value, method));
      double exact = 0;
      for (double value : values) exact += 1 / std::sqrt(value + each.epsilon);
      EXPECT_NEAR(trace_of(answer.x), exact, 1e-13 * exact + 1e-9 * each.epsilon);
      EXPECT_NEAR(answer.report().condition, (4 + each.epsilon) / (0.25 + each.epsilon), 0.02 * 16);
    }
  }
}

TEST("inverse_root: pseudo-inverses") {
  for (kr_method method : methods) {
    const Batch<float> a = with_values<float>({4, 1, 1e-4, 0});
    const Answer<float> all(a, options_of(2, 1, KR_RIDGE_PSEUDO_INVERSE, 0, method));
    EXPECT(all.report().status == KR_STATUS_RANK_DEFICIENT && all.report().detail == 3);
    EXPECT(all.report().method == KR_METHOD_EIGH);
    EXPECT_NEAR(all.report().condition, 4e4, 400);
    Answer<float> two(a, options_of(2, 1, KR_RIDGE_PSEUDO_INVERSE, 1e-3, method));
    EXPECT(two.report().detail == 2);
    EXPECT_NEAR(trace_of(two.x), 1.5, 1e-5);
  }
}

// "results do not depend on the contents of other matrices", "a bad matrix leaves its neighbours bit-identical".
template <typename T>
void check_neighbours(int64_t n, kr_method method) {
  std::vector<Dense> matrices = every_spectrum(n, 1e3);
  const auto options = options_of(4, 1, KR_RIDGE_RELATIVE, 1e-3, method);
  const Batch<T> good = stacked<T>(matrices, n, 1);
  Answer<T> clean(good, options);
  Batch<T> bad(good);
  bad(2, n - 1, 0) = nan_of<T>;
  Answer<T> poisoned(bad, options), alone(stacked<T>({matrices[4]}, n), options);
  EXPECT(poisoned.report(2).status == KR_STATUS_NON_FINITE_INPUT);
  // In place, without reports.
  const DeviceBatch in_place(*&good);
  EXPECT(cuda().inverse_root(CudaCall().get(), &options, &in_place, &in_place, nullptr) == KR_OK);
  in_place.read();
  Batch<T> written(good);
  for (int64_t b = 0; b < 5; ++b) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        EXPECT(poisoned.x(b, i, j) == (b == 2 ? T{untouched} : clean.x(b, i, j)));
        EXPECT(written(b, i, j) == clean.x(b, i, j));
        if (b == 4) EXPECT(alone.x(i, j) == clean.x(b, i, j));
      }
    }
  }
}

TEST("inverse_root: x may be a; bad neighbours and the rest of the batch change no bits") {
  for (kr_method method : methods) check_neighbours<float>(11, method);
  check_neighbours<float>(33, KR_METHOD_AUTO);
}

TEST("inverse_root: one matrix for the whole batch") {
  const Batch<float> a = with_values<float>({3, 2, 1});
  kr_batch shared = *&a;
  shared.batch = 4;
  shared.batch_stride = 0;
  Batch<float> x(4, 3, 3);
  const DeviceBatch device_a(shared), device_x(*&x);
  const auto options = options_of(2, 1, KR_RIDGE_NONE, 0);
  EXPECT(cuda().inverse_root(CudaCall().get(), &options, &device_a, &device_x, nullptr) == KR_OK);
  device_x.read();
  const Answer<float> one(a, options);
  for (size_t e = 0; e < 36; ++e) EXPECT(x.data()[e] == one.x.data()[e % 9]);
}

// The balanced residual W - I of p = 2, W = X A X, as the Frobenius norm over sqrt(n).
TEST("inverse_root: the full residual is that of what was returned") {
  const int64_t n = 12;
  for (kr_method method : methods) {
    Batch<double> a = stacked<double>({MatrixSource(4).matrix(Spectra::geometric, n, 1e4)}, n);
    kr_inverse_root_options options = options_of(2, 1, KR_RIDGE_NONE, 0, method);
    options.full_residual = 1;
    Answer<double> answer(a, options);
    double squares = 0;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = i == j ? -1 : 0;
        for (int64_t k = 0; k < n; ++k) {
          for (int64_t l = 0; l < n; ++l) sum += answer.x(i, k) * a(k, l) * answer.x(l, j);
        }
        squares += sum * sum;
      }
    }
    const double exact = std::sqrt(squares / static_cast<double>(n));
    EXPECT_NEAR(answer.report().residual, exact, 0.05 * exact + 1e-10);
  }
}

// "|X - X_exact|_F / |X_exact|_F is at most that of the f32 eigh route on the same input", which is the route through
// eigh of this backend with the images formed in f64.
TEST("inverse_root: AUTO in f32 is at most as wrong as eigh in f32") {
  for (int64_t n : {5, 33}) {
    for (double condition : {1e2, 1e6}) {
      const std::vector<Dense> matrices = every_spectrum(n, condition);
      Batch<float> a = stacked<float>(matrices, n);
      const int64_t count = static_cast<int64_t>(matrices.size());
      Batch<float> values(count, n, 1), vectors(count, n, n);
      const DeviceBatch device_a(*&a), device_values(*&values), device_vectors(*&vectors);
      EXPECT(cuda().eigh(CudaCall().get(), nullptr, &device_a, &device_values, &device_vectors, nullptr) == KR_OK);
      device_values.read();
      device_vectors.read();
      for (int p : {2, 4}) {
        const auto options = options_of(p, 1, KR_RIDGE_RELATIVE, 1 / condition);
        Answer<float> answer(a, options);
        std::vector<kr_report> exact_reports;
        Batch<double> exact = exact_of(a, options, &exact_reports);
        for (int64_t b = 0; b < count; ++b) {
          Batch<double> route(1, n, n), wanted(1, n, n);
          const double epsilon = static_cast<double>(values(b, n - 1, 0)) / condition;
          for (int64_t i = 0; i < n; ++i) {
            for (int64_t j = 0; j < n; ++j) {
              wanted(i, j) = exact(b, i, j);
              for (int64_t k = 0; k < n; ++k) {
                const double image = std::pow(std::max(0.0, static_cast<double>(values(b, k, 0))) + epsilon, -1.0 / p);
                route(i, j) += image * static_cast<double>(vectors(b, i, k)) * static_cast<double>(vectors(b, j, k));
              }
            }
          }
          const double allowed = relative_error(route, wanted, 0), error = relative_error(answer.x, exact, b);
          // "4 times it where one matrix is reduced to tridiagonal form in f32, by EIGH"
          const double factor = n <= 32 ? 1 : 4;
          check(error <= factor * allowed + 2 * ulp_of<float>,
                "n " + std::to_string(n) + " p " + std::to_string(p) + " matrix " + std::to_string(b) + " condition " +
                    std::to_string(condition) + " error " + std::to_string(error * 1e7) + "e-7 method " +
                    std::to_string(answer.report(b).method),
                "error / that of eigh", error / allowed);
        }
      }
    }
  }
}

}  // namespace
}  // namespace kronroot::test
