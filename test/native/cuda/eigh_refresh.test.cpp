// The refresh of eigh on the device against ops.h and the reference.
#include "test/native/cuda/eigen_answer.hpp"

namespace kronroot::test {
namespace {

// The spectrum 1 .. 0.1, geometric, in a random basis, plus `change` times a symmetric matrix of order 1.
Symmetric changed(int64_t n, double change) {
  Symmetric a = spectral("geometric", spectrum(1, n, 0.1));
  Random random(static_cast<uint64_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) a(i, j) = a(j, i) = a(i, j) + change * random.uniform() / std::sqrt(n);
  }
  return a;
}

template <typename T>
bool same_bits(Batch<T>& x, int64_t bx, Batch<T>& y, int64_t by) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.cols(); ++j) {
      if (std::memcmp(&x(bx, i, j), &y(by, i, j), sizeof(T)) != 0) return false;
    }
  }
  return true;
}

// One call whose matrices take every way: the basis stays, the matrix moved, it moved too far, there is no basis, the
// matrix is bad.
template <typename T>
void every_way(int64_t n, kr_refresh kind) {
  const std::string where = "n = " + std::to_string(n) + (kind == KR_REFRESH_ITERATE ? " iterate" : " decompose");
  const Symmetric before = changed(n, 0), near = changed(n, 1e-4), far = changed(n, 1e-1);
  Batch<T> old = batch_of<T>(n, {before, before, before, before, before});
  Batch<T> now = batch_of<T>(n, {before, near, far, before, before});
  now(4, 0, n - 1) = nan_of<T>;
  EighAnswer<T> start = cuda_eigh(old), fresh = cuda_eigh(now);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) start.vectors(3, i, j) = 0;
  }
  const kr_eigh_options options{kind, 0, 1e-2};
  EighAnswer<T> found = cuda_eigh(now, true, &options, std::addressof(start.vectors));
  Batch<T> expected_values = found.values, expected_vectors = start.vectors;
  std::vector<kr_report> expected(5);
  Call call;
  EXPECT(kr_reference_backend()->eigh(call.get(), &options, &now, &expected_values, &expected_vectors,
                                      expected.data()) == KR_OK);
  for (int64_t b = 0; b < 5; ++b) {
    const std::string which = where + " matrix " + std::to_string(b);
    const kr_report& report = found.reports[static_cast<size_t>(b)];
    const kr_report& wanted = expected[static_cast<size_t>(b)];
    expect_that(report.status == wanted.status, which, "status", report.status);
    if (b == 4) {
      expect_that(same_bits(found.vectors, b, start.vectors, b), which, "the basis of a bad matrix is left alone");
      expect_that(found.values(b, 0, 0) == untouched<T>, which, "the values of a bad matrix are left alone");
      continue;
    }
    const bool is_decomposed = wanted.method == KR_METHOD_EIGH;
    expect_that(report.method == (is_decomposed ? fresh.reports[static_cast<size_t>(b)].method : wanted.method), which,
                "method", report.method);
    expect_that(has_positive_peaks(found.vectors, b), which, "signs");
    expect_that(ratios_of(now, found, b).orthogonality < 10, which, "orthogonality");
    for (int64_t j = 0; j < n; ++j) {
      const double difference = std::abs(static_cast<double>(found.values(b, j, 0)) - expected_values(b, j, 0));
      expect_that(difference <= 20 * static_cast<double>(n) * ulp_of_type<T>, which, "value", difference);
    }
    if (is_decomposed) {
      expect_that(same_bits(found.vectors, b, fresh.vectors, b), which, "bits of a decomposition");
      expect_that(same_bits(found.values, b, fresh.values, b), which, "bits of a decomposition's values");
    } else {
      expect_that(report.iterations == wanted.iterations, which, "iterations", report.iterations);
      expect_that(std::abs(report.residual - wanted.residual) <=
                      1e-2 * wanted.residual + 10 * static_cast<double>(n) * ulp_of_type<T>,
                  which, "residual", report.residual / wanted.residual);
    }
  }
  expect_that(same_bits(found.vectors, 0, start.vectors, 0), where, "bits of a basis that stays");
}

TEST("eigh refresh: every matrix of a batch takes its own way, f32") {
  for (const int64_t n : {2, 9, 66}) {
    every_way<float>(n, KR_REFRESH_DECOMPOSE);
    every_way<float>(n, KR_REFRESH_ITERATE);
  }
}
TEST("eigh refresh: every matrix of a batch takes its own way, f64") {
  for (const int64_t n : {5, 40}) {
    every_way<double>(n, KR_REFRESH_DECOMPOSE);
    every_way<double>(n, KR_REFRESH_ITERATE);
  }
}

}  // namespace
}  // namespace kronroot::test
