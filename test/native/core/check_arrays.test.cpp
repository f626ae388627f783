// Checks of lists of arrays fail with the name of the array in their message.
#include <limits>
#include <vector>

#include "../batch.hpp"
#include "../expect.hpp"
#include "native/core/check.hpp"

using namespace kronroot;
using kronroot::test::Call;

namespace {

const kr_elementwise_update_options combine{KR_UPDATE_COMBINE, KR_F32}, momentum{KR_UPDATE_MOMENTUM, KR_F32},
    adam{KR_UPDATE_ADAM, KR_F32}, quotient{KR_UPDATE_QUOTIENT, KR_F32}, product{KR_UPDATE_PRODUCT, KR_F32},
    gate{KR_UPDATE_GATE, KR_F32};

void expect_update(int line, kr_code code, const char* message, const kr_elementwise_update_options& options,
                   const std::vector<kr_update_array>& arrays) {
  Call call;
  const auto count = static_cast<int64_t>(arrays.size());
  const kr_code got = check_elementwise_update(call.get(), &options, arrays.data(), count);
  test::expect(got == code, message, __FILE__, line);
  test::expect_contains(call.message(), message, __FILE__, line);
}
#define EXPECT_UPDATE(code, message, options, ...) expect_update(__LINE__, code, message, options, {__VA_ARGS__})

struct Memory {
  std::vector<float> data = std::vector<float>(60);
  float* at(int64_t index) { return data.data() + index; }
};

// Ten elements: gradient from 0, m from 10, v from 20, direction from 30, w from 40.
kr_update_array array_in(Memory& memory) {
  kr_update_array array{};
  array.count = 10;
  array.gradient = memory.at(0);
  array.m = memory.at(10);
  array.v = memory.at(20);
  array.direction = memory.at(30);
  array.w = memory.at(40);
  return array;
}

}  // namespace

TEST("elementwise_update: what is there and what is not") {
  Memory memory, other;
  kr_update_array good = array_in(memory);
  EXPECT_UPDATE(KR_OK, "", adam, good);
  EXPECT_UPDATE(KR_OK, "", adam, good, array_in(other));
  EXPECT_UPDATE(KR_BAD_SHAPE, "arrays[0].v: expected NULL, which is for ADAM, MAX, QUOTIENT and GATE", momentum, good);
  kr_update_array bad = good;
  bad.gradient = nullptr;
  EXPECT_UPDATE(KR_BAD_SHAPE, "arrays[1].gradient: expected 10 elements, got NULL", adam, array_in(other), bad);
  bad = good;
  bad.v = nullptr;
  EXPECT_UPDATE(KR_BAD_SHAPE, "arrays[0].v: expected 10 elements, got NULL", adam, bad);
  EXPECT_UPDATE(KR_BAD_SHAPE, "arrays[0].v: expected 10 elements, got NULL", quotient, bad);
  bad.m = nullptr;
  EXPECT_UPDATE(KR_BAD_SHAPE, "arrays[0].m: expected 10 elements, got NULL", product, bad);
  EXPECT_UPDATE(KR_BAD_SHAPE, "arrays[0].m: expected 10 elements, got NULL", momentum, bad);
  bad = good;
  bad.count = -1;
  EXPECT_UPDATE(KR_BAD_SHAPE, "arrays[0].count: expected a number of elements >= 0", adam, bad);
  bad = good;
  bad.w = reinterpret_cast<char*>(memory.at(40)) + 1;
  EXPECT_UPDATE(KR_BAD_SHAPE, "arrays[0].w: expected data aligned to its elements of 4 bytes", adam, bad);
  EXPECT_UPDATE(KR_OK, "", adam, kr_update_array{});
  EXPECT(check_elementwise_update(nullptr, &adam, nullptr, 0) == KR_OK);
  EXPECT(check_elementwise_update(nullptr, &adam, nullptr, 1) == KR_BAD_SHAPE);
  EXPECT_UPDATE(KR_BAD_OPTION, "kind: expected COMBINE (0)", (kr_elementwise_update_options{8, KR_F32}), good);
  EXPECT_UPDATE(KR_BAD_DTYPE, "dtype: expected f32 (0) or f64 (1), got 2", (kr_elementwise_update_options{0, 2}), good);
}

TEST("elementwise_update: numbers are finite in the dtype") {
  Memory memory;
  for (double kr_update_array::*field :
       {&kr_update_array::l2, &kr_update_array::m_decay, &kr_update_array::m_weight, &kr_update_array::v_decay,
        &kr_update_array::v_weight, &kr_update_array::from_gradient, &kr_update_array::from_m,
        &kr_update_array::v_scale, &kr_update_array::epsilon_inside, &kr_update_array::epsilon, &kr_update_array::lr,
        &kr_update_array::shrinkage, &kr_update_array::lower, &kr_update_array::upper}) {
    kr_update_array bad = array_in(memory);
    for (const double value : {std::numeric_limits<double>::quiet_NaN(), 1e39}) {
      bad.*field = value;
      EXPECT_UPDATE(KR_BAD_OPTION, "expected a number that is finite in the dtype", adam, bad);
    }
  }
}

TEST("elementwise_update: what is written lies apart") {
  Memory memory, other;
  kr_update_array bad = array_in(memory);
  bad.v = memory.at(11);
  EXPECT_UPDATE(KR_BAD_ALIAS, "expected memory apart from arrays[0].", adam, bad);
  bad = array_in(memory);
  bad.direction = bad.m;
  EXPECT_UPDATE(KR_BAD_ALIAS, "expected memory apart from arrays[0].", adam, bad);
  bad = array_in(memory);
  bad.direction = memory.at(1);  // overlaps the gradient, but is not it
  EXPECT_UPDATE(KR_BAD_ALIAS, "arrays[0].direction: expected memory apart from arrays[0].gradient", adam, bad);
  EXPECT_UPDATE(KR_BAD_ALIAS, "expected memory apart from", adam, array_in(memory), array_in(memory));
  kr_update_array shared = array_in(other);  // reads a gradient that the first array reads too
  shared.gradient = memory.at(0);
  EXPECT_UPDATE(KR_OK, "", adam, array_in(memory), shared);
  shared.gradient = memory.at(40);  // which the first one writes
  EXPECT_UPDATE(KR_BAD_ALIAS, "arrays[0].w: expected memory apart from arrays[1].gradient", adam, array_in(memory),
                shared);
}

TEST("elementwise_update: direction and w may take the place of what is only read") {
  Memory memory;
  kr_update_array array = array_in(memory);
  array.direction = memory.at(0);
  EXPECT_UPDATE(KR_OK, "", adam, array);
  array = array_in(memory);
  array.w = memory.at(0);
  EXPECT_UPDATE(KR_OK, "", adam, array);
  array = array_in(memory);
  array.v = nullptr;
  array.direction = array.m;
  EXPECT_UPDATE(KR_OK, "", combine, array);
  EXPECT_UPDATE(KR_BAD_ALIAS, "expected memory apart from", momentum, array);
  EXPECT_UPDATE(KR_OK, "", product, array);
  array = array_in(memory);
  array.direction = array.v;
  EXPECT_UPDATE(KR_OK, "", quotient, array);
  EXPECT_UPDATE(KR_OK, "", gate, array);
  EXPECT_UPDATE(KR_BAD_ALIAS, "expected memory apart from", adam, array);
}

TEST("reduce: lists") {
  const float x[4] = {};
  double results[2] = {};
  Call call;
  const kr_reduce_options dot{KR_REDUCE_DOT, KR_F32}, largest{KR_REDUCE_LARGEST, KR_F32}, unknown{2, KR_F32};
  const kr_reduce_array pair{4, x, x}, none{4, nullptr, nullptr};
  EXPECT(check_reduce(call.get(), &dot, &pair, 1, results) == KR_OK);
  EXPECT(check_reduce(call.get(), &largest, &pair, 1, results) == KR_BAD_SHAPE);
  EXPECT_CONTAINS(call.message(), "arrays[0].y: expected NULL, LARGEST looks at x alone");
  EXPECT(check_reduce(call.get(), &dot, &none, 1, results) == KR_BAD_SHAPE);
  EXPECT_CONTAINS(call.message(), "arrays[0].x: expected 4 elements, got NULL");
  EXPECT(check_reduce(call.get(), &dot, &pair, 1, nullptr) == KR_BAD_SHAPE);
  EXPECT_CONTAINS(call.message(), "results: expected room for 1 numbers, got NULL");
  EXPECT(check_reduce(call.get(), &unknown, &pair, 1, results) == KR_BAD_OPTION);
  EXPECT_CONTAINS(call.message(), "kind: expected DOT (0) or LARGEST (1), got 2");
}
