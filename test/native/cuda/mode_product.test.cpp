// mode_product on the device against the reference.
#include <array>

#include "test/native/cuda/product_bound.hpp"

namespace kronroot::test {
namespace {

struct Shape {
  std::vector<int64_t> dims, results;  // results 0: no factor
};

const Shape kShapes[] = {
    {{5}, {5}},
    {{5}, {3}},
    {{5}, {0}},
    {{4, 6}, {4, 6}},
    {{4, 6}, {7, 0}},
    {{33, 17}, {0, 20}},
    {{3, 4, 5}, {3, 4, 5}},
    {{3, 4, 5}, {0, 4, 0}},
    {{8, 9, 3, 3}, {8, 9, 3, 3}},
    {{8, 9, 3, 3}, {2, 9, 5, 1}},
    {{2, 3, 2, 3, 2}, {3, 2, 3, 2, 3}},
    {{40, 36, 9}, {40, 36, 9}},
    {{1, 1, 1}, {1, 1, 1}},
    {{3, 0, 2}, {3, 4, 2}},
    {{0, 3}, {2, 3}},
};

int64_t product_of(const std::vector<int64_t>& dims, size_t count) {
  int64_t product = 1;
  for (size_t i = 0; i < count; ++i) product *= dims[i];
  return product;
}

template <typename T>
Batch<T> tensor(const std::vector<int64_t>& dims, int64_t batch) {
  return Batch<T>(batch, product_of(dims, dims.size() - 1), dims.back(), T{7});
}

// With X and the factors broadcast where `is_broadcast`.
template <typename T>
void check_shape(const Shape& shape, int64_t batch, int32_t transpose, bool is_broadcast, Uniform& random) {
  const size_t order = shape.dims.size();
  std::vector<int64_t> targets = shape.results;
  for (size_t i = 0; i < order; ++i) targets[i] = targets[i] == 0 ? shape.dims[i] : targets[i];
  kr_mode_product_options options{};
  options.order = static_cast<int32_t>(order);
  options.transpose = transpose;
  Batch<T> x = tensor<T>(shape.dims, batch), y = tensor<T>(targets, batch), expected = y;
  random.fill(x);
  std::vector<Batch<T>> factors;
  factors.reserve(order);
  std::vector<std::unique_ptr<DeviceBatch>> on_device;
  std::array<const kr_batch*, KR_MOST_MODES> host{}, device{};
  for (size_t i = 0; i < order; ++i) {
    options.dims[i] = shape.dims[i];
    const bool is_transposed = (transpose >> i & 1) != 0;
    const int64_t from = shape.dims[i], to = shape.results[i];
    factors.emplace_back(batch, is_transposed ? from : to, is_transposed ? to : from, nan_of<T>, 2);
    random.fill(factors.back());
    if (is_broadcast) factors.back().descriptor().batch_stride = 0;
    on_device.push_back(std::make_unique<DeviceBatch>(*&factors.back()));
    host[i] = to == 0 ? nullptr : &factors.back();
    device[i] = to == 0 ? nullptr : &*on_device.back();
  }
  if (is_broadcast) x.descriptor().batch_stride = 0;
  const DeviceBatch dx(*&x), dy(*&y);
  CudaCall call, reference;
  const std::string where = std::string(sizeof(T) == 4 ? "f32" : "f64") + " order " + std::to_string(order) +
                            " first " + std::to_string(shape.dims[0]);
  expect_that(cuda().mode_product(call.get(), &options, &dx, device.data(), &dy) == KR_OK, where, "answers");
  expect_that(kr_reference_backend()->mode_product(reference.get(), &options, &x, host.data(), &expected) == KR_OK,
              where, "the reference answers");
  dy.read();
  // |X| x_1 |A_1| .. is at most the product of the dims.
  double size = 1, terms = 0;
  for (int64_t d : shape.dims) {
    size *= static_cast<double>(d);
    terms += sizeof(T) == 4 ? static_cast<double>(3 * d + 8) : static_cast<double>(d + 2);
  }
  for (size_t i = 0; i < y.data().size(); ++i) {
    const double error = std::abs(static_cast<double>(y.data()[i]) - static_cast<double>(expected.data()[i]));
    expect_that(error <= terms * size * ulp_of<T>, where, "near the reference");
  }
}

TEST("mode_product: as the reference, transposed or not, broadcast or not") {
  Uniform random(5);
  for (const Shape& shape : kShapes) {
    for (const int32_t transpose : {0, 5, -1}) {
      check_shape<float>(shape, 1, transpose, false, random);
      check_shape<float>(shape, 3, transpose, false, random);
      check_shape<double>(shape, 2, transpose, true, random);
    }
  }
}

}  // namespace
}  // namespace kronroot::test
