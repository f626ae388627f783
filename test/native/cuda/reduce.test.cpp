// reduce on the device against the reference.
#include <cmath>
#include <memory>
#include <vector>

#include "test/native/cuda/cuda_call.hpp"
#include "test/native/uniform.hpp"

namespace kronroot::test {
namespace {

// An array on the device, `offset` elements into its memory.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& content, std::size_t offset = 0) : offset_(offset) {
    std::vector<T> shifted(offset, nan_of<T>);
    shifted.insert(shifted.end(), content.begin(), content.end());
    bytes_ = std::make_unique<DeviceBytes>(shifted.data(), static_cast<int64_t>(shifted.size() * sizeof(T)));
  }
  const T* data() const {
    return bytes_->data() == nullptr ? nullptr : static_cast<const T*>(bytes_->data()) + offset_;
  }

 private:
  std::size_t offset_;
  std::unique_ptr<DeviceBytes> bytes_;
};

template <typename T>
std::vector<double> reduced(int32_t kind, const std::vector<kr_reduce_array>& arrays) {
  std::vector<double> results(arrays.size(), 7);
  const DeviceBytes on_device(results.data(), static_cast<int64_t>(results.size() * sizeof(double)));
  const kr_reduce_options options{kind, dtype_of<T>};
  CudaCall call;
  EXPECT(cuda().reduce(call.get(), &options, arrays.data(), static_cast<int64_t>(arrays.size()),
                       static_cast<double*>(on_device.data())) == KR_OK);
  on_device.read(results.data());
  return results;
}

// Around vectors, blocks of them and chunks; more arrays than one launch takes, of one chunk and of several.
std::vector<int64_t> sizes() {
  std::vector<int64_t> all = {0, 1, 2, 3, 4, 5, 31, 1023, 1025, 4096, 4097, 8193, 20000};
  for (int64_t size = 0; size < 100; ++size) all.push_back(size % 10);
  for (int i = 0; i < 4; ++i) all.push_back(5000);
  return all;
}

template <typename T>
void as_the_reference() {
  Uniform random(3);
  std::vector<std::vector<T>> xs, ys;
  std::vector<std::unique_ptr<DeviceArray<T>>> copies;
  for (const int64_t size : sizes()) {
    xs.emplace_back(), ys.emplace_back();
    for (int64_t i = 0; i < size; ++i) {
      xs.back().push_back(static_cast<T>(random.next()));
      ys.back().push_back(static_cast<T>(random.next()));
    }
  }
  for (const int32_t kind : {KR_REDUCE_DOT, KR_REDUCE_LARGEST}) {
    std::vector<kr_reduce_array> here, there, shifted;
    std::vector<double> magnitudes;
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const auto count = static_cast<int64_t>(xs[i].size());
      const bool is_product = kind == KR_REDUCE_DOT && i % 2 == 0;
      const std::vector<T>& y = is_product ? ys[i] : xs[i];
      here.push_back({count, xs[i].data(), is_product ? y.data() : nullptr});
      for (const std::size_t offset : {std::size_t{0}, std::size_t{1}}) {
        copies.push_back(std::make_unique<DeviceArray<T>>(xs[i], offset));
        const T* const x = copies.back()->data();
        copies.push_back(std::make_unique<DeviceArray<T>>(y, 0));
        (offset == 0 ? there : shifted).push_back({count, x, is_product ? copies.back()->data() : nullptr});
      }
      magnitudes.push_back(0);
      for (std::size_t k = 0; k < xs[i].size(); ++k) {
        magnitudes.back() += std::abs(static_cast<double>(xs[i][k]) * static_cast<double>(y[k]));
      }
    }
    const kr_reduce_options options{kind, dtype_of<T>};
    std::vector<double> expected(here.size());
    Call call;
    EXPECT(kr_reference_backend()->reduce(call.get(), &options, here.data(), static_cast<int64_t>(here.size()),
                                          expected.data()) == KR_OK);
    const std::vector<double> results = reduced<T>(kind, there);
    // The order of summation depends on the count alone.
    EXPECT(same_bits(results, reduced<T>(kind, shifted)));
    for (std::size_t i = 0; i < results.size(); ++i) {
      const double bound = kind == KR_REDUCE_DOT ? static_cast<double>(here[i].count) * 0x1p-52 * magnitudes[i] : 0;
      EXPECT_NEAR(results[i], expected[i], 2 * bound);
      EXPECT(same_bits<double>({results[i]}, reduced<T>(kind, {there[i]})));
    }
  }
}

template <typename T>
void bad_elements() {
  for (const std::size_t at : {std::size_t{0}, std::size_t{20}, std::size_t{9000}}) {
    for (const int32_t kind : {KR_REDUCE_DOT, KR_REDUCE_LARGEST}) {
      std::vector<T> x(9001, T(1));
      x[at] = -infinity_of<T>;
      const DeviceArray<T> infinite(x);
      x[at] = nan_of<T>;
      x[100] = infinity_of<T>;
      const DeviceArray<T> nan(x), good(std::vector<T>(5000, T(-1)));
      const std::vector<double> results = reduced<T>(
          kind, {{9001, infinite.data(), nullptr}, {9001, nan.data(), nullptr}, {5000, good.data(), nullptr}});
      EXPECT(results[0] == infinity_of<double>);
      EXPECT(std::isnan(results[1]));
      EXPECT(results[2] == (kind == KR_REDUCE_DOT ? 5000 : 1));
    }
  }
}

}  // namespace

TEST("cuda reduce: as the reference, with the same bits alone and unaligned") {
  as_the_reference<float>();
  as_the_reference<double>();
}

TEST("cuda reduce: infinities and NaN") {
  bad_elements<float>();
  bad_elements<double>();
}

TEST("cuda reduce: squares of f32 do not overflow, and zeros are positive") {
  const DeviceArray<float> huge(std::vector<float>(3, std::numeric_limits<float>::max())), zero({-0.0f});
  const double most = static_cast<double>(std::numeric_limits<float>::max());
  EXPECT(reduced<float>(KR_REDUCE_DOT, {{3, huge.data(), nullptr}})[0] == 3 * most * most);
  EXPECT(reduced<float>(KR_REDUCE_LARGEST, {{3, huge.data(), nullptr}})[0] == most);
  EXPECT(!std::signbit(reduced<float>(KR_REDUCE_LARGEST, {{1, zero.data(), nullptr}})[0]));
}

}  // namespace kronroot::test
