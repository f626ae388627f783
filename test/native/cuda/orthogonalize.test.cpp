// orthogonalize of the CUDA backend: the bounds of ops.h against the reference, and the defined answers.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "native/core/matrix.hpp"
#include "native/core/orthogonalize_schedule.hpp"
#include "test/native/cpu/spectra.hpp"
#include "test/native/cuda/cuda_call.hpp"

namespace kronroot::test {
namespace {

constexpr double untouched = 77;

kr_orthogonalize_options options_of(kr_method method, int table = KR_TABLE_QUINTIC, int steps = 0) {
  kr_orthogonalize_options options{};
  options.method = method;
  options.table = table;
  options.steps = steps;
  return options;
}

void check(bool holds, const std::string& where, const char* what, double value = 0) {
  if (!holds) report_failure("", 0, where + ": " + what + " (" + std::to_string(value) + ")");
}

template <typename T>
Batch<T> normal_matrices(int64_t batch, int64_t m, int64_t n, uint64_t seed, double scale = 1, int64_t padding = 0) {
  MatrixSource source(seed);
  Batch<T> a(batch, m, n, 0, padding);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) a(b, i, j) = static_cast<T>(scale * source.normal());
    }
  }
  return a;
}

// m x n, m <= n, with the singular values given.
template <typename T>
Batch<T> with_singular_values(const std::vector<double>& sigma, int64_t n, uint64_t seed) {
  const auto m = static_cast<int64_t>(sigma.size());
  MatrixSource source(seed);
  const auto signs = [&](int64_t count) {
    std::vector<double> all(static_cast<size_t>(count));
    for (double& each : all) each = source.integer(2) == 0 ? 1 : -1;
    return all;
  };
  const Dense u = source.with_eigenvalues(signs(m)), v = source.with_eigenvalues(signs(n));
  Batch<T> a(1, m, n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < m; ++k) {
        sum += u[static_cast<size_t>(i * m + k)] * sigma[static_cast<size_t>(k)] * v[static_cast<size_t>(k * n + j)];
      }
      a(i, j) = static_cast<T>(sum);
    }
  }
  return a;
}

template <typename T>
struct Answer {
  Answer(const Batch<T>& a, const kr_orthogonalize_options& options) : x(a) {
    std::fill_n(const_cast<T*>(x.data().data()), x.data().size(), T{untouched});
    const DeviceBatch device_a(*&a), device_x(*&x);
    DeviceReports device_reports(x.descriptor().batch);
    const CudaCall call;
    code = cuda().orthogonalize(call.get(), &options, &device_a, &device_x, device_reports.get());
    if (code != KR_OK) report_failure(__FILE__, __LINE__, call.message());
    device_x.read();
    reports = device_reports.read();
  }
  const kr_report& report(int64_t b = 0) const { return reports[static_cast<size_t>(b)]; }
  Batch<T> x;
  std::vector<kr_report> reports;
  kr_code code;
};

// The reference in f64, from the same input.
template <typename T>
Batch<double> exact_of(Batch<T> a, const kr_orthogonalize_options& options) {
  const kr_batch& shape = a.descriptor();
  Batch<double> wide(shape.batch, shape.rows, shape.cols), x(shape.batch, shape.rows, shape.cols);
  for (int64_t b = 0; b < shape.batch; ++b) {
    for (int64_t i = 0; i < shape.rows; ++i) {
      for (int64_t j = 0; j < shape.cols; ++j) wide(b, i, j) = static_cast<double>(a(b, i, j));
    }
  }
  EXPECT(kr_reference_backend()->orthogonalize(Call().get(), &options, &wide, &x, nullptr) == KR_OK);
  return x;
}

template <typename T>
double relative_error(Batch<T>& x, Batch<double>& exact, int64_t b = 0) {
  double error = 0, size = 0;
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.cols(); ++j) {
      const double difference = static_cast<double>(x(b, i, j)) - exact(b, i, j);
      error += difference * difference;
      size += exact(b, i, j) * exact(b, i, j);
    }
  }
  return std::sqrt(error / size);
}

// max(1, max |s P'(s)| over [0, 1]) of the composed polynomial.
double steepness(const kr_orthogonalize_options& options) {
  std::vector<Quintic> steps(static_cast<size_t>(orthogonalize_schedule(options, nullptr, 0)));
  orthogonalize_schedule(options, steps.data(), static_cast<int>(steps.size()));
  double steepest = 1;
  for (int i = 1; i <= 4000; ++i) {
    double s = i / 4000.0, slope = s;
    for (const Quintic& p : steps) {
      slope *= p.a + s * s * (3 * p.b + s * s * 5 * p.c);
      s *= p.a + s * s * (p.b + s * s * p.c);
    }
    steepest = std::max(steepest, std::abs(slope));
  }
  return steepest;
}

template <typename T>
std::string describe(const Batch<T>& a, const kr_orthogonalize_options& options) {
  return std::string(sizeof(T) == 4 ? "f32 " : "f64 ") + std::to_string(a.rows()) + " x " + std::to_string(a.cols()) +
         " table " + std::to_string(options.table) + " method " + std::to_string(options.method);
}

// "equals the f64 run of the same polynomial within 50 ulp steps sqrt(min(m, n)) L"
template <typename T>
void check_newton_schulz(const Batch<T>& a, const kr_orthogonalize_options& options) {
  Answer<T> answer(a, options);
  Batch<double> exact = exact_of(a, options);
  const std::string where = describe(a, options);
  const double smaller = static_cast<double>(std::min(a.rows(), a.cols()));
  const double bound = 50 * ulp_of<T> * answer.report().iterations * std::sqrt(smaller) * steepness(options);
  for (int64_t b = 0; b < answer.x.descriptor().batch; ++b) {
    check(answer.report(b).status == KR_STATUS_OK, where, "status", answer.report(b).status);
    const double error = relative_error(answer.x, exact, b);
    check(error <= bound, where, "error / bound", error / bound);
  }
}

// |X - U V^T|_F <= 100 ulp (sigma_max / sigma_min) sqrt(n) |X|_F
template <typename T>
void check_polar(double smallest, int64_t m, int64_t n) {
  std::vector<double> sigma(static_cast<size_t>(m));
  for (int64_t i = 0; i < m; ++i) {
    sigma[static_cast<size_t>(i)] = std::pow(smallest, m > 1 ? static_cast<double>(i) / static_cast<double>(m - 1) : 0);
  }
  const Batch<T> a = with_singular_values<T>(sigma, n, 6);
  const auto options = options_of(KR_METHOD_POLAR);
  Answer<T> answer(a, options);
  const std::string where = describe(a, options);
  check(answer.report().status == KR_STATUS_OK && answer.report().method == KR_METHOD_POLAR, where, "status",
        answer.report().status);
  Batch<double> exact = exact_of(a, options);
  const double bound = 100 * ulp_of<T> / sigma.back() * std::sqrt(static_cast<double>(n));
  const double error = relative_error(answer.x, exact);
  check(error <= bound, where, "error / bound", error / bound);
  EXPECT_NEAR(answer.report().condition * sigma.back(), 1, 0.05);
  check(answer.report().residual < 1e3 * ulp_of<T>, where, "residual / ulp", answer.report().residual / ulp_of<T>);
}

template <typename T>
void check_shapes() {
  const int64_t shapes[][2] = {{1, 1}, {1, 7}, {2, 2}, {5, 3}, {16, 16}, {17, 40}, {33, 20}};
  for (const auto& shape : shapes) {
    const Batch<T> a = normal_matrices<T>(2, shape[0], shape[1], 9, 1, shape[0] % 3);
    for (kr_method method : {KR_METHOD_AUTO, KR_METHOD_GRAM_NEWTON_SCHULZ}) {
      check_newton_schulz(a, options_of(method));
      check_newton_schulz(a, options_of(method, KR_TABLE_CUBIC, 3));
    }
  }
  for (int table = KR_TABLE_QUINTIC; table <= KR_TABLE_MODULA; ++table) {
    for (kr_method method : {KR_METHOD_AUTO, KR_METHOD_GRAM_NEWTON_SCHULZ}) {
      check_newton_schulz(normal_matrices<T>(1, 9, 12, 4), options_of(method, table));
    }
  }
}

TEST("orthogonalize: every shape, table and form within its bound of the f64 run") {
  check_shapes<float>();
  check_shapes<double>();
}

TEST("orthogonalize: matrices of several tiles") {
  check_newton_schulz(normal_matrices<float>(1, 64, 100, 9), options_of(KR_METHOD_AUTO));
  check_newton_schulz(normal_matrices<float>(1, 130, 40, 9), options_of(KR_METHOD_AUTO, KR_TABLE_QUINTIC, 3));
  check_newton_schulz(normal_matrices<double>(1, 40, 70, 9), options_of(KR_METHOD_AUTO, KR_TABLE_QUINTIC, 3));
}

// In planes of fp16 from order 33 on: every table, both forms.
TEST("orthogonalize: every table in planes, within the bound of f32") {
  for (int table = KR_TABLE_QUINTIC; table <= KR_TABLE_MODULA; ++table) {
    for (kr_method method : {KR_METHOD_AUTO, KR_METHOD_GRAM_NEWTON_SCHULZ}) {
      check_newton_schulz(normal_matrices<float>(2, 37, 50, 4, 1, 1), options_of(method, table));
    }
  }
}

// "five steps of QUINTIC are within 2^-4 of the f64 run in relative Frobenius norm": operands in fp16 are within 2^-6.
TEST("orthogonalize: BF16 takes one plane") {
  kr_orthogonalize_options options = options_of(KR_METHOD_AUTO);
  options.precision = KR_PRECISION_BF16;
  for (const auto& shape : {std::pair(33, 33), std::pair(100, 90), std::pair(64, 200), std::pair(150, 70)}) {
    const Batch<float> a = normal_matrices<float>(2, shape.first, shape.second, 8);
    Answer<float> answer(a, options);
    Batch<double> exact = exact_of(a, options_of(KR_METHOD_AUTO));
    for (int64_t b : {0, 1}) {
      const double error = relative_error(answer.x, exact, b);
      check(error < 0x1p-6 && error > 0x1p-14, describe(a, options), "error", error);
    }
  }
}

TEST("orthogonalize: polar factors within 100 ulp condition sqrt(n)") {
  for (const auto& shape : {std::pair(1, 4), std::pair(7, 7), std::pair(12, 31), std::pair(33, 40)}) {
    for (double smallest : {1.0, 0.1, 1e-3}) check_polar<float>(smallest, shape.first, shape.second);
    for (double smallest : {0.1, 1e-5}) check_polar<double>(smallest, shape.first, shape.second);
  }
}

TEST("orthogonalize: a deficient matrix has the polar factor of its range") {
  std::vector<double> sigma(9, 0.0);
  for (size_t i = 0; i < 4; ++i) sigma[i] = std::pow(0.5, static_cast<double>(i));
  const Batch<float> a = with_singular_values<float>(sigma, 12, 3);
  Answer<float> answer(a, options_of(KR_METHOD_POLAR));
  EXPECT(answer.report().status == KR_STATUS_RANK_DEFICIENT && answer.report().detail == 4);
  // X X^T has four eigenvalues 1.
  double squares = 0;
  for (int64_t i = 0; i < 9; ++i) {
    for (int64_t j = 0; j < 12; ++j) squares += static_cast<double>(answer.x(i, j)) * answer.x(i, j);
  }
  EXPECT_NEAR(squares, 4, 1e-5);
}

TEST("orthogonalize: zero, empty and not finite matrices; neighbours keep their bits") {
  for (kr_method method : {KR_METHOD_NEWTON_SCHULZ, KR_METHOD_GRAM_NEWTON_SCHULZ, KR_METHOD_POLAR}) {
    for (const auto& [m, n] : {std::pair<int64_t, int64_t>(6, 9), std::pair<int64_t, int64_t>(40, 35)}) {
      Batch<float> a = normal_matrices<float>(4, m, n, 2);
      const Answer<float> clean(a, options_of(method));
      a(1, 3, 4) = nan_of<float>;
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) a(2, i, j) = 0;
      }
      Answer<float> answer(a, options_of(method));
      EXPECT(answer.report(1).status == KR_STATUS_NON_FINITE_INPUT);
      EXPECT(answer.report(2).status == KR_STATUS_RANK_DEFICIENT && answer.report(2).detail == 0);
      EXPECT(answer.report(2).residual == 0 && answer.report(2).method == KR_METHOD_DIRECT);
      const size_t size = static_cast<size_t>(m * n);
      for (size_t e = 0; e < size; ++e) {
        EXPECT(answer.x.data()[e] == clean.x.data()[e] &&
               answer.x.data()[3 * size + e] == clean.x.data()[3 * size + e]);
        EXPECT(answer.x.data()[size + e] == untouched && answer.x.data()[2 * size + e] == 0);
      }
      // A matrix alone has the bits that it has in a batch.
      Batch<float> alone(1, m, n);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) alone(i, j) = a(3, i, j);
      }
      const Answer<float> single(alone, options_of(method));
      for (size_t e = 0; e < size; ++e) EXPECT(single.x.data()[e] == clean.x.data()[3 * size + e]);
    }

    const Batch<double> nothing(3, 0, 5);
    const Answer<double> empty(nothing, options_of(method));
    EXPECT(empty.report(2).status == KR_STATUS_OK && empty.report(2).method == KR_METHOD_DIRECT);
  }
}

TEST("orthogonalize: any scale; what overflows is left alone") {
  for (kr_method method : {KR_METHOD_NEWTON_SCHULZ, KR_METHOD_GRAM_NEWTON_SCHULZ, KR_METHOD_POLAR}) {
    const Answer<float> one(normal_matrices<float>(1, 8, 11, 5), options_of(method));
    for (int exponent : {-100, -40, 40, 100}) {
      const Answer<float> other(normal_matrices<float>(1, 8, 11, 5, std::ldexp(1.0, exponent)), options_of(method));
      EXPECT(other.x.data() == one.x.data());
    }
  }
  const double explosive[] = {1e10, 1e10, 1e10};
  kr_orthogonalize_options options = options_of(KR_METHOD_AUTO, KR_TABLE_CUSTOM, 6);
  options.coefficient_count = 1;
  options.coefficients = explosive;
  const Answer<float> answer(normal_matrices<float>(1, 10, 8, 5), options);
  EXPECT(answer.report().status == KR_STATUS_OVERFLOW);
  EXPECT(std::all_of(answer.x.data().begin(), answer.x.data().end(), [](float x) { return x == float{untouched}; }));
}

}  // namespace
}  // namespace kronroot::test
