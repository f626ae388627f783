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
    // What counts as 0 is for the eigendecomposition to decide.
    if (options.method == KR_METHOD_AUTO && n > 1 && b != static_cast<int>(Spectra::shampoo)) {
      check(report.method == KR_METHOD_MINIMAX && report.rung == KR_RUNG_CHOSEN, where, "left the first rung");
    }
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

const kr_method iterated[] = {KR_METHOD_AUTO, KR_METHOD_COUPLED_NEWTON, KR_METHOD_HIGHER_ORDER};

template <typename T>
void check_sizes(std::initializer_list<int64_t> sizes, double condition) {
  for (int64_t n : sizes) {
    for (const auto& p : {std::pair(2, 1), std::pair(4, 1)}) {
      check_bound<T>(every_spectrum(n, condition), n, options_of(p.first, p.second, KR_RIDGE_RELATIVE, 1 / condition),
                     "sizes");
    }
  }
}

TEST("inverse_root: within 100 n ulp condition, one warp a matrix") {
  check_sizes<float>({1, 2, 3, 5, 8, 9, 16, 17, 31, 32}, 1e4);
  check_sizes<double>({2, 3, 8, 16, 24, 32}, 1e8);
}

TEST("inverse_root: within 100 n ulp condition, one block a matrix") {
  check_bound<float>(every_spectrum(33, 1e4), 33, options_of(4, 1, KR_RIDGE_RELATIVE, 1e-4), "block");
  check_bound<double>(every_spectrum(33, 1e6), 33, options_of(2, 1, KR_RIDGE_RELATIVE, 1e-6), "block");
  MatrixSource source(7);
  for (int64_t n : {64, 97, 128}) {
    check_bound<float>({source.matrix(Spectra::geometric, n, 1e2)}, n, options_of(2, 1, KR_RIDGE_NONE, 0), "block");
  }
  check_bound<double>({source.matrix(Spectra::geometric, 64, 1e2)}, 64, options_of(3, 1, KR_RIDGE_NONE, 0), "block");
}

TEST("inverse_root: within 100 n ulp condition, by batched products") {
  MatrixSource source(8);
  const Dense at_edge = source.matrix(Spectra::geometric, 129, 10);
  check_bound<float>({at_edge}, 129, options_of(2, 1, KR_RIDGE_NONE, 0), "large");
  const std::vector<Dense> several = {source.matrix(Spectra::geometric, 66, 1e1),
                                      source.matrix(Spectra::wishart, 66, 1),
                                      source.matrix(Spectra::clustered, 66, 1e4)};
  for (const auto& p : {std::pair(1, 1), std::pair(3, 1), std::pair(5, 1), std::pair(8, 1), std::pair(-3, 2)}) {
    check_bound<double>(several, 66, options_of(p.first, p.second, KR_RIDGE_RELATIVE, 1e-4), "large");
  }
  for (kr_method method : {KR_METHOD_COUPLED_NEWTON, KR_METHOD_HIGHER_ORDER}) {
    check_bound<double>(several, 66, options_of(4, 3, KR_RIDGE_RELATIVE, 1e-2, method), "large");
  }
}

TEST("inverse_root: every p, inverse and positive powers") {
  const int64_t n = 13;
  const int roots[][2] = {{1, 1},  {2, 1},  {3, 1}, {4, 1}, {5, 1}, {6, 1},  {7, 1},  {8, 1},  {9, 1}, {13, 1},
                          {16, 1}, {64, 1}, {4, 3}, {3, 2}, {1, 2}, {-1, 1}, {-2, 1}, {-3, 2}, {-1, 3}};
  for (const auto& root : roots) {
    for (kr_method method : iterated) {
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

}  // namespace
}  // namespace kronroot::test
