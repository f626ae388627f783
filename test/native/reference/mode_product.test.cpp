// mode_product of the reference on tensors multiplied by hand, and its refusals.
#include "../batch.hpp"
#include "../expect.hpp"
#include "native/core/check.hpp"

using namespace kronroot;
using kronroot::test::Batch;
using kronroot::test::Call;

namespace {

const kr_backend& reference = *kr_reference_backend();

template <typename T>
void by_hand() {
  Call call;
  // X is 2 x 2 x 3; A_1 adds both slices, A_2 swaps the rows, A_3 is left out.
  Batch<T> x{{1, 2, 3}, {4, 5, 6}, {10, 20, 30}, {40, 50, 60}}, sum{{1, 1}}, swap{{0, 1}, {1, 0}}, y(1, 2, 3);
  const kr_batch* factors[] = {&sum, &swap, nullptr};
  const kr_mode_product_options options{3, 0, {2, 2, 3}};
  EXPECT(reference.mode_product(call.get(), &options, &x, factors, &y) == KR_OK);
  const double expected[2][3] = {{44, 55, 66}, {11, 22, 33}};
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t j = 0; j < 3; ++j) EXPECT(y(i, j) == expected[i][j]);
  }
}

template <typename T>
void matrices_by_hand() {
  Call call;
  Batch<T> x{{1, 2}, {3, 4}}, a{{0, 2}, {1, 0}}, b{{1, 10}}, y(1, 2, 1);
  const kr_batch* factors[] = {&a, &b};
  // A X B^T = {{6, 8}, {1, 2}} (1, 10)^T
  EXPECT(reference.mode_product(call.get(), nullptr, &x, factors, &y) == KR_OK);
  EXPECT(y(0, 0) == 86 && y(1, 0) == 21);
  const kr_mode_product_options transposed{2, 1, {2, 2}};  // A^T X B^T = {{3, 4}, {2, 4}} (1, 10)^T
  EXPECT(reference.mode_product(call.get(), &transposed, &x, factors, &y) == KR_OK);
  EXPECT(y(0, 0) == 43 && y(1, 0) == 42);
}

}  // namespace

TEST("mode_product: a tensor of order 3 by hand") {
  by_hand<float>();
  by_hand<double>();
}

TEST("mode_product: matrices, and a factor transposed") {
  matrices_by_hand<float>();
  matrices_by_hand<double>();
}

TEST("mode_product: refusals name the argument") {
  Call call;
  Batch<float> x(2, 6, 4), y(2, 6, 4), padded(2, 6, 4, 0, 1), a(2, 3, 3), wide(2, 3, 5);
  const kr_batch* factors[] = {nullptr, &a, nullptr};
  const kr_mode_product_options options{3, 0, {2, 3, 4}}, wrong{3, 0, {2, 4, 3}}, many{9, 0, {}};
  const auto refuse = [&](kr_code code, const char* message, const kr_mode_product_options& given, const kr_batch* from,
                          const kr_batch* to) {
    EXPECT(check_mode_product(call.get(), &given, from, factors, to) == code);
    EXPECT_CONTAINS(call.message(), message);
  };
  EXPECT(check_mode_product(call.get(), &options, &x, factors, &y) == KR_OK);
  refuse(KR_BAD_OPTION, "order: expected an integer from 0 to 8", many, &x, &y);
  refuse(KR_BAD_SHAPE, "factors[1]: expected 4 cols (dimension 1 of x), got 3", wrong, &x, &y);
  refuse(KR_BAD_SHAPE, "x: expected row_stride = 4", options, &padded, &y);
  refuse(KR_BAD_SHAPE, "y: expected row_stride = 4", options, &x, &padded);
  refuse(KR_BAD_ALIAS, "y: expected memory apart from x", options, &x, &x);
  factors[1] = &wide;
  refuse(KR_BAD_SHAPE, "factors[1]: expected 3 cols (dimension 1 of x), got 5", options, &x, &y);
  EXPECT(check_mode_product(call.get(), &options, &x, nullptr, &y) == KR_BAD_OPTION);
}
