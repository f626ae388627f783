// elementwise_update on the device against the reference.
#include <cmath>
#include <memory>
#include <vector>

#include "test/native/cuda/cuda_call.hpp"
#include "test/native/uniform.hpp"

namespace kronroot::test {
namespace {

// Around the 16-byte vectors, a block of them and a chunk (native/cuda/array_table.cuh); more arrays than one launch
// takes.
std::vector<int64_t> sizes() {
  std::vector<int64_t> all = {0, 1, 2, 3, 4, 5, 7, 8, 9, 511, 1024, 1025, 4095, 4096, 4097, 9000};
  for (int64_t size = 0; size < 24; ++size) all.push_back(size);
  return all;
}

// The arrays of one entry, on the host.
template <typename T>
struct Arrays {
  std::vector<T> gradient, m, v, v_max, direction, w;

  Arrays(int64_t count, Uniform& random) {
    for (std::vector<T>* each : all()) {
      for (int64_t i = 0; i < count; ++i) each->push_back(static_cast<T>(random.next()));
    }
    for (T& x : v) x = std::abs(x);
    for (T& x : v_max) x = std::abs(x);
  }
  std::vector<std::vector<T>*> all() { return {&gradient, &m, &v, &v_max, &direction, &w}; }
  int64_t count() const { return static_cast<int64_t>(gradient.size()); }
};

// Copies of them on the device, `offset` elements into their memory.
template <typename T>
class DeviceArrays {
 public:
  explicit DeviceArrays(Arrays<T>& host, int64_t offset = 0) : host_(host), offset_(offset) {
    for (std::vector<T>* each : host.all()) {
      std::vector<T> shifted(static_cast<std::size_t>(offset), T(7));
      shifted.insert(shifted.end(), each->begin(), each->end());
      const auto bytes = static_cast<int64_t>(shifted.size() * sizeof(T));
      copies_.push_back(std::make_unique<DeviceBytes>(shifted.data(), bytes));
    }
  }
  void* at(std::size_t i) const {
    void* const data = copies_[i]->data();
    return data == nullptr ? nullptr : static_cast<T*>(data) + offset_;
  }
  // Back to the host.
  void read() {
    std::size_t i = 0;
    for (std::vector<T>* each : host_.all()) {
      std::vector<T> shifted(each->size() + static_cast<std::size_t>(offset_));
      copies_[i++]->read(shifted.data());
      for (int64_t k = 0; k < offset_; ++k) EXPECT(shifted[static_cast<std::size_t>(k)] == T(7));
      each->assign(shifted.begin() + offset_, shifted.end());
    }
  }

 private:
  Arrays<T>& host_;
  int64_t offset_;
  std::vector<std::unique_ptr<DeviceBytes>> copies_;
};

// A kind with the optional arrays that it goes with.
struct Form {
  int32_t kind;
  bool m, v_max, direction, w;
};
const Form forms[] = {
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

template <typename At>
kr_update_array described(const Form& form, int64_t count, const At& at) {
  kr_update_array array{};
  array.count = count;
  array.gradient = at(0);
  if (form.m) array.m = at(1);
  if (has_v(form.kind)) array.v = at(2);
  if (form.v_max) array.v_max = at(3);
  if (form.direction) array.direction = at(4);
  if (form.w) array.w = at(5);
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
std::vector<Arrays<T>> random_list(uint64_t seed) {
  Uniform random(seed);
  std::vector<Arrays<T>> list;
  for (const int64_t size : sizes()) list.emplace_back(size, random);
  return list;
}

// The whole list on the device in one call; the flags.
template <typename T>
std::vector<int32_t> update(const Form& form, std::vector<Arrays<T>>& list, int64_t offset = 0) {
  std::vector<std::unique_ptr<DeviceArrays<T>>> copies;
  std::vector<kr_update_array> arrays;
  for (Arrays<T>& each : list) {
    copies.push_back(std::make_unique<DeviceArrays<T>>(each, offset));
    const DeviceArrays<T>& copy = *copies.back();
    arrays.push_back(described(form, each.count(), [&](std::size_t i) { return copy.at(i); }));
  }
  std::vector<int32_t> finite(list.size(), 7);
  const DeviceBytes flags(finite.data(), static_cast<int64_t>(finite.size() * sizeof(int32_t)));
  const kr_elementwise_update_options options{form.kind, dtype_of<T>};
  CudaCall call;
  EXPECT(cuda().elementwise_update(call.get(), &options, arrays.data(), static_cast<int64_t>(arrays.size()),
                                   static_cast<int32_t*>(flags.data())) == KR_OK);
  for (auto& each : copies) each->read();
  flags.read(finite.data());
  return finite;
}

template <typename T>
void update_by_reference(const Form& form, std::vector<Arrays<T>>& list) {
  std::vector<kr_update_array> arrays;
  for (Arrays<T>& each : list) {
    const auto at = [&](std::size_t i) { return each.all()[i]->data(); };
    arrays.push_back(described(form, each.count(), at));
  }
  const kr_elementwise_update_options options{form.kind, dtype_of<T>};
  Call call;
  EXPECT(kr_reference_backend()->elementwise_update(call.get(), &options, arrays.data(),
                                                    static_cast<int64_t>(arrays.size()), nullptr) == KR_OK);
}

// Terms are at most 2, ADAM's at most 1.1 over a denominator of at least 1e-3 + 1e-3.
template <typename T>
bool is_near(const std::vector<T>& x, const std::vector<T>& y) {
  const double ulp = sizeof(T) == 4 ? 0x1p-23 : 0x1p-52;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = static_cast<double>(y[i]);
    if (!(std::abs(static_cast<double>(x[i]) - exact) <= 8 * ulp * (1 + 2 * std::abs(exact)))) return false;
  }
  return true;
}

template <typename T>
bool same_bits(Arrays<T>& x, Arrays<T>& y) {
  for (std::size_t i = 0; i < x.all().size(); ++i) {
    if (!test::same_bits(*x.all()[i], *y.all()[i])) return false;
  }
  return true;
}

// The bound of ops.h; an unaligned array has the same bits.
template <typename T>
void as_the_reference() {
  for (const Form& form : forms) {
    std::vector<Arrays<T>> ours = random_list<T>(7), theirs = ours, shifted = ours;
    const std::vector<int32_t> finite = update(form, ours);
    update_by_reference(form, theirs);
    update(form, shifted, 1);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      EXPECT(finite[i] == 1);
      for (std::size_t k = 0; k < 6; ++k) EXPECT(is_near(*ours[i].all()[k], *theirs[i].all()[k]));
      EXPECT(same_bits(ours[i], shifted[i]));
    }
  }
}

// An element has the same bits alone and anywhere in a longer array.
template <typename T>
void elements_stand_alone() {
  for (const Form& form : forms) {
    Uniform random(11);
    std::vector<Arrays<T>> whole{Arrays<T>(19, random)};
    std::vector<Arrays<T>> alone;
    for (std::size_t i = 0; i < 19; ++i) {
      alone.push_back(whole[0]);
      for (std::vector<T>* each : alone.back().all()) *each = {(*each)[i]};
    }
    update(form, whole);
    update(form, alone);
    for (std::size_t k = 0; k < 6; ++k) {
      for (std::size_t i = 0; i < 19; ++i) EXPECT((*whole[0].all()[k])[i] == (*alone[i].all()[k])[0]);
    }
  }
}

// A bad element spoils nothing but itself, and is reported for its array alone.
template <typename T>
void bad_elements_stay_alone() {
  for (const Form& form : forms) {
    for (const T value : {nan_of<T>, -infinity_of<T>}) {
      std::vector<Arrays<T>> good = random_list<T>(5), poisoned = good;
      poisoned[11].gradient[900] = value;
      update(form, good);
      const std::vector<int32_t> finite = update(form, poisoned);
      for (std::size_t i = 0; i < good.size(); ++i) EXPECT(finite[i] == (i == 11 ? 0 : 1));
      for (Arrays<T>* list : {&good[11], &poisoned[11]}) {
        for (std::vector<T>* each : list->all()) (*each)[900] = 0;
      }
      for (std::size_t i = 0; i < good.size(); ++i) EXPECT(same_bits(good[i], poisoned[i]));
    }
  }
}

// One array of given numbers, `steps` times.
std::vector<float> updated(int32_t kind, kr_update_array numbers, float gradient, float state, int steps,
                           int32_t* finite = nullptr) {
  const std::vector<float> g(3, gradient), s(3, state);
  const DeviceBytes gradients(g.data(), 12), m(s.data(), 12), v(s.data(), 12), direction(s.data(), 12);
  int32_t flag = 7;
  const DeviceBytes flags(&flag, 4);
  numbers.count = 3;
  numbers.gradient = gradients.data();
  numbers.direction = direction.data();
  if (kind == KR_UPDATE_ADAM) numbers.m = m.data(), numbers.v = v.data();
  const kr_elementwise_update_options options{kind, KR_F32};
  CudaCall call;
  for (int step = 0; step < steps; ++step) {
    EXPECT(cuda().elementwise_update(call.get(), &options, &numbers, 1, static_cast<int32_t*>(flags.data())) == KR_OK);
  }
  flags.read(&flag);
  if (finite != nullptr) *finite = flag;
  std::vector<float> results(9);
  direction.read(results.data());
  m.read(results.data() + 3);
  v.read(results.data() + 6);
  return results;
}

}  // namespace

TEST("cuda elementwise_update: as the reference, aligned or not") {
  as_the_reference<float>();
  as_the_reference<double>();
}

TEST("cuda elementwise_update: an element has the same bits alone") {
  elements_stand_alone<float>();
  elements_stand_alone<double>();
}

TEST("cuda elementwise_update: a bad element spoils itself alone and is reported") {
  bad_elements_stay_alone<float>();
  bad_elements_stay_alone<double>();
}

TEST("cuda elementwise_update: results that overflow are reported, the largest number is not") {
  kr_update_array numbers{};
  for (const double factor : {1.0, 2.0}) {
    int32_t finite = 7;
    numbers.from_gradient = factor;
    const float result = updated(KR_UPDATE_COMBINE, numbers, std::numeric_limits<float>::max(), 0, 1, &finite)[0];
    EXPECT(finite == (factor == 1 ? 1 : 0));
    EXPECT(std::isfinite(result) == (factor == 1));
  }
}

TEST("cuda elementwise_update: an epsilon too small for f32 still counts") {
  kr_update_array numbers{};
  numbers.from_gradient = numbers.v_scale = 1;
  numbers.epsilon = 1e-60;
  EXPECT(updated(KR_UPDATE_ADAM, numbers, 0, 0, 1)[0] == 0);
}

TEST("cuda elementwise_update: decay and weight of an average sum to 1 in f32") {
  kr_update_array numbers{};
  numbers.m_decay = 0.999, numbers.m_weight = 1 - 0.999;
  numbers.v_decay = 0.9999, numbers.v_weight = 1 - 0.9999;
  const std::vector<float> results = updated(KR_UPDATE_ADAM, numbers, 1, 1, 300);
  for (std::size_t i = 3; i < 9; ++i) EXPECT(results[i] == 1);
}

TEST("cuda elementwise_update: an operand may be replaced; cancelled before it began, nothing is changed") {
  const float x[4] = {1, 2, 3, 4};
  float y[4];
  const DeviceBytes data(x, sizeof x);
  kr_update_array array{};
  array.count = 4;
  array.gradient = array.direction = data.data();
  array.from_gradient = 2;
  const int32_t cancel = 1;
  CudaCall cancelled(&cancel), call;
  EXPECT(cuda().elementwise_update(cancelled.get(), nullptr, &array, 1, nullptr) == KR_CANCELLED);
  EXPECT(cuda().elementwise_update(call.get(), nullptr, nullptr, 0, nullptr) == KR_OK);
  data.read(y);
  for (int i = 0; i < 4; ++i) EXPECT(y[i] == x[i]);
  EXPECT(cuda().elementwise_update(call.get(), nullptr, &array, 1, nullptr) == KR_OK);
  data.read(y);
  for (int i = 0; i < 4; ++i) EXPECT(y[i] == 2 * x[i]);
}

}  // namespace kronroot::test
