// matmul, gram and kron_apply on the device against sums in long double, with the elementwise bounds of ops.h.
#include "test/native/cuda/product_bound.hpp"

namespace kronroot::test {
namespace {

constexpr int64_t kPadding = 3;

// (3 k + 8) ulp in f32, (k + 2) ulp in f64.
template <typename T>
double bound(int64_t k) {
  return static_cast<double>(sizeof(T) == 4 ? 3 * k + 8 : k + 2);
}

struct Shape {
  int64_t m, n, k;
};

std::string name_of(const char* op, const Shape& s, bool transpose_a, bool transpose_b, size_t bytes) {
  return std::string(op) + (bytes == 4 ? " f32 " : " f64 ") + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" +
         std::to_string(s.k) + (transpose_a ? " t" : " n") + (transpose_b ? "t" : "n");
}

template <typename T>
void check_matmul(const Shape& s, bool transpose_a, bool transpose_b, double alpha, double beta, Uniform& random) {
  const std::string name = name_of("matmul", s, transpose_a, transpose_b, sizeof(T));
  // Padding of the inputs is poison: read it, and the result is NaN.
  constexpr int64_t batch = 2;
  Batch<T> a(batch, transpose_a ? s.k : s.m, transpose_a ? s.m : s.k, nan_of<T>, kPadding);
  Batch<T> b(batch, transpose_b ? s.n : s.k, transpose_b ? s.k : s.n, nan_of<T>, 2 * kPadding);
  Batch<T> c(batch, s.m, s.n, T{-7}, kPadding);
  random.fill(a);
  random.fill(b);
  random.fill(c);
  for (int64_t i = 0; beta == 0 && i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) c(0, i, j) = nan_of<T>;
  }
  Batch<T> before = c;
  const DeviceBatch da(*&a), db(*&b), dc(*&c);
  const kr_matmul_options options{transpose_a, transpose_b, alpha, beta};
  CudaCall call;
  expect_that(cuda().matmul(call.get(), &options, &da, &db, &dc) == KR_OK, name, "code");
  dc.read();
  const ExpectedProduct<T> expected{a, b, before, s.k, transpose_a, transpose_b, alpha == 0 ? 1 : alpha, beta};
  for (int64_t index = 0; index < batch; ++index) {
    expect_that(expected.error(c, index) <= bound<T>(s.k), name, "bound");
  }
  expect_that(padding_is(c, T{-7}), name, "the padding was written");
}

template <typename T>
void check_matmul_shapes() {
  Uniform random(1);
  int turn = 0;
  for (const Shape& s : {Shape{0, 0, 0},
                         {0, 3, 2},
                         {3, 0, 2},
                         {2, 3, 0},
                         {1, 1, 1},
                         {3, 5, 7},
                         {8, 8, 8},
                         {9, 7, 33},
                         {16, 15, 17},
                         {31, 32, 33},
                         {33, 5, 40},
                         {64, 63, 65},
                         {65, 66, 20},
                         {130, 20, 31},
                         {40, 129, 130}}) {
    for (const bool transpose_a : {false, true}) {
      for (const bool transpose_b : {false, true}) {
        const bool is_general = turn++ % 2 == 1;
        check_matmul<T>(s, transpose_a, transpose_b, is_general ? -0.75 : 0, is_general ? 1.5 : 0, random);
      }
    }
  }
}

TEST("matmul: elementwise bound for every shape, transposition, alpha and beta") {
  check_matmul_shapes<float>();
  check_matmul_shapes<double>();
}

template <typename T>
void check_gram(int64_t m, int64_t n, kr_side side, double alpha, double beta, Uniform& random) {
  const bool is_left = side == KR_SIDE_LEFT;
  const std::string name = name_of("gram", {m, n, 0}, !is_left, is_left, sizeof(T));
  const int64_t order = is_left ? m : n, depth = is_left ? n : m;
  Batch<T> x(1, m, n, nan_of<T>, kPadding), c(1, order, order, T{-7}, kPadding);
  random.fill(x);
  random.fill(c);
  // Above the diagonal C is not read.
  for (int64_t i = 0; i < order; ++i) {
    for (int64_t j = i + 1; j < order; ++j) c(i, j) = nan_of<T>;
  }
  Batch<T> before = c;
  const DeviceBatch dx(*&x), dc(*&c);
  const kr_gram_options options{side, 0, alpha, beta};
  CudaCall call;
  expect_that(cuda().gram(call.get(), &options, &dx, &dc) == KR_OK, name, "code");
  dc.read();
  const ExpectedProduct<T> expected{
      x, x, before, depth, !is_left, is_left, alpha == 0 ? 1 : alpha, beta, 0, /*is_symmetric=*/true};
  expect_that(expected.error(c, 0) <= bound<T>(depth), name, "bound");
  expect_that(padding_is(c, T{-7}), name, "the padding was written");
  for (int64_t i = 0; i < order; ++i) {
    for (int64_t j = 0; j < i; ++j) expect_that(c(i, j) == c(j, i), name, "not symmetric");
  }
}

TEST("gram: elementwise bound and exactly symmetric, from the lower triangle of C") {
  Uniform random(2);
  int turn = 0;
  for (const Shape& s : {Shape{0, 0, 0}, {3, 0, 0}, {1, 1, 0}, {7, 20, 0}, {33, 32, 0}, {65, 64, 0}, {129, 17, 0}}) {
    for (const kr_side side : {KR_SIDE_LEFT, KR_SIDE_RIGHT}) {
      for (const auto& [m, n] : {std::pair{s.m, s.n}, std::pair{s.n, s.m}}) {
        const bool is_ema = turn++ % 2 == 1;
        check_gram<float>(m, n, side, is_ema ? 0.125 : 0, is_ema ? 0.9 : 0, random);
        check_gram<double>(m, n, side, is_ema ? 0.125 : 0, is_ema ? 0.9 : 0, random);
      }
    }
  }
}

template <typename T>
void take_magnitudes(Batch<T>& batch) {
  const kr_batch& shape = batch.descriptor();
  for (int64_t index = 0; index < (shape.batch_stride == 0 ? 1 : shape.batch); ++index) {
    for (int64_t i = 0; i < shape.rows; ++i) {
      for (int64_t j = 0; j < shape.cols; ++j) batch(index, i, j) = std::abs(batch(index, i, j));
    }
  }
}

template <typename T>
void check_kron_apply(int64_t m, int64_t n, bool has_a, bool has_b, bool transpose_a, bool transpose_b,
                      Uniform& random) {
  const std::string name = name_of("kron_apply", {m, n, 0}, transpose_a, transpose_b, sizeof(T));
  constexpr int64_t batch = 2;
  Batch<T> a(1, m, m, nan_of<T>, kPadding), x(batch, m, n, nan_of<T>, kPadding), b(batch, n, n, nan_of<T>, kPadding);
  Batch<T> y(batch, m, n, T{-7}, kPadding), expected(batch, m, n), sizes(batch, m, n);
  random.fill(a);
  random.fill(x);
  random.fill(b);
  a.descriptor().batch = batch;
  a.descriptor().batch_stride = 0;
  const DeviceBatch da(*&a), dx(*&x), db(*&b), dy(*&y);
  const kr_kron_apply_options options{transpose_a, transpose_b};
  CudaCall call, reference;
  expect_that(cuda().kron_apply(call.get(), &options, has_a ? &da : nullptr, &dx, has_b ? &db : nullptr, &dy) == KR_OK,
              name, "code");
  dy.read();
  const auto refer = [&](Batch<T>& result) {
    kr_reference_backend()->kron_apply(reference.get(), &options, has_a ? &a : nullptr, &x, has_b ? &b : nullptr,
                                       &result);
  };
  refer(expected);
  for (Batch<T>* each : {std::addressof(a), std::addressof(x), std::addressof(b)}) take_magnitudes(*each);
  refer(sizes);
  const double ulps = sizeof(T) == 4 ? static_cast<double>(3 * (m + n) + 16) : static_cast<double>(m + n + 4);
  for (int64_t index = 0; index < batch; ++index) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const double size = static_cast<double>(sizes(index, i, j));
        const double error = static_cast<double>(y(index, i, j)) - static_cast<double>(expected(index, i, j));
        expect_that(std::abs(error) <= ulps * ulp_of<T> * size, name, "bound");
      }
    }
  }
  expect_that(padding_is(y, T{-7}), name, "the padding was written");
}

TEST("kron_apply: elementwise bound, with the identity on either side, A shared by the batch") {
  Uniform random(3);
  for (const Shape& s : {Shape{0, 3, 0}, {1, 1, 0}, {5, 3, 0}, {16, 33, 0}, {65, 31, 0}}) {
    for (int mask = 0; mask < 16; ++mask) {
      const bool has_a = mask & 1, has_b = mask & 2, transpose_a = mask & 4, transpose_b = mask & 8;
      check_kron_apply<float>(s.m, s.n, has_a, has_b, transpose_a, transpose_b, random);
      check_kron_apply<double>(s.m, s.n, has_a, has_b, transpose_a, transpose_b, random);
    }
  }
}

template <typename T>
void check_isolation(int64_t n) {
  Uniform random(4);
  Batch<T> a(3, n, n), b(3, n, n), c(3, n, n), d(3, n, n);
  random.fill(a);
  random.fill(b);
  Batch<T> poisoned = a;
  poisoned(1, n / 2, n / 3) = nan_of<T>;
  poisoned(1, 0, n - 1) = infinity_of<T>;
  const DeviceBatch da(*&a), dp(*&poisoned), db(*&b), dc(*&c), dd(*&d);
  CudaCall call;
  EXPECT(cuda().matmul(call.get(), nullptr, &da, &db, &dc) == KR_OK);
  EXPECT(cuda().matmul(call.get(), nullptr, &dp, &db, &dd) == KR_OK);
  dc.read();
  dd.read();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      EXPECT(c(0, i, j) == d(0, i, j) && c(2, i, j) == d(2, i, j));
      // Rows of A that are finite are answered; the others are not finite.
      const bool is_touched = i == n / 2 || i == 0;
      EXPECT(is_touched ? !std::isfinite(d(1, i, j)) : d(1, i, j) == c(1, i, j));
    }
  }
}

TEST("matmul: NaN and infinity stay in their rows, and in their matrix") {
  for (const int64_t n : {8, 33, 130}) {
    check_isolation<float>(n);
    check_isolation<double>(n);
  }
}

TEST("matmul: k = 0 leaves beta C, and empty batches need no data") {
  Batch<float> a(1, 2, 0), b(1, 0, 2), c{{1, 2}, {3, 4}};
  const DeviceBatch da(*&a), db(*&b), dc(*&c);
  kr_matmul_options options{0, 0, 0, 3};
  CudaCall call;
  EXPECT(cuda().matmul(call.get(), &options, &da, &db, &dc) == KR_OK);
  dc.read();
  EXPECT(c(0, 0) == 3 && c(0, 1) == 6 && c(1, 0) == 9 && c(1, 1) == 12);
  const kr_batch none{nullptr, KR_F32, 0, 0, 5, 5, 5, 25};
  EXPECT(cuda().matmul(call.get(), nullptr, &none, &none, &none) == KR_OK);
}

TEST("matmul: refuses shapes that do not fit, and says which") {
  Batch<float> a(1, 2, 3), b(1, 4, 2), c(1, 2, 2);
  CudaCall call;
  EXPECT(cuda().matmul(call.get(), nullptr, &a, &b, &c) == KR_BAD_SHAPE);
  EXPECT_CONTAINS(call.message(), "b:");
}

TEST("products: a raised flag cancels") {
  const int32_t cancel = 1;
  Batch<float> a(1, 2, 2), c(1, 2, 2, 5.0f);
  const DeviceBatch da(*&a), dc(*&c);
  CudaCall call(&cancel);
  EXPECT(cuda().matmul(call.get(), nullptr, &da, &da, &dc) == KR_CANCELLED);
  dc.read();
  EXPECT(c(0, 0) == 5);
}

}  // namespace
}  // namespace kronroot::test
