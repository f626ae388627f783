// eigh of orders up to 32, a warp or a part of it for each matrix, and what ops.h says of bad matrices of any order.
#include "test/native/cuda/eigen_answer.hpp"

namespace kronroot::test {
namespace {

template <typename T>
void bounds_of_small_orders() {
  double worst = 0;
  for (const int64_t n : {0, 1, 2, 3, 5, 8, 11, 16}) worst = std::max(worst, check_eigh<T>(n, lapack_types<T>(n)));
  for (const int64_t n : {17, 32}) {
    std::vector<Symmetric> matrices;
    for (const int type : {1, 2, 5, 9, 10, 13, 15, 21}) matrices.push_back(lapack_type(type, n, precision_of<T>));
    worst = std::max(worst, check_eigh<T>(n, matrices));
  }
  std::printf("largest ratio %.2f\n", worst);
}

TEST("eigh: bounds, order and signs of small orders, f32") { bounds_of_small_orders<float>(); }
TEST("eigh: bounds, order and signs of small orders, f64") { bounds_of_small_orders<double>(); }

template <typename T>
void inputs_that_broke_others() {
  double worst = 0;
  for (const Symmetric& matrix : known_killers(precision_of<T>, std::numeric_limits<T>::max())) {
    if (matrix.n <= 33) worst = std::max(worst, check_eigh<T>(matrix.n, {matrix}));
  }
  std::printf("largest ratio %.2f over known killers\n", worst);
}

TEST("eigh: inputs that broke other libraries, f32") { inputs_that_broke_others<float>(); }
TEST("eigh: inputs that broke other libraries, f64") { inputs_that_broke_others<double>(); }

// A batch with bad matrices, of which the others have the bits of a batch without, and of calls of their own.
template <typename T>
void bad_matrices_are_alone(int64_t n) {
  const std::string where = "n = " + std::to_string(n);
  std::vector<Symmetric> matrices;
  for (int64_t b = 0; b < 6; ++b) matrices.push_back(lapack_type(13, n, precision_of<T>));
  for (int64_t b = 0; b < 6; ++b) matrices[static_cast<size_t>(b)].data[0] += static_cast<double>(b);
  Batch<T> a = batch_of<T>(n, matrices);
  EighAnswer<T> clean = cuda_eigh(a);
  a(1, n - 1, 0) = nan_of<T>;
  a(2, 0, 0) = infinity_of<T>;
  a(3, 1, 0) += 1;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) a(4, i, j) = std::numeric_limits<T>::max();
  }
  EighAnswer<T> found = cuda_eigh(a);
  const int32_t expected[] = {
      KR_STATUS_OK, KR_STATUS_NON_FINITE_INPUT, KR_STATUS_NON_FINITE_INPUT, KR_STATUS_NOT_SYMMETRIC, KR_STATUS_OVERFLOW,
      KR_STATUS_OK};
  for (int64_t b = 0; b < 6; ++b) {
    const kr_report& report = found.reports[static_cast<size_t>(b)];
    expect_that(report.status == expected[b], where, "status of matrix " + std::to_string(b), report.status);
    const bool is_bad = report.status != KR_STATUS_OK;
    expect_that(!is_bad || report.rung == KR_RUNG_NONE, where, "rung of a bad matrix");
    for (int64_t i = 0; i < n; ++i) {
      expect_that(found.values(b, i, 0) == (is_bad ? untouched<T> : clean.values(b, i, 0)), where, "values");
      for (int64_t j = 0; j < n; ++j) {
        expect_that(found.vectors(b, i, j) == (is_bad ? untouched<T> : clean.vectors(b, i, j)), where, "vectors");
      }
    }
  }
  Batch<T> alone = batch_of<T>(n, {matrices[5]});
  EighAnswer<T> by_itself = cuda_eigh(alone);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) expect_that(by_itself.vectors(0, i, j) == clean.vectors(5, i, j), where, "alone");
  }
}

TEST("eigh: a bad matrix is named, its outputs are left alone, and so are its neighbours") {
  for (const int64_t n : {3, 7, 12, 20, 35}) {
    bad_matrices_are_alone<float>(n);
    bad_matrices_are_alone<double>(n);
  }
}

// One matrix read for the whole batch, no reports, slight asymmetry averaged.
TEST("eigh: broadcast input, no reports, asymmetry below the limit") {
  for (const int64_t n : {2, 34}) {
    Batch<float> a(1, n, n), values(3, n, 1, 9), vectors(3, n, n, 9);
    for (int64_t i = 0; i < n; ++i) a(i, i) = static_cast<float>(i);
    a(1, 0) = 1.5e-4F;  // of the largest element n - 1, less than sqrt(ulp)
    kr_batch input = a.descriptor();
    const DeviceBatch device(input), w(values.descriptor()), v(vectors.descriptor());
    kr_batch broadcast = *(&device);
    broadcast.batch = 3;
    broadcast.batch_stride = 0;
    CudaCall call;
    EXPECT(cuda().eigh(call.get(), nullptr, &broadcast, &w, &v, nullptr) == KR_OK);
    w.read();
    v.read();
    for (int64_t b = 0; b < 3; ++b) {
      EXPECT_NEAR(values(b, n - 1, 0), static_cast<double>(n - 1), 1e-5);
      EXPECT_NEAR(vectors(b, 0, 1), 7.5e-5, 2e-6);
    }
  }
  Batch<float> none(0, 5, 5), values(0, 5, 1);
  CudaCall call;
  EXPECT(cuda().eigh(call.get(), nullptr, &none, &values, nullptr, nullptr) == KR_OK);
}

}  // namespace
}  // namespace kronroot::test
