// Products of pairs of fp16 planes against sums in long double.
#include "native/cuda/gemm/pair_product.hpp"

#include <cstring>

#include "test/native/cuda/product_bound.hpp"

namespace kronroot::test {
namespace {

using cuda::BatchView;
using cuda::Op;
using cuda::PairBatch;
using cuda::PairPrecision;
using cuda::PairProduct;

template <typename T>
BatchView<T> view(const DeviceBatch& batch) {
  return cuda::view_of<T>(*&batch);
}

void make_symmetric(Batch<float>& x) {
  const kr_batch& shape = x.descriptor();
  for (int64_t b = 0; b < shape.batch; ++b) {
    for (int64_t i = 0; i < shape.rows; ++i) {
      for (int64_t j = 0; j < i; ++j) x(b, j, i) = x(b, i, j);
    }
  }
}

// What is asked of one product.
struct Question {
  int64_t n, batch = 1;
  bool symmetric = true;
  PairPrecision precision = PairPrecision::full;
  bool d_is_planes = false;  // else f32
  double alpha = 1, beta = 0, gamma = 0;
  bool has_coefficients = false;
};

// Planes that the test can read back, what lies beyond their columns filled with zeros.
class DevicePairs {
 public:
  DevicePairs(int64_t batch, int64_t rows, int64_t cols, int exponent)
      : host_(static_cast<size_t>(batch * rows * ((cols + 7) / 8 * 8))),
        high_(host_.data(), bytes()),
        low_(host_.data(), bytes()) {
    pairs_.high = cuda::Global<cuda::Half>(static_cast<cuda::Half*>(high_.data()));
    pairs_.low = cuda::Global<cuda::Half>(static_cast<cuda::Half*>(low_.data()));
    pairs_.batch = batch;
    pairs_.rows = rows;
    pairs_.cols = cols;
    pairs_.stride = (cols + 7) / 8 * 8;
    pairs_.exponent = exponent;
  }
  const PairBatch& get() const { return pairs_; }
  void read(Batch<float>& to) {
    std::vector<cuda::Half> low = host_;
    high_.read(host_.data());
    low_.read(low.data());
    for (size_t e = 0; e < host_.size(); ++e) {
      const auto at = static_cast<int64_t>(e);
      const int64_t j = at % pairs_.stride, i = at / pairs_.stride % pairs_.rows;
      const float x = std::ldexp(cuda::to_float(host_[e]) + cuda::to_float(low[e]), -pairs_.exponent);
      if (j < pairs_.cols) {
        to(at / pairs_.matrix_stride(), i, j) = x;
      } else {
        EXPECT(x == 0);
      }
    }
  }

 private:
  int64_t bytes() const { return static_cast<int64_t>(host_.size() * sizeof(cuda::Half)); }
  std::vector<cuda::Half> host_;
  DeviceBytes high_, low_;
  PairBatch pairs_;
};

// |C - exact| <= (3 k + 16) ulp (|alpha| |A| |B| + |beta D| + |gamma| I) for C in f32; the planes of C are within 2 ulp
// of it, or 2^-25 of their unit. Of high planes alone: 2^-10 |A| |B|.
void check(const Question& q, Uniform& random) {
  const std::string where = "n = " + std::to_string(q.n) + (q.symmetric ? " symmetric" : " full");
  Batch<float> a(q.batch, q.n, q.n, nan_of<float>, 1);
  Batch<float> b = a, d = a, c = a, planes = a;
  random.fill(a);
  random.fill(b);
  random.fill(d);
  make_symmetric(b);
  std::vector<float> coefficients;
  for (int64_t index = 0; index < q.batch; ++index) {
    for (const double each : {q.alpha, q.beta, q.gamma}) coefficients.push_back(static_cast<float>(each));
  }
  std::vector<uint32_t> distances(static_cast<size_t>(q.batch));
  const DeviceBatch da(*&a), db(*&b), dd(*&d), dc(*&c);
  const DeviceBytes of_all(coefficients.data(), static_cast<int64_t>(coefficients.size() * sizeof(float)));
  const DeviceBytes away(distances.data(), static_cast<int64_t>(distances.size() * sizeof(uint32_t)));
  DevicePairs pairs(q.batch, q.n, q.n, 9);
  {
    CudaCall call;
    Op op(call.get(), "pair_product");
    PairProduct p{.a = cuda::pair_scratch(op, q.batch, q.n, q.n, 1), .b = cuda::pair_scratch(op, q.batch, q.n, q.n, 1)};
    // A itself where C is symmetric.
    cuda::split(op, view<const float>(q.symmetric ? db : da), p.a);
    cuda::split(op, view<const float>(db), p.b);
    if (q.d_is_planes) {
      p.d = cuda::pair_scratch(op, q.batch, q.n, q.n, 1);
      cuda::split(op, view<const float>(dd), p.d);
    } else {
      p.d_matrix = view<const float>(dd);
    }
    if (q.has_coefficients) {
      p.coefficients = static_cast<const float*>(of_all.data());
    } else {
      p.alpha = q.alpha, p.beta = q.beta, p.gamma = q.gamma;
    }
    p.symmetric = q.symmetric;
    p.precision = q.precision;
    p.c = pairs.get();
    p.c_matrix = view<float>(dc);
    p.distance = static_cast<uint32_t*>(away.data());
    cuda::multiply_pairs(op, p);
    expect_that(op.finish() == KR_OK, where, "code");
  }
  dc.read();
  pairs.read(planes);
  away.read(distances.data());
  const ExpectedProduct<float> expected{q.symmetric ? b : a, b, d, q.n, false, false, q.alpha, q.beta, q.gamma,
                                        q.symmetric};
  const double ulps = q.precision == PairPrecision::full ? static_cast<double>(3 * q.n + 16) : std::ldexp(1, 23 - 10);
  for (int64_t index = 0; index < q.batch; ++index) {
    expect_that(expected.error(c, index) <= ulps, where, "bound");
    float largest = 0;
    for (int64_t i = 0; i < q.n; ++i) {
      for (int64_t j = 0; j < q.n; ++j) {
        const float x = c(index, i, j);
        largest = std::max(largest, std::abs(i == j ? x - 1 : x));
        expect_that(std::abs(planes(index, i, j) - x) <= std::abs(x) * 0x1p-22f + 0x1p-34f, where, "planes");
        expect_that(!q.symmetric || x == c(index, j, i), where, "symmetric");
      }
    }
    float distance = 0;
    std::memcpy(&distance, &distances[static_cast<size_t>(index)], sizeof distance);
    expect_that(distance == largest, where, "distance");
  }
}

TEST("multiply_pairs: elementwise bound, planes and distance, around the edges of tiles") {
  Uniform random(1);
  for (const int64_t n : {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129}) {
    check({.n = n, .alpha = 0.5, .beta = -0.25, .gamma = 2}, random);
    check({.n = n, .symmetric = false}, random);
  }
  check({.n = 70, .batch = 3, .d_is_planes = true, .alpha = 2, .beta = 0.5}, random);
  check({.n = 70, .batch = 3, .symmetric = false, .d_is_planes = true, .alpha = 2, .beta = 0.5}, random);
  check({.n = 40, .batch = 2, .precision = PairPrecision::high_planes, .beta = 1}, random);
  check({.n = 40, .batch = 2, .alpha = 3, .beta = 1, .gamma = -1, .has_coefficients = true}, random);
  check({.n = 260, .alpha = 0.125, .beta = 1}, random);
}

TEST("multiply_pairs: matrices that are skipped stay, and NaN is the largest distance") {
  constexpr int64_t n = 20;
  Uniform random(2);
  Batch<float> a(3, n, n), c(3, n, n, 7.0f);
  random.fill(a);
  make_symmetric(a);
  a(2, 3, 4) = nan_of<float>;
  const std::vector<int32_t> skips = {1, 0, 0};
  std::vector<uint32_t> distances(3);
  const DeviceBatch da(*&a), dc(*&c);
  const DeviceBytes skip(skips.data(), 12), away(distances.data(), 12);
  {
    CudaCall call;
    Op op(call.get(), "pair_product");
    const PairBatch pairs = cuda::pair_scratch(op, 3, n, n, 1);
    cuda::split(op, view<const float>(da), pairs);
    cuda::multiply_pairs(op, {.a = pairs,
                              .b = pairs,
                              .c_matrix = view<float>(dc),
                              .distance = static_cast<uint32_t*>(away.data()),
                              .skip = static_cast<const int32_t*>(skip.data())});
    EXPECT(op.finish() == KR_OK);
  }
  dc.read();
  away.read(distances.data());
  EXPECT(c(0, 0, 0) == 7 && c(0, n - 1, n - 1) == 7 && c(1, 0, 0) != 7);
  EXPECT(distances[0] == 0 && distances[1] > 0 && distances[1] < 0x7f800000 && distances[2] > 0x7f800000);
}

// The emulated device has 4 multiprocessors: one matrix is cut into small tiles, two into large ones.
void small_tiles_have_bits_of_large_ones(cuda::PairPrecision precision) {
  constexpr int64_t n = 200;
  Uniform random(4);
  Batch<float> a(2, n, n), alone(1, n, n), together(2, n, n);
  random.fill(a);
  make_symmetric(a);
  const DeviceBatch da(*&a), dalone(*&alone), dtogether(*&together);
  for (const DeviceBatch* c : {std::addressof(dalone), std::addressof(dtogether)}) {
    CudaCall call;
    Op op(call.get(), "pair_product");
    const BatchView<float> to = view<float>(*c);
    BatchView<const float> from = view<const float>(da);
    from.batch = to.batch;
    const PairBatch pairs = cuda::pair_scratch(op, to.batch, n, n, 1, precision);
    cuda::split(op, from, pairs);
    cuda::multiply_pairs(op, {.a = pairs, .b = pairs, .precision = precision, .c_matrix = to});
    EXPECT(op.finish() == KR_OK);
  }
  dalone.read();
  dtogether.read();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) EXPECT(alone(i, j) == together(i, j));
  }
}

TEST("multiply_pairs: the same bits alone and in a batch, from small tiles and large ones") {
  small_tiles_have_bits_of_large_ones(cuda::PairPrecision::full);
  small_tiles_have_bits_of_large_ones(cuda::PairPrecision::high_planes);
}

TEST("split: any scale through the factor of each matrix") {
  constexpr int64_t n = 5;
  Batch<float> a(2, n, n), back(2, n, n);
  Uniform random(3);
  random.fill(a);
  for (int64_t i = 0; i < n * n; ++i) a(0, i / n, i % n) *= 1e30f, a(1, i / n, i % n) *= 1e-30f;
  const std::vector<float> factors = {1e-30f, 1e30f};
  const DeviceBatch da(*&a);
  const DeviceBytes df(factors.data(), 8);
  DevicePairs pairs(2, n, n, 14);
  {
    CudaCall call;
    Op op(call.get(), "pair_product");
    cuda::split(op, view<const float>(da), pairs.get(), static_cast<const float*>(df.data()));
    EXPECT(op.finish() == KR_OK);
  }
  pairs.read(back);
  for (int64_t b = 0; b < 2; ++b) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) EXPECT_NEAR(back(b, i, j), a(b, i, j) * factors[static_cast<size_t>(b)], 0x1p-22);
    }
  }
}

// C = A B^T of rectangles, and its transpose; split leaves A^T too.
TEST("multiply_pairs: rectangles, transposed as well") {
  Uniform random(31);
  for (const PairPrecision precision : {PairPrecision::full, PairPrecision::high_planes}) {
    for (const auto& [m, k, n] : {std::array{5, 3, 9}, std::array{64, 40, 65}, std::array{33, 130, 70}}) {
      Batch<float> a(2, m, k), b(2, n, k), c(2, m, n), transposed(2, n, m), of_a(2, k, m);
      random.fill(a);
      random.fill(b);
      const DeviceBatch da(*&a), db(*&b), dc(*&c);
      DevicePairs to(2, m, n, 7), to_transposed(2, n, m, 7), a_transposed(2, k, m, 13);
      {
        CudaCall call;
        Op op(call.get(), "pair_product");
        PairProduct p{.a = cuda::pair_scratch(op, 2, m, k, 1, precision),
                      .b = cuda::pair_scratch(op, 2, n, k, 1, precision),
                      .alpha = 0.5,
                      .precision = precision,
                      .symmetric = false,
                      .c = to.get(),
                      .c_matrix = view<float>(dc),
                      .c_transposed = to_transposed.get()};
        cuda::split(op, view<const float>(da), p.a, nullptr, nullptr, a_transposed.get());
        cuda::split(op, view<const float>(db), p.b);
        cuda::multiply_pairs(op, p);
        EXPECT(op.finish() == KR_OK);
      }
      dc.read();
      Batch<float> planes(2, m, n);
      to.read(planes);
      to_transposed.read(transposed);
      a_transposed.read(of_a);
      const double ulps = precision == PairPrecision::full ? 3 * k + 16 : std::ldexp(1, 23 - 10);
      for (int64_t index = 0; index < 2; ++index) {
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t l = 0; l < k; ++l) EXPECT_NEAR(of_a(index, l, i), a(index, i, l), 0x1p-22);
          for (int64_t j = 0; j < n; ++j) {
            double exact = 0, size = 0;
            for (int64_t l = 0; l < k; ++l) {
              const double each = 0.5 * static_cast<double>(a(index, i, l)) * static_cast<double>(b(index, j, l));
              exact += each;
              size += std::abs(each);
            }
            EXPECT_NEAR(c(index, i, j), exact, ulps * 0x1p-23 * size);
            EXPECT_NEAR(planes(index, i, j), c(index, i, j), 0x1p-22 * std::abs(c(index, i, j)) + 0x1p-32);
            EXPECT(transposed(index, j, i) == planes(index, i, j));
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace kronroot::test
