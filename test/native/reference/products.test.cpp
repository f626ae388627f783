// matmul, gram and kron_apply of the reference on matrices multiplied by hand.
#include "../batch.hpp"
#include "../expect.hpp"

using namespace kronroot;
using kronroot::test::Batch;
using kronroot::test::Call;
using kronroot::test::nan_of;

namespace {

const kr_backend& reference = *kr_reference_backend();

template <typename T>
void expect_equal(int line, Batch<T>& x, Batch<T> expected) {
  for (int64_t i = 0; i < expected.rows(); ++i) {
    for (int64_t j = 0; j < expected.cols(); ++j)
      test::expect_near(x(i, j), expected(i, j), 0, "element", __FILE__, line);
  }
}
#define EXPECT_EQUAL(x, ...) expect_equal(__LINE__, x, __VA_ARGS__)

template <typename T>
void matmul_by_hand() {
  Call call;
  Batch<T> a{{1, 2, 3}, {4, 5, 6}}, b{{7, 8}, {9, 10}, {11, 12}}, c(1, 2, 2, nan_of<T>);
  EXPECT(reference.matmul(call.get(), nullptr, &a, &b, &c) == KR_OK);  // beta = 0 does not read the NaN
  EXPECT_EQUAL(c, {{58, 64}, {139, 154}});

  const kr_matmul_options update{0, 0, 2, -1};
  EXPECT(reference.matmul(call.get(), &update, &a, &b, &c) == KR_OK);
  EXPECT_EQUAL(c, {{58, 64}, {139, 154}});  // 2 C - C

  const kr_matmul_options transposed{1, 1, 0, 0};
  Batch<T> d(1, 3, 3);
  EXPECT(reference.matmul(call.get(), &transposed, &a, &b, &d) == KR_OK);  // A^T B^T = (B A)^T
  EXPECT_EQUAL(d, {{39, 49, 59}, {54, 68, 82}, {69, 87, 105}});
}

template <typename T>
void gram_by_hand() {
  Call call;
  Batch<T> x{{1, 2, 3}, {4, 5, 6}}, left(1, 2, 2, nan_of<T>), right(1, 3, 3);
  EXPECT(reference.gram(call.get(), nullptr, &x, &left) == KR_OK);
  EXPECT_EQUAL(left, {{14, 32}, {32, 77}});
  const kr_gram_options other{KR_SIDE_RIGHT, 0, 2, 0};
  EXPECT(reference.gram(call.get(), &other, &x, &right) == KR_OK);
  EXPECT_EQUAL(right, {{34, 44, 54}, {44, 58, 72}, {54, 72, 90}});
  Batch<T> lower{{1, nan_of<T>}, {2, 3}};  // only the lower triangle of C is read
  const kr_gram_options update{KR_SIDE_LEFT, 0, 0.5, 10};
  EXPECT(reference.gram(call.get(), &update, &x, &lower) == KR_OK);
  EXPECT_EQUAL(lower, {{17, 36}, {36, 68.5}});
}

template <typename T>
void kron_apply_by_hand() {
  Call call;
  Batch<T> a{{1, 2}, {3, 4}}, b{{0, 1, 0}, {0, 0, 1}, {2, 0, 0}}, x{{1, 2, 3}, {4, 5, 6}}, y(1, 2, 3);
  EXPECT(reference.kron_apply(call.get(), nullptr, &a, &x, &b, &y) == KR_OK);
  EXPECT_EQUAL(y, {{30, 9, 12}, {66, 19, 26}});
  const kr_kron_apply_options transposed{1, 1};
  EXPECT(reference.kron_apply(call.get(), &transposed, &a, &x, &b, &y) == KR_OK);
  EXPECT_EQUAL(y, {{17, 21, 26}, {24, 30, 36}});
  EXPECT(reference.kron_apply(call.get(), nullptr, nullptr, &x, &b, &y) == KR_OK);
  EXPECT_EQUAL(y, {{6, 1, 2}, {12, 4, 5}});
  EXPECT(reference.kron_apply(call.get(), nullptr, &a, &x, nullptr, &y) == KR_OK);
  EXPECT_EQUAL(y, {{9, 12, 15}, {19, 26, 33}});
  EXPECT(reference.kron_apply(call.get(), nullptr, nullptr, &x, nullptr, &y) == KR_OK);
  EXPECT_EQUAL(y, {{1, 2, 3}, {4, 5, 6}});
}

}  // namespace

TEST("matmul: by hand") {
  matmul_by_hand<float>();
  matmul_by_hand<double>();
}

TEST("gram: by hand") {
  gram_by_hand<float>();
  gram_by_hand<double>();
}

TEST("kron_apply: by hand, with identities") {
  kron_apply_by_hand<float>();
  kron_apply_by_hand<double>();
}

TEST("matmul: an inner dimension of 0 leaves beta C") {
  Call call;
  const kr_batch a{nullptr, KR_F64, 0, 1, 1, 0, 0, 0}, b{nullptr, KR_F64, 0, 1, 0, 2, 2, 0};
  Batch<double> c{{3, 4}};
  const kr_matmul_options keep{0, 0, 0, 0.5};
  EXPECT(reference.matmul(call.get(), &keep, &a, &b, &c) == KR_OK);
  EXPECT_EQUAL(c, {{1.5, 2}});
  EXPECT(reference.matmul(call.get(), nullptr, &a, &b, &c) == KR_OK);
  EXPECT_EQUAL(c, {{0, 0}});
}

TEST("matmul: padded rows, broadcast input, NaN stays in its matrix") {
  Call call;
  Batch<float> a(3, 2, 2, -1, 3), b(1, 2, 2), c(3, 2, 2, -7, 1);
  for (int64_t k = 0; k < 3; ++k) {
    a(k, 0, 0) = static_cast<float>(k), a(k, 0, 1) = 1, a(k, 1, 0) = 2, a(k, 1, 1) = 3;
  }
  a(1, 0, 0) = nan_of<float>;
  b(0, 0) = 1, b(1, 1) = 2;
  b.descriptor().batch = 3;
  b.descriptor().batch_stride = 0;
  EXPECT(reference.matmul(call.get(), nullptr, &a, &b, &c) == KR_OK);
  EXPECT(c(0, 0, 0) == 0 && c(0, 0, 1) == 2 && c(0, 1, 0) == 2 && c(0, 1, 1) == 6);
  EXPECT(std::isnan(c(1, 0, 0)) && c(1, 1, 1) == 6);
  EXPECT(c(2, 0, 0) == 2 && c(2, 0, 1) == 2 && c(2, 1, 0) == 2 && c(2, 1, 1) == 6);
  EXPECT(c(0, 0, 2) == -7 && c(2, 1, 2) == -7);  // the padding
}

TEST("refused calls leave the output alone") {
  Call call;
  Batch<float> a(1, 2, 3, 1), b(1, 2, 3, 1), c(1, 2, 3, 42);
  EXPECT(reference.matmul(call.get(), nullptr, &a, &b, &c) == KR_BAD_SHAPE);
  EXPECT(reference.gram(call.get(), nullptr, &a, &c) == KR_BAD_SHAPE);
  EXPECT(reference.kron_apply(call.get(), nullptr, &a, &b, nullptr, &c) == KR_BAD_SHAPE);
  for (float each : c.data()) EXPECT(each == 42);
}
