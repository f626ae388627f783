// elementwise_update and reduce of the reference on numbers worked out by hand.
#include <cmath>
#include <vector>

#include "../batch.hpp"
#include "../expect.hpp"

using namespace kronroot;
using namespace kronroot::test;

namespace {

const kr_backend& reference = *kr_reference_backend();

template <typename T>
kr_update_array of(const std::vector<T>& gradient) {
  kr_update_array array{};
  array.count = static_cast<int64_t>(gradient.size());
  array.gradient = gradient.data();
  array.from_gradient = 1;
  return array;
}

template <typename T>
void update(kr_update kind, const kr_update_array& array) {
  Call call;
  const kr_elementwise_update_options options{kind, dtype_of<T>};
  EXPECT(reference.elementwise_update(call.get(), &options, &array, 1, nullptr) == KR_OK);
}

template <typename T>
void expect_values(const std::vector<T>& x, std::vector<double> expected) {
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(static_cast<double>(x[i]), expected[i], 1e-5);
}

template <typename T>
void kinds_by_hand() {
  std::vector<T> g{1, -2, 0}, m{10, 20, 0}, d{7, 7, 7}, w{100, 200, 300};
  kr_update_array array = of(g);
  array.m = m.data();
  array.from_m = 0.5;
  array.direction = d.data();
  array.w = w.data();
  array.l2 = 0.01;
  array.lr = 0.1;
  array.shrinkage = 0.5;
  update<T>(KR_UPDATE_COMBINE, array);  // G = 2, 0, 3; D = G + m / 2 = 7, 10, 3; w <- w / 2 - D / 10
  expect_values(d, {7, 10, 3});
  expect_values(w, {49.3, 99, 149.7});
  expect_values(m, {10, 20, 0});

  array.w = nullptr;
  array.m_decay = 0.5;
  array.m_weight = 2;
  update<T>(KR_UPDATE_MOMENTUM, array);  // m <- m / 2 + 2 g; D = g + m / 2
  expect_values(m, {7, 6, 0});
  expect_values(d, {4.5, 1, 0});

  array.from_gradient = -3;
  update<T>(KR_UPDATE_SIGN, array);  // D = sign(-3 g + m / 2) with m = 7, 6, 0; then m
  expect_values(d, {1, 1, 0});
  expect_values(m, {5.5, -1, 0});

  std::vector<T> v{3, 0, 1}, v_max{0, 9, 0};
  array.v = v.data();
  array.v_decay = 1;
  array.v_weight = 1;
  array.from_gradient = 2;
  array.from_m = 0;
  array.v_scale = 4;
  array.epsilon = 1;
  update<T>(KR_UPDATE_ADAM, array);  // v <- v + g^2 = 4, 4, 1; D = 2 g / (2 sqrt(v) + 1)
  expect_values(v, {4, 4, 1});
  expect_values(d, {0.4, -0.8, 0});

  array.v_max = v_max.data();
  array.v_decay = 0;  // v = g^2 = 1, 4, 0; largest 1, 9, 0
  array.epsilon_inside = 5;
  array.epsilon = 0;
  update<T>(KR_UPDATE_ADAM, array);  // D = 2 g / sqrt(4 v_max + 5)
  expect_values(v_max, {1, 9, 0});
  expect_values(d, {2. / 3, -4 / 6.403124237, 0});
}

template <typename T>
void kinds_with_other_moments() {
  std::vector<T> g{1, -2, 0}, m{10, 20, 0}, v{3, 0, -1}, d{7, 7, 7};
  kr_update_array array = of(g);
  array.m = m.data();
  array.direction = d.data();
  update<T>(KR_UPDATE_PRODUCT, array);  // D = g m
  expect_values(d, {10, -40, 0});
  array.lower = -1;
  array.upper = 30;
  update<T>(KR_UPDATE_PRODUCT, array);
  expect_values(d, {10, -1, 0});
  expect_values(m, {10, 20, 0});

  array.v = v.data();
  array.m_decay = 0.5;
  array.m_weight = 1;  // m = 6, 8, 0
  array.from_m = 0.5;  // numerator 4, 2, 0
  array.v_scale = 2;
  array.epsilon = 4;
  array.upper = 0.6;
  update<T>(KR_UPDATE_QUOTIENT, array);  // denominators 6, 4, 4
  expect_values(m, {6, 8, 0});
  expect_values(v, {3, 0, -1});
  expect_values(d, {0.6, 0.5, 0});

  v = {3, 0, 1};
  array.v_decay = 0.5;
  array.v_weight = 2;
  update<T>(KR_UPDATE_MAX, array);  // v = 2, 4, 1/2; m = 4, 2, 0; D = (g + m / 2) / (2 v + 4)
  expect_values(v, {2, 4, 0.5});
  expect_values(d, {3. / 8, -1. / 12, 0});

  v = {10, 20, 30};
  array.m_decay = 0;
  update<T>(KR_UPDATE_GATE, array);  // |g - m| = 3, 4, 0; m <- g
  expect_values(d, {10 / (1 + std::exp(-3.)), 20 / (1 + std::exp(-4.)), 15});
  expect_values(m, {1, -2, 0});
}

}  // namespace

TEST("elementwise_update: every kind by hand") {
  kinds_by_hand<float>();
  kinds_by_hand<double>();
  kinds_with_other_moments<float>();
  kinds_with_other_moments<double>();
}

TEST("elementwise_update: the direction may take the gradient's place") {
  std::vector<float> g{1, 2};
  kr_update_array array = of(g);
  array.direction = g.data();
  array.from_gradient = 3;
  update<float>(KR_UPDATE_COMBINE, array);
  expect_values(g, {3, 6});
}

TEST("reduce: by hand") {
  const std::vector<double> x{1, -2, 3}, y{4, 5, 6};
  const std::vector<kr_reduce_array> arrays{{3, x.data(), y.data()}, {3, x.data(), nullptr}, {0, nullptr, nullptr}};
  double results[3] = {};
  Call call;
  const kr_reduce_options dot{KR_REDUCE_DOT, KR_F64}, largest{KR_REDUCE_LARGEST, KR_F64};
  EXPECT(reference.reduce(call.get(), &dot, arrays.data(), 3, results) == KR_OK);
  EXPECT(results[0] == 12 && results[1] == 14 && results[2] == 0);
  EXPECT(reference.reduce(call.get(), &largest, arrays.data() + 1, 2, results) == KR_OK);
  EXPECT(results[0] == 3 && results[1] == 0);
}
