// cholesky on the device against the bound of ops.h, |L L^T - A| / (n ulp |A|) < 10 in 1-norms.
#include "spd_cases.hpp"

namespace kronroot::test {
namespace {

// epsilon that was added on average, as the factor shows it.
template <typename T>
double check_factor(Batch<T>& a, SpdAnswer<T>& answer, int64_t b, double epsilon, const std::string& name) {
  const int64_t n = a.rows();
  const kr_report& report = answer.reports[static_cast<size_t>(b)];
  expect_that(report.status == KR_STATUS_OK && report.method == KR_METHOD_CHOLESKY && report.rung == KR_RUNG_CHOSEN,
              name + " status " + std::to_string(report.status));
  if (report.status != KR_STATUS_OK) return 0;
  std::vector<double> square(static_cast<size_t>(n * n));
  double added = 0, most = 0, least = HUGE_VAL;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      if (j > i) expect_that(answer.x(b, i, j) == 0, name + " above the diagonal");
      double sum = 0;
      for (int64_t k = 0; k <= std::min(i, j); ++k) {
        sum += static_cast<double>(answer.x(b, i, k)) * static_cast<double>(answer.x(b, j, k));
      }
      square[static_cast<size_t>(i * n + j)] = sum;
    }
    added += square[static_cast<size_t>(i * n + i)] - static_cast<double>(a(b, i, i));
    most = std::max(most, static_cast<double>(answer.x(b, i, i)));
    least = std::min(least, static_cast<double>(answer.x(b, i, i)));
  }
  const auto ridged = [&](int64_t i, int64_t j) { return lower(a, b, i, j) + (i == j ? epsilon : 0); };
  const double error =
      one_norm(n, n, [&](int64_t i, int64_t j) { return square[static_cast<size_t>(i * n + j)] - ridged(i, j); });
  const double ulps = static_cast<double>(n) * ulp_of<T>;
  expect_below(error / (ulps * one_norm(n, n, ridged)), 10, name + " |L L^T - A|");
  expect_below(report.residual, 10 * ulps, name + " residual");
  expect_below(std::abs(report.condition / (most / least * (most / least)) - 1), 1e-5, name + " condition");
  return added / static_cast<double>(n);
}

template <typename T>
void check_order(int64_t n) {
  for (const double scale : {1.0, 1e-30, 1e30}) {
    const std::string name = std::string(type_name<T>) + " n=" + std::to_string(n) + " scale=" + std::to_string(scale);
    Batch<T> a = spd_batch<T>(n < 50 ? 3 : 1, n, 1e3, scale, static_cast<uint64_t>(n));
    SpdAnswer<T> answer = run_spd(&kr_backend::cholesky, {}, a);
    for (int64_t b = 0; b < a.descriptor().batch; ++b) check_factor(a, answer, b, 0, name);
    expect_that(gaps_are_untouched(answer.x), name + " gaps");
  }
}

TEST("cholesky: the bound of ops.h at every order and scale") {
  for (const int64_t n : {1, 2, 3, 5, 8, 9, 16, 17, 31, 32, 33, 64, 65, 100, 128, 129, 200}) {
    check_order<float>(n);
    check_order<double>(n);
  }
}

TEST("cholesky: failures name the pivot, write nothing and leave neighbours their bits") {
  for (const int64_t n : {2, 7, 16, 32, 37, 100}) {
    check_spd_failures<float>(&kr_backend::cholesky, n, "f32 n=" + std::to_string(n));
    check_spd_failures<double>(&kr_backend::cholesky, n, "f64 n=" + std::to_string(n));
  }
}

TEST("cholesky: the ridges that need no eigenvalue") {
  for (const int64_t n : {1, 5, 20, 40}) {
    for (const double scale : {1.0, 1e-200, 1e200}) {
      Batch<double> a = spd_batch<double>(1, n, 1e3, scale, 7);
      double trace = 0;
      for (int64_t i = 0; i < n; ++i) trace += a(i, i);
      const auto added = [&](int32_t ridge, double value, double epsilon) {
        SpdAnswer<double> answer = run_spd(&kr_backend::cholesky, {ridge, 0, value}, a);
        return check_factor(a, answer, 0, epsilon, "ridge " + std::to_string(ridge)) / scale;
      };
      const double mean = trace / static_cast<double>(n);
      EXPECT_NEAR(added(KR_RIDGE_DEFAULT, 0, 0), 0, 1e-13);
      EXPECT_NEAR(added(KR_RIDGE_NONE, 5, 0), 0, 1e-13);
      EXPECT_NEAR(added(KR_RIDGE_ABSOLUTE, 0.5 * scale, 0.5 * scale), 0.5, 1e-13);
      EXPECT_NEAR(added(KR_RIDGE_TRACE, 0.3, 0.3 * mean), 0.3 * mean / scale, 1e-13);
    }
  }
}

TEST("cholesky: in place, one matrix for the whole batch, empty batches and matrices") {
  for (const int64_t n : {6, 40}) {
    Batch<float> a = spd_batch<float>(1, n, 10, 1, 3);
    SpdAnswer<float> expected = run_spd(&kr_backend::cholesky, {}, a);
    const DeviceBatch in_place(*&a);
    CudaCall call;
    EXPECT(cuda().cholesky(call.get(), nullptr, &in_place, &in_place, nullptr) == KR_OK);
    in_place.read();
    EXPECT(same_matrix(a, 0, expected.x, 0));
    Batch<float> one = spd_batch<float>(1, n, 10, 1, 3), many(3, n, n);
    const DeviceBatch device_one(*&one), device_many(*&many);
    kr_batch broadcast = *&device_one;
    broadcast.batch = 3;
    broadcast.batch_stride = 0;
    EXPECT(cuda().cholesky(call.get(), nullptr, &broadcast, &device_many, nullptr) == KR_OK);
    device_many.read();
    for (int64_t b = 0; b < 3; ++b) EXPECT(same_matrix(many, b, expected.x, 0));
  }
  Batch<double> none(2, 0, 0), empty(0, 4, 4);
  SpdAnswer<double> answer = run_spd(&kr_backend::cholesky, {}, none);
  EXPECT(answer.reports[1].status == KR_STATUS_OK && answer.reports[1].method == KR_METHOD_DIRECT);
  run_spd(&kr_backend::cholesky, {}, empty);
}

}  // namespace
}  // namespace kronroot::test
