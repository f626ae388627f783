// spd_inverse and spd_solve on the device, by their residuals against the bounds of ops.h.
#include <memory>

#include "test/native/cuda/spd_cases.hpp"

namespace kronroot::test {
namespace {

constexpr int64_t orders[] = {1, 5, 17, 33, 64, 65, 129, 250};

template <typename T>
void inverses_are_inverses() {
  for (const int64_t n : orders) {
    const double condition = 100;
    Batch<T> a = spd_batch<T>(2, n, condition, 1, 11);
    SpdAnswer<T> answer = run_spd(&kr_backend::spd_inverse, {}, a);
    const std::string name = std::string(type_name<T>) + " n=" + std::to_string(n);
    for (int64_t b = 0; b < 2; ++b) {
      expect_that(answer.reports[static_cast<size_t>(b)].status == KR_STATUS_OK, name + " status");
      double worst = 0;
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double sum = i == j ? -1 : 0;
          for (int64_t k = 0; k < n; ++k) sum += lower(a, b, i, k) * static_cast<double>(answer.x(b, k, j));
          worst = std::max(worst, std::abs(sum));
        }
      }
      expect_below(worst / (static_cast<double>(n) * ulp_of<T> * condition), 10, name + " |A X - I|");
    }
  }
}

template <typename T>
void solutions_solve() {
  for (const int64_t n : orders) {
    const int64_t columns = 3;
    Batch<T> a = spd_batch<T>(2, n, 100, 1, 12), right(2, n, columns), x(2, n, columns);
    for (int64_t b = 0; b < 2; ++b) {
      for (int64_t e = 0; e < n * columns; ++e) {
        right(b, e / columns, e % columns) = static_cast<T>(uniform(13, static_cast<uint64_t>(b * n * columns + e)));
      }
    }
    const DeviceBatch device_a(*&a), device_right(*&right), device_x(*&x);
    DeviceReports reports(2);
    CudaCall call;
    EXPECT(cuda().spd_solve(call.get(), nullptr, &device_a, &device_right, &device_x, reports.get()) == KR_OK);
    device_x.read();
    const std::vector<kr_report> found = reports.read();
    const std::string name = std::string(type_name<T>) + " n=" + std::to_string(n);
    for (int64_t b = 0; b < 2; ++b) {
      expect_that(found[static_cast<size_t>(b)].status == KR_STATUS_OK, name + " status");
      double worst = 0, largest = 0;
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t c = 0; c < columns; ++c) {
          double sum = -static_cast<double>(right(b, i, c));
          for (int64_t k = 0; k < n; ++k) sum += lower(a, b, i, k) * static_cast<double>(x(b, k, c));
          worst = std::max(worst, std::abs(sum));
          largest = std::max(largest, std::abs(static_cast<double>(x(b, i, c))));
        }
      }
      expect_below(worst / (static_cast<double>(n) * ulp_of<T> * largest), 10, name + " |A x - b|");
      expect_below(found[static_cast<size_t>(b)].residual / (static_cast<double>(n) * ulp_of<T>), 10,
                   name + " residual");
    }
  }
}

TEST("spd_inverse: A X = I at every order") {
  inverses_are_inverses<float>();
  inverses_are_inverses<double>();
}

TEST("spd_solve: A X = B at every order") {
  solutions_solve<float>();
  solutions_solve<double>();
}

template <typename T>
void relative_ridge_is_relative() {
  for (const int64_t n : {4, 40, 129}) {
    Batch<T> a = Batch<T>::identity(n);
    for (int64_t i = 0; i < n; ++i) a(i, i) = static_cast<T>(1 + 7.0 * static_cast<double>(i) / static_cast<double>(n));
    const double lambda_max = a(n - 1, n - 1);
    SpdAnswer<T> answer = run_spd(&kr_backend::spd_inverse, {KR_RIDGE_RELATIVE, 0, 0.5}, a);
    const double epsilon = 1 / static_cast<double>(answer.x(0, 0, 0)) - 1;
    const double rounding = 10 * static_cast<double>(n) * ulp_of<T>;
    EXPECT(epsilon >= 0.5 * lambda_max * (1 - rounding) && epsilon <= 0.525 * lambda_max);
  }
}

TEST("spd_inverse: a relative ridge is relative to an upper bound of lambda_max, at most 5 % above") {
  relative_ridge_is_relative<float>();
  relative_ridge_is_relative<double>();
}

}  // namespace
}  // namespace kronroot::test
