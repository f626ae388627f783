// svd on the device against the bounds of ops.h and the singular values of the reference.
#include <memory>

#include "test/native/cuda/eigen_answer.hpp"

namespace kronroot::test {
namespace {

template <typename T>
struct SvdAnswer {
  Batch<T> s, u, v;
  std::vector<kr_report> reports;
};

template <typename T>
SvdAnswer<T> cuda_svd(Batch<T>& a, bool wants_vectors = true) {
  const int64_t batch = a.descriptor().batch, m = a.rows(), n = a.cols(), l = std::min(m, n);
  SvdAnswer<T> answer{Batch<T>(batch, l, 1, untouched<T>),
                      Batch<T>(batch, m, l, untouched<T>, 1),
                      Batch<T>(batch, n, l, untouched<T>, 2),
                      {}};
  const DeviceBatch input(a.descriptor()), s(answer.s.descriptor()), u(answer.u.descriptor()), v(answer.v.descriptor());
  DeviceReports reports(batch);
  CudaCall call;
  const kr_code code = cuda().svd(call.get(), nullptr, &input, &s, wants_vectors ? &u : nullptr,
                                  wants_vectors ? &v : nullptr, reports.get());
  if (code != KR_OK) report_failure(__FILE__, __LINE__, call.message());
  s.read();
  u.read();
  v.read();
  answer.reports = reports.read();
  return answer;
}

// Full rank, rank 1, zero, equal rows, graded, huge, tiny, equal singular values.
template <typename T>
Batch<T> rectangles(int64_t m, int64_t n) {
  constexpr int64_t kinds = 8;
  Batch<T> a(kinds, m, n);
  Random random(static_cast<uint64_t>(31 * m + n));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const double x = random.normal();
      a(0, i, j) = static_cast<T>(x);
      a(1, i, j) = static_cast<T>((1.0 + static_cast<double>(i)) / (2.0 + static_cast<double>(j)));
      a(3, i, j) = static_cast<T>(i % 2 == 0 ? 0.25 * static_cast<double>(j) - 1 : 1);
      a(4, i, j) = static_cast<T>(x * std::pow(10.0, -static_cast<double>(i + j) / 4));
      a(5, i, j) = static_cast<T>(x * 1e30);
      a(6, i, j) = static_cast<T>(x * 1e-30);
      a(7, i, j) = i == j ? T(1) : T(0);
    }
  }
  return a;
}

// The largest column sum of |X^T X - I| in units of n ulp, X of n rows.
template <typename T>
double orthonormality_ratio(Batch<T>& x, int64_t b) {
  double worst = 0;
  for (int64_t j = 0; j < x.cols(); ++j) {
    double column = 0;
    for (int64_t k = 0; k < x.cols(); ++k) {
      double sum = k == j ? -1 : 0;
      for (int64_t i = 0; i < x.rows(); ++i) sum += static_cast<double>(x(b, i, j)) * x(b, i, k);
      column += std::abs(sum);
    }
    if (!(column <= worst)) worst = column;
  }
  return worst / (static_cast<double>(x.rows()) * ulp_of_type<T>);
}

template <typename T>
void bounds(int64_t m, int64_t n) {
  Batch<T> a = rectangles<T>(m, n);
  const int64_t batch = a.descriptor().batch, l = std::min(m, n);
  const double unit = static_cast<double>(std::max(m, n)) * ulp_of_type<T>;
  SvdAnswer<T> found = cuda_svd(a), alone = cuda_svd(a, false);
  Batch<T> exact(batch, l, 1);
  Call call;
  std::vector<kr_report> expected(static_cast<size_t>(batch));
  EXPECT(kr_reference_backend()->svd(call.get(), nullptr, &a, &exact, nullptr, nullptr, expected.data()) == KR_OK);
  for (int64_t b = 0; b < batch; ++b) {
    const std::string where = std::to_string(m) + " x " + std::to_string(n) + " matrix " + std::to_string(b) +
                              (sizeof(T) == 4 ? " f32" : " f64");
    const kr_report& report = found.reports[static_cast<size_t>(b)];
    expect_that(report.status == KR_STATUS_OK, where, "status", report.status);
    if (l == 0) continue;
    const double size = exact(b, 0, 0);
    double norm = 0, error = 0;
    for (int64_t j = 0; j < n; ++j) {
      double norm_column = 0, error_column = 0;
      for (int64_t i = 0; i < m; ++i) {
        double product = -static_cast<double>(a(b, i, j));
        for (int64_t k = 0; k < l; ++k) {
          product += static_cast<double>(found.u(b, i, k)) * found.s(b, k, 0) * found.v(b, j, k);
        }
        norm_column += std::abs(static_cast<double>(a(b, i, j)));
        error_column += std::abs(product);
      }
      norm = std::max(norm, norm_column);
      error = std::max(error, error_column);
    }
    expect_that(error <= 10 * unit * norm, where, "A - U s V^T", error / (unit * norm));
    expect_that(orthonormality_ratio(found.u, b) < 10, where, "U^T U", orthonormality_ratio(found.u, b));
    expect_that(orthonormality_ratio(found.v, b) < 10, where, "V^T V", orthonormality_ratio(found.v, b));
    expect_that(has_positive_peaks(m > n ? found.v : found.u, b), where, "signs");
    expect_that(report.residual >= 0 && report.residual < 10 * unit, where, "residual", report.residual / unit);
    expect_that(std::isnan(alone.reports[static_cast<size_t>(b)].residual), where, "residual of values only");
    for (int64_t k = 0; k < l; ++k) {
      const double wanted = exact(b, k, 0);
      expect_that(std::abs(found.s(b, k, 0) - wanted) <= 10 * unit * size, where, "value",
                  (found.s(b, k, 0) - wanted) / (unit * size));
      expect_that(std::abs(alone.s(b, k, 0) - wanted) <= 10 * unit * size, where, "value alone",
                  (alone.s(b, k, 0) - wanted) / (unit * size));
      expect_that(k == 0 || found.s(b, k, 0) <= found.s(b, k - 1, 0), where, "order");
    }
  }
}

TEST("svd: bounds, order and signs, f32") {
  for (const auto& [m, n] : {std::pair{1, 1}, {0, 3}, {3, 0}, {2, 2}, {3, 7}, {9, 4}, {16, 16}, {33, 20}, {66, 65}}) {
    bounds<float>(m, n);
  }
}
TEST("svd: bounds, order and signs, f64") {
  for (const auto& [m, n] : {std::pair{1, 1}, {2, 2}, {3, 7}, {9, 4}, {16, 16}, {35, 37}}) bounds<double>(m, n);
}

TEST("svd: a row longer than the shared memory of a block") {
  constexpr int64_t n = 60000;
  Batch<float> a(1, 1, n), s(1, 1, 1), u(1, 1, 1), v(1, n, 1);
  for (int64_t j = 0; j < n; ++j) a(0, j) = static_cast<float>(j % 7) - 3;
  const DeviceBatch input(a.descriptor()), on_device_s(s.descriptor()), on_device_u(u.descriptor()),
      on_device_v(v.descriptor());
  CudaCall call;
  EXPECT(cuda().svd(call.get(), nullptr, &input, &on_device_s, &on_device_u, &on_device_v, nullptr) == KR_OK);
  on_device_s.read();
  on_device_u.read();
  on_device_v.read();
  double squares = 0;
  for (int64_t j = 0; j < n; ++j) squares += static_cast<double>(a(0, j)) * a(0, j);
  EXPECT_NEAR(s(0, 0), std::sqrt(squares), 1e-5 * std::sqrt(squares));
  EXPECT(u(0, 0) == 1);
  double worst = 0;
  for (int64_t j = 0; j < n; ++j) worst = std::max(worst, std::abs(v(j, 0) * std::sqrt(squares) - a(0, j)));
  EXPECT(worst < 1e-3);
}

template <typename T>
void bad_matrices_are_alone() {
  Batch<T> a = rectangles<T>(6, 5);
  SvdAnswer<T> clean = cuda_svd(a);
  a(1, 2, 3) = nan_of<T>;
  for (int64_t i = 0; i < 6; ++i) {
    for (int64_t j = 0; j < 5; ++j) a(5, i, j) = std::numeric_limits<T>::max();
  }
  SvdAnswer<T> found = cuda_svd(a);
  for (int64_t b = 0; b < 8; ++b) {
    const kr_report& report = found.reports[static_cast<size_t>(b)];
    const bool is_bad = b == 1 || b == 5;
    EXPECT(report.status == (b == 1 ? KR_STATUS_NON_FINITE_INPUT : b == 5 ? KR_STATUS_OVERFLOW : KR_STATUS_OK));
    for (int64_t i = 0; i < 5; ++i) {
      EXPECT(found.s(b, i, 0) == (is_bad ? untouched<T> : clean.s(b, i, 0)));
      for (int64_t j = 0; j < 5; ++j) EXPECT(found.u(b, i, j) == (is_bad ? untouched<T> : clean.u(b, i, j)));
    }
  }
}

TEST("svd: a bad matrix is named, its outputs are left alone, and so are its neighbours") {
  bad_matrices_are_alone<float>();
  bad_matrices_are_alone<double>();
}

}  // namespace
}  // namespace kronroot::test
