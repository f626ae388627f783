// elementwise_update and reduce against the reference, on every instruction set.
#include <cmath>
#include <cstring>
#include <vector>

#include "devices.hpp"

using namespace kronroot;
using namespace kronroot::test;

namespace {

// Around the vectors of every instruction set and a chunk (native/cpu/chunks.hpp).
const int64_t kSizes[] = {0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 33, 100, 16384, 16385, 40000};

template <typename T>
struct Arrays {
  std::vector<T> gradient, m, v, v_max, direction, w;

  Arrays(int64_t count, Uniform& random) {
    for (std::vector<T>* each : {&gradient, &m, &v, &v_max, &direction, &w}) {
      for (int64_t i = 0; i < count; ++i) each->push_back(static_cast<T>(random.next()));
    }
    for (T& x : v) x = std::abs(x);
    for (T& x : v_max) x = std::abs(x);
  }

  bool same_bits_as(const Arrays& other) const {
    return same_bits(m, other.m) && same_bits(v, other.v) && same_bits(v_max, other.v_max) &&
           same_bits(direction, other.direction) && same_bits(w, other.w);
  }
};

// A kind with the optional arrays that it goes with.
struct Form {
  int32_t kind;
  bool m, v_max, direction, w;
};
const Form kForms[] = {
    {KR_UPDATE_COMBINE, false, false, true, false}, {KR_UPDATE_COMBINE, true, false, true, true},
    {KR_UPDATE_MOMENTUM, true, false, false, true}, {KR_UPDATE_MOMENTUM, true, false, true, false},
    {KR_UPDATE_SIGN, true, false, true, true},      {KR_UPDATE_SIGN, false, false, true, false},
    {KR_UPDATE_ADAM, true, false, true, false},     {KR_UPDATE_ADAM, false, true, true, true},
    {KR_UPDATE_ADAM, true, true, false, true},      {KR_UPDATE_MAX, true, false, true, false},
    {KR_UPDATE_MAX, false, false, true, true},      {KR_UPDATE_QUOTIENT, true, false, true, false},
    {KR_UPDATE_QUOTIENT, false, false, true, true}, {KR_UPDATE_PRODUCT, true, false, true, true},
    {KR_UPDATE_GATE, true, false, true, true},
};

bool has_v(int32_t kind) {
  return kind == KR_UPDATE_ADAM || kind == KR_UPDATE_MAX || kind == KR_UPDATE_QUOTIENT || kind == KR_UPDATE_GATE;
}

template <typename T>
kr_update_array described(const Form& form, Arrays<T>& arrays) {
  kr_update_array array{};
  array.count = static_cast<int64_t>(arrays.gradient.size());
  array.gradient = arrays.gradient.data();
  if (form.m) array.m = arrays.m.data();
  if (has_v(form.kind)) array.v = arrays.v.data();
  if (form.v_max) array.v_max = arrays.v_max.data();
  if (form.direction) array.direction = arrays.direction.data();
  if (form.w) array.w = arrays.w.data();
  array.l2 = 0.03;
  array.m_decay = 0.9, array.m_weight = 0.1;
  array.v_decay = 0.99, array.v_weight = 0.01;
  array.from_gradient = 0.4, array.from_m = 0.7, array.v_scale = 1.7;
  // Without a root a moment near 0 would make quotients of any size.
  const bool has_root = form.kind == KR_UPDATE_ADAM;
  array.epsilon_inside = 1e-6, array.epsilon = has_root ? 1e-3 : 0.5;
  array.lr = 0.05, array.shrinkage = 0.01;
  array.lower = -0.25, array.upper = 0.5;
  return array;
}

template <typename T>
std::vector<kr_update_array> described(const Form& form, std::vector<Arrays<T>>& list) {
  std::vector<kr_update_array> all;
  for (Arrays<T>& arrays : list) all.push_back(described(form, arrays));
  return all;
}

template <typename T>
std::vector<Arrays<T>> random_list(uint64_t seed) {
  Uniform random(seed);
  std::vector<Arrays<T>> list;
  for (int64_t size : kSizes) list.emplace_back(size, random);
  return list;
}

// Terms are at most 2, ADAM's at most 1.1 over a denominator of at least 1e-3 + 1e-3; the bound itself is for the
// conformance tests, which form it element by element.
template <typename T>
void expect_near_all(const std::vector<T>& x, const std::vector<T>& y, const std::string& where, const char* name) {
  const double ulp = sizeof(T) == 4 ? 0x1p-23 : 0x1p-52;
  for (size_t i = 0; i < x.size(); ++i) {
    const double error = std::abs(static_cast<double>(x[i]) - static_cast<double>(y[i]));
    if (!(error <= 8 * ulp * (1 + 2 * std::abs(static_cast<double>(y[i]))))) {
      return check(false, where, name, static_cast<double>(i));
    }
  }
}

template <typename T>
void compare_with_reference(const cpu::KernelSet& set) {
  for (const Form& form : kForms) {
    const std::string where = std::string(set.name) + " " + type_name<T> + " kind " + std::to_string(form.kind);
    std::vector<Arrays<T>> ours = random_list<T>(7), theirs = ours, again = ours;
    const kr_elementwise_update_options options{form.kind, dtype_of<T>};
    const auto count = static_cast<int64_t>(ours.size());
    std::vector<int32_t> finite(ours.size(), 7);
    DeviceCall one(set), two(set, 2);
    Call call;
    std::vector<kr_update_array> list = described(form, ours);
    check(cpu::elementwise_update(one.get(), &options, list.data(), count, finite.data()) == KR_OK, where, "answers");
    list = described(form, theirs);
    check(kr_reference_backend()->elementwise_update(call.get(), &options, list.data(), count, nullptr) == KR_OK, where,
          "the reference answers");
    list = described(form, again);
    check(cpu::elementwise_update(two.get(), &options, list.data(), count, nullptr) == KR_OK, where, "on two threads");
    for (size_t i = 0; i < ours.size(); ++i) {
      check(finite[i] == 1, where, "finite", static_cast<double>(i));
      expect_near_all(ours[i].m, theirs[i].m, where, "m");
      expect_near_all(ours[i].v, theirs[i].v, where, "v");
      expect_near_all(ours[i].v_max, theirs[i].v_max, where, "v_max");
      expect_near_all(ours[i].direction, theirs[i].direction, where, "direction");
      expect_near_all(ours[i].w, theirs[i].w, where, "w");
      check(ours[i].same_bits_as(again[i]), where, "bits on one and two threads", static_cast<double>(i));
    }
  }
}

// An element has the same bits alone and anywhere in a longer array.
template <typename T>
void elements_stand_alone(const cpu::KernelSet& set) {
  for (const Form& form : kForms) {
    Uniform random(11);
    Arrays<T> whole(37, random), single = whole;
    DeviceCall call(set);
    const kr_elementwise_update_options options{form.kind, dtype_of<T>};
    const kr_update_array list = described(form, whole);
    EXPECT(cpu::elementwise_update(call.get(), &options, &list, 1, nullptr) == KR_OK);
    for (int64_t i = 0; i < 37; ++i) {
      kr_update_array element = described(form, single);
      element.count = 1;
      element.gradient = single.gradient.data() + i;
      for (void** data : {&element.m, &element.v, &element.v_max, &element.direction, &element.w}) {
        if (*data != nullptr) *data = static_cast<T*>(*data) + i;
      }
      EXPECT(cpu::elementwise_update(call.get(), &options, &element, 1, nullptr) == KR_OK);
    }
    check(whole.same_bits_as(single), std::string(set.name) + " " + type_name<T>, "bits alone", form.kind);
  }
}

// A bad element spoils nothing but itself, and is reported for its array alone.
template <typename T>
void bad_elements_stay_alone(const cpu::KernelSet& set) {
  const T bad[] = {nan_of<T>, infinity_of<T>, -infinity_of<T>};
  for (const Form& form : kForms) {
    for (const T value : bad) {
      std::vector<Arrays<T>> good = random_list<T>(5), poisoned = good;
      poisoned[11].gradient[20] = value;
      DeviceCall call(set);
      const kr_elementwise_update_options options{form.kind, dtype_of<T>};
      std::vector<int32_t> finite(good.size());
      const auto count = static_cast<int64_t>(good.size());
      std::vector<kr_update_array> list = described(form, good);
      EXPECT(cpu::elementwise_update(call.get(), &options, list.data(), count, nullptr) == KR_OK);
      list = described(form, poisoned);
      EXPECT(cpu::elementwise_update(call.get(), &options, list.data(), count, finite.data()) == KR_OK);
      for (size_t i = 0; i < good.size(); ++i) EXPECT(finite[i] == (i == 11 ? 0 : 1));
      Arrays<T>&x = good[11], &y = poisoned[11];
      for (std::vector<T>* each : {&x.m, &x.v, &x.v_max, &x.direction, &x.w}) (*each)[20] = 0;
      for (std::vector<T>* each : {&y.m, &y.v, &y.v_max, &y.direction, &y.w}) (*each)[20] = 0;
      for (size_t i = 0; i < good.size(); ++i) EXPECT(good[i].same_bits_as(poisoned[i]));
    }
  }
}

// A result that overflows is reported as not finite, the largest number is not.
void overflow_is_seen(const cpu::KernelSet& set) {
  for (const double factor : {1.0, 2.0}) {
    for (int64_t count : {1, 8, 16, 17}) {
      std::vector<float> gradient(static_cast<size_t>(count), std::numeric_limits<float>::max()), direction(gradient);
      kr_update_array array{};
      array.count = count;
      array.gradient = gradient.data();
      array.direction = direction.data();
      array.from_gradient = factor;
      DeviceCall call(set);
      int32_t finite = 7;
      EXPECT(cpu::elementwise_update(call.get(), nullptr, &array, 1, &finite) == KR_OK);
      EXPECT(finite == (factor == 1 ? 1 : 0));
      EXPECT(std::isfinite(direction[0]) == (factor == 1));
    }
  }
}

// An EMA of ones stays one over thousands of steps: decay and weight sum to 1 in f32, too.
void averages_keep_their_sum(const cpu::KernelSet& set) {
  std::vector<float> gradient(3, 1), m(3, 1), v(3, 1);
  kr_update_array array{};
  array.count = 3;
  array.gradient = gradient.data();
  array.m = m.data();
  array.v = v.data();
  array.m_decay = 0.999, array.m_weight = 1 - 0.999;
  array.v_decay = 0.9999, array.v_weight = 1 - 0.9999;
  const kr_elementwise_update_options options{KR_UPDATE_ADAM, KR_F32};
  DeviceCall call(set);
  for (int step = 0; step < 5000; ++step) {
    EXPECT(cpu::elementwise_update(call.get(), &options, &array, 1, nullptr) == KR_OK);
  }
  for (size_t i = 0; i < 3; ++i) EXPECT(m[i] == 1 && v[i] == 1);
}

// An epsilon below the smallest f32 number still makes 0 of 0 / (0 + epsilon).
void tiny_epsilon_counts(const cpu::KernelSet& set) {
  std::vector<float> gradient(3), v(3), direction(3, 7);
  kr_update_array array{};
  array.count = 3;
  array.gradient = gradient.data();
  array.v = v.data();
  array.direction = direction.data();
  array.from_gradient = array.v_scale = 1;
  array.epsilon = 1e-60;
  const kr_elementwise_update_options options{KR_UPDATE_ADAM, KR_F32};
  DeviceCall call(set);
  EXPECT(cpu::elementwise_update(call.get(), &options, &array, 1, nullptr) == KR_OK);
  EXPECT(direction[0] == 0 && direction[1] == 0 && direction[2] == 0);
}

template <typename T>
void reduce_like_the_reference(const cpu::KernelSet& set) {
  std::vector<Arrays<T>> list = random_list<T>(3);
  for (const int32_t kind : {KR_REDUCE_DOT, KR_REDUCE_LARGEST}) {
    const kr_reduce_options options{kind, dtype_of<T>};
    std::vector<kr_reduce_array> arrays;
    for (Arrays<T>& each : list) {
      const bool is_product = kind == KR_REDUCE_DOT && arrays.size() % 2 == 0;
      arrays.push_back({static_cast<int64_t>(each.w.size()), each.w.data(), is_product ? each.m.data() : nullptr});
    }
    const auto count = static_cast<int64_t>(arrays.size());
    std::vector<double> one(list.size()), two(one), reference(one);
    DeviceCall single(set), pair(set, 2);
    Call call;
    EXPECT(cpu::reduce(single.get(), &options, arrays.data(), count, one.data()) == KR_OK);
    EXPECT(cpu::reduce(pair.get(), &options, arrays.data(), count, two.data()) == KR_OK);
    EXPECT(kr_reference_backend()->reduce(call.get(), &options, arrays.data(), count, reference.data()) == KR_OK);
    EXPECT(same_bits(one, two));
    for (size_t i = 0; i < one.size(); ++i) {
      const auto size = static_cast<double>(arrays[i].count);
      EXPECT_NEAR(one[i], reference[i], kind == KR_REDUCE_DOT ? 2 * size * size * 0x1p-52 : 0);
    }
  }
}

template <typename T>
void reduce_bad_elements(const cpu::KernelSet& set) {
  for (size_t at : {size_t{0}, size_t{20}, size_t{20000}}) {
    std::vector<T> x(20001, T{1});
    const kr_reduce_array array{20001, x.data(), nullptr};
    DeviceCall call(set);
    for (const int32_t kind : {KR_REDUCE_DOT, KR_REDUCE_LARGEST}) {
      const kr_reduce_options options{kind, dtype_of<T>};
      double result = 0;
      x[at] = -infinity_of<T>;
      EXPECT(cpu::reduce(call.get(), &options, &array, 1, &result) == KR_OK);
      EXPECT(result == infinity_of<double>);
      x[at] = nan_of<T>;
      x[100] = infinity_of<T>;
      EXPECT(cpu::reduce(call.get(), &options, &array, 1, &result) == KR_OK);
      EXPECT(std::isnan(result));
      x[at] = x[100] = 1;
    }
  }
}

}  // namespace

TEST("elementwise_update: as the reference, on any number of threads") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    compare_with_reference<float>(*set);
    compare_with_reference<double>(*set);
  }
}

TEST("elementwise_update: an element has the same bits alone") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    elements_stand_alone<float>(*set);
    elements_stand_alone<double>(*set);
  }
}

TEST("elementwise_update: a bad element spoils itself alone and is reported") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    bad_elements_stay_alone<float>(*set);
    bad_elements_stay_alone<double>(*set);
  }
}

TEST("elementwise_update: results that overflow are reported") {
  for (const cpu::KernelSet* set : kernel_sets()) overflow_is_seen(*set);
}

TEST("elementwise_update: an epsilon too small for f32 still counts") {
  for (const cpu::KernelSet* set : kernel_sets()) tiny_epsilon_counts(*set);
}

TEST("elementwise_update: decay and weight of an average sum to 1 in f32") {
  for (const cpu::KernelSet* set : kernel_sets()) averages_keep_their_sum(*set);
}

TEST("elementwise_update: cancelled before it began, nothing is changed") {
  const int32_t cancel = 1;
  Uniform random(1);
  Arrays<float> arrays(20, random);
  const Arrays<float> before = arrays;
  const kr_update_array array = described({KR_UPDATE_MOMENTUM, true, false, true, true}, arrays);
  const kr_elementwise_update_options options{KR_UPDATE_MOMENTUM, KR_F32};
  DeviceCall call(*kernel_sets().front(), 1, &cancel);
  EXPECT(cpu::elementwise_update(call.get(), &options, &array, 1, nullptr) == KR_CANCELLED);
  EXPECT(arrays.same_bits_as(before));
}

TEST("reduce: as the reference, on any number of threads") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    reduce_like_the_reference<float>(*set);
    reduce_like_the_reference<double>(*set);
  }
}

TEST("reduce: infinities and NaN") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    reduce_bad_elements<float>(*set);
    reduce_bad_elements<double>(*set);
  }
}
