// Every kernel of multiply by name: sizes around the edges of its tiles, all transpositions, alpha, beta, gamma.
#include "native/cuda/gemm/product_kernels.hpp"

#include "test/native/cuda/product_bound.hpp"

namespace kronroot::test {
namespace {

using cuda::Op;
using cuda::Product;
using cuda::ProductKernel;

struct Shape {
  int64_t m, n, k;
};

// What is asked of one kernel.
struct Question {
  Shape shape;
  bool transpose_a = false, transpose_b = false;
  bool is_symmetric = false;  // B is A then
  double alpha = 1, beta = 0, gamma = 0;
  int64_t batch = 1;
  int64_t padding = 0;
};

template <typename T>
struct Problem {
  Problem(const Question& q, Uniform& random)
      : question(q),
        a(q.batch, q.transpose_a ? q.shape.k : q.shape.m, q.transpose_a ? q.shape.m : q.shape.k, nan_of<T>, q.padding),
        b(q.batch, q.transpose_b ? q.shape.n : q.shape.k, q.transpose_b ? q.shape.k : q.shape.n, nan_of<T>, q.padding),
        before(q.batch, q.shape.m, q.shape.n, T{-7}, q.padding) {
    random.fill(a);
    random.fill(before);
    for (int64_t index = 0; index < q.batch; ++index) {
      for (int64_t i = 0; i < b.rows(); ++i) {
        for (int64_t j = 0; j < b.cols(); ++j) {
          b(index, i, j) = q.is_symmetric ? a(index, i, j) : static_cast<T>(random.next());
        }
      }
    }
  }

  // C as the kernel makes it.
  Batch<T> answer(ProductKernel kernel) const {
    Batch<T> c(before);
    const DeviceBatch da(*&a), db(*&b), dc(*&c);
    {
      CudaCall call;
      Op op(call.get(), "product");
      cuda::multiply_with(kernel, op,
                          Product<T>{.a = cuda::view_of<const T>(*&da),
                                     .b = cuda::view_of<const T>(*&db),
                                     .c = cuda::view_of<T>(*&dc),
                                     .transpose_a = question.transpose_a,
                                     .transpose_b = question.transpose_b,
                                     .alpha = question.alpha,
                                     .beta = question.beta,
                                     .gamma = question.gamma,
                                     .symmetric = question.is_symmetric});
      EXPECT(op.finish() == KR_OK);
    }
    dc.read();
    return c;
  }

  Question question;
  Batch<T> a, b, before;
};

// (k + 2) ulp, on the matrix unit in f32 (3 k + 8) ulp.
template <typename T>
double bound(ProductKernel kernel, int64_t k) {
  const bool is_split = sizeof(T) == 4 && (kernel == ProductKernel::tile_64 || kernel == ProductKernel::tile_128);
  return static_cast<double>(is_split ? 3 * k + 8 : k + 2);
}

template <typename T>
void check(ProductKernel kernel, const Question& q, Problem<T>& problem) {
  const std::string where = "kernel " + std::to_string(static_cast<int>(kernel)) + " " + std::to_string(q.shape.m) +
                            "x" + std::to_string(q.shape.n) + "x" + std::to_string(q.shape.k) +
                            (q.transpose_a ? " t" : " n") + (q.transpose_b ? "t" : "n") +
                            (sizeof(T) == 4 ? " f32" : " f64");
  Batch<T> c = problem.answer(kernel);
  const ExpectedProduct<T> expected{problem.a,     problem.b, problem.before, q.shape.k, q.transpose_a,
                                    q.transpose_b, q.alpha,   q.beta,         q.gamma,   q.is_symmetric};
  for (int64_t index = 0; index < q.batch; ++index) {
    expect_that(expected.error(c, index) <= bound<T>(kernel, q.shape.k), where, "bound");
    for (int64_t i = 0; q.is_symmetric && i < q.shape.m; ++i) {
      for (int64_t j = 0; j < i; ++j) expect_that(c(index, i, j) == c(index, j, i), where, "symmetric");
    }
  }
  expect_that(padding_is(c, T{-7}), where, "the padding was written");
}

template <typename T>
void check(ProductKernel kernel, const Question& q, Uniform& random) {
  Problem<T> problem(q, random);
  check(kernel, q, problem);
}

// Shape number `turn` with the transpositions in turn; every other one general, every third one in pieces of 16 bytes.
Question question_of(const Shape& shape, int turn) {
  Question q{.shape = shape, .transpose_a = turn % 2 == 1, .transpose_b = turn / 2 % 2 == 1};
  q.padding = turn % 3;
  if (turn / 4 % 2 == 1) q.alpha = -0.75, q.beta = 1.5, q.gamma = 0.5;
  return q;
}

TEST("multiply in warps: every size up to the order, any depth, several matrices") {
  Uniform random(1);
  int turn = 0;
  const auto check_order = [&](ProductKernel kernel, int64_t order) {
    for (const int64_t s : {int64_t{1}, order / 2 + 1, order - 1, order}) {
      for (const Shape& shape : {Shape{s, order, 5}, {order, s, order + 1}, {s, s, 3 * order - 1}, {s, 2, 0}}) {
        Question q = question_of(shape, turn++);
        q.batch = 3;
        check<float>(kernel, q, random);
        check<double>(kernel, q, random);
      }
    }
    for (const bool is_left : {false, true}) {
      Question q{.shape = {order - 1, order - 1, 20}, .transpose_a = !is_left, .transpose_b = is_left};
      q.is_symmetric = true;
      q.beta = 0.5;
      q.batch = 40;
      check<float>(kernel, q, random);
      check<double>(kernel, q, random);
    }
  };
  check_order(ProductKernel::warp_8, 8);
  check_order(ProductKernel::warp_16, 16);
  check_order(ProductKernel::warp_32, 32);
}

template <typename T>
void check_tiles(ProductKernel kernel, std::initializer_list<int64_t> sizes) {
  Uniform random(2);
  int turn = 0;
  for (const int64_t s : sizes) {
    for (const Shape& shape : {Shape{s, 20, 9}, {12, s, 17}, {24, 16, s}}) {
      check<T>(kernel, question_of(shape, turn++), random);
    }
    Question q{.shape = {s, s, 24}, .transpose_a = turn % 2 == 0, .transpose_b = turn % 2 != 0};
    q.is_symmetric = true;
    q.beta = q.gamma = 0.5;
    check<T>(kernel, q, random);
  }
}

TEST("multiply in tiles: sizes around the edges of tiles and fragments") {
  const std::initializer_list<int64_t> sizes = {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129};
  check_tiles<float>(ProductKernel::tile_64, sizes);
  check_tiles<double>(ProductKernel::tile_64, sizes);
  check_tiles<float>(ProductKernel::tile_128, {1, 31, 65, 127, 128, 129});
  check_tiles<double>(ProductKernel::tile_128, {1, 31, 65, 127, 128, 129});
}

template <typename T>
void check_layouts() {
  Uniform random(3);
  for (int turn = 0; turn < 8; ++turn) {
    Question q{.shape = {68, 36, 40}, .transpose_a = turn % 2 == 1, .transpose_b = turn / 2 % 2 == 1, .batch = 2};
    q.padding = turn / 4;  // none: pieces of 16 bytes
    check<T>(ProductKernel::tile_64, q, random);
    if (turn < 4) check<T>(ProductKernel::tile_128, q, random);
  }
}

TEST("multiply in tiles: all transpositions, in pieces of 16 bytes and by elements") {
  check_layouts<float>();
  check_layouts<double>();
}

template <typename T>
void check_same_bits() {
  Uniform random(4);
  for (const Question& q :
       {Question{.shape = {70, 45, 300}}, {.shape = {65, 65, 130}, .transpose_b = true, .is_symmetric = true}}) {
    const Problem<T> problem(q, random);
    EXPECT(problem.answer(ProductKernel::tile_64).data() == problem.answer(ProductKernel::tile_128).data());
  }
}

TEST("multiply in tiles: the same bits from tiles of 64 and 128") {
  check_same_bits<float>();
  check_same_bits<double>();
}

// Elementwise: rows of A and columns of B over 60 orders of magnitude.
template <typename T>
void check_graded() {
  Uniform random(5);
  const Question q{.shape = {40, 40, 50}};
  Problem<T> problem(q, random);
  for (int64_t i = 0; i < 40; ++i) {
    const T factor = static_cast<T>(std::pow(10.0, 1.5 * static_cast<double>(i - 20)));
    for (int64_t k = 0; k < 50; ++k) {
      problem.a(i, k) *= factor;
      problem.b(k, 39 - i) *= factor;
    }
  }
  // Results beyond the range of f32 are left out: rows and columns run against each other.
  for (int64_t i = 0; i < 40; ++i) {
    for (int64_t k = 0; k < 50; ++k) problem.a(i, k) *= T{1e-4}, problem.b(k, i) *= T{1e-4};
  }
  Batch<T> c = problem.answer(ProductKernel::tile_64);
  for (int64_t i = 0; i < 40; ++i) {
    for (int64_t j = 0; j < 40; ++j) {
      long double sum = 0, size = 0;
      for (int64_t k = 0; k < 50; ++k) {
        const long double term = static_cast<long double>(problem.a(i, k)) * problem.b(k, j);
        sum += term;
        size += std::abs(term);
      }
      if (size > 1e38L || size < 1e-30L) continue;
      const double error = static_cast<double>(std::abs(c(i, j) - sum) / (size * ulp_of<T>));
      EXPECT(error <= bound<T>(ProductKernel::tile_64, 50));
    }
  }
}

TEST("multiply in tiles: the elementwise bound for graded rows and columns") {
  check_graded<float>();
  check_graded<double>();
}

TEST("multiply in tiles: parts below 2^-126 may be lost, no more") {
  Uniform random(6);
  constexpr int64_t k = 20;
  const Question q{.shape = {30, 30, k}};
  Problem<float> problem(q, random);
  for (int64_t i = 0; i < 30; ++i) {
    for (int64_t l = 0; l < k; ++l) problem.a(i, l) *= 0x1p-130f, problem.b(l, i) *= 0x1p20f;
  }
  Batch<float> c = problem.answer(ProductKernel::tile_64);
  for (int64_t i = 0; i < 30; ++i) {
    for (int64_t j = 0; j < 30; ++j) {
      double sum = 0, lost = 0;
      for (int64_t l = 0; l < k; ++l) {
        sum += static_cast<double>(problem.a(i, l)) * static_cast<double>(problem.b(l, j));
        lost += 0x1p-126 * std::abs(static_cast<double>(problem.b(l, j)));
      }
      EXPECT_NEAR(c(i, j), sum, lost);
    }
  }
}

TEST("choose_kernel: by shape, and by the number of tiles where the bits are the same") {
  const auto choice = [](int64_t m, int64_t n, int64_t k, int64_t batch) {
    const Product<float> product{.a = cuda::dense_view<const float>(nullptr, batch, m, k),
                                 .b = cuda::dense_view<const float>(nullptr, batch, k, n),
                                 .c = cuda::dense_view<float>(nullptr, batch, m, n)};
    return cuda::choose_kernel(product, 132);
  };
  EXPECT(choice(8, 3, 20, 1) == ProductKernel::warp_8 && choice(8, 9, 20, 1000) == ProductKernel::warp_16);
  EXPECT(choice(17, 32, 128, 1) == ProductKernel::warp_32 && choice(17, 32, 129, 1) == ProductKernel::tile_64);
  EXPECT(choice(33, 2, 2, 100000) == ProductKernel::tile_64);
  EXPECT(choice(512, 512, 512, 1) == ProductKernel::tile_64 && choice(512, 512, 512, 20) == ProductKernel::tile_128);
}

}  // namespace
}  // namespace kronroot::test
