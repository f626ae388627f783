// mode_product against the reference, and the order in which modes are multiplied.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "devices.hpp"
#include "native/core/modes.hpp"

using namespace kronroot;
using namespace kronroot::test;

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
    {{150, 60, 40}, {150, 60, 40}},
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
class Problem {
 public:
  Problem(const Shape& shape, int64_t batch, int32_t transpose, Uniform& random)
      : x_(tensor(shape.dims, batch)), y_(tensor(targets(shape), batch)), expected_(y_) {
    const size_t order = shape.dims.size();
    options_.order = static_cast<int32_t>(order);
    options_.transpose = transpose;
    random.fill(x_);
    factors_.reserve(order);
    for (size_t i = 0; i < order; ++i) {
      options_.dims[i] = shape.dims[i];
      const bool is_transposed = (transpose >> i & 1) != 0;
      const int64_t from = shape.dims[i], to = shape.results[i];
      factors_.emplace_back(batch, is_transposed ? from : to, is_transposed ? to : from);
      random.fill(factors_.back());
      descriptors_[i] = to == 0 ? nullptr : &factors_.back();
    }
  }

  static std::vector<int64_t> targets(const Shape& shape) {
    std::vector<int64_t> all = shape.results;
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i] == 0) all[i] = shape.dims[i];
    }
    return all;
  }

  bool near(double tolerance) {
    for (size_t i = 0; i < y_.data().size(); ++i) {
      if (!(std::abs(static_cast<double>(y_.data()[i]) - static_cast<double>(expected_.data()[i])) <= tolerance)) {
        return false;
      }
    }
    return true;
  }

  kr_mode_product_options options_{};
  Batch<T> x_, y_, expected_;
  std::vector<Batch<T>> factors_;
  std::array<const kr_batch*, KR_MOST_MODES> descriptors_{};

 private:
  static Batch<T> tensor(const std::vector<int64_t>& dims, int64_t batch) {
    return Batch<T>(batch, product_of(dims, dims.size() - 1), dims.back(), T{7});
  }
};

template <typename T>
void compare_with_reference(const cpu::KernelSet& set) {
  Uniform random(5);
  for (const Shape& shape : kShapes) {
    for (const int32_t transpose : {0, 5, -1}) {
      for (const int64_t batch : {1, 3}) {
        Problem<T> problem(shape, batch, transpose, random);
        DeviceCall one(set), two(set, 2);
        Call call;
        const std::string where = std::string(set.name) + " " + type_name<T> + " order " +
                                  std::to_string(shape.dims.size()) + " first " + std::to_string(shape.dims[0]);
        check(cpu::mode_product(one.get(), &problem.options_, &problem.x_, problem.descriptors_.data(), &problem.y_) ==
                  KR_OK,
              where, "answers");
        check(kr_reference_backend()->mode_product(call.get(), &problem.options_, &problem.x_,
                                                   problem.descriptors_.data(), &problem.expected_) == KR_OK,
              where, "the reference answers");
        // |X| x_1 |A_1| .. is at most the product of the dims.
        double size = 1, terms = 0;
        for (int64_t d : shape.dims) size *= static_cast<double>(d), terms += static_cast<double>(d) + 2;
        check(problem.near(terms * size * (sizeof(T) == 4 ? 0x1p-23 : 0x1p-52)), where, "near the reference", batch);
        const std::vector<T> alone = problem.y_.data();
        cpu::mode_product(two.get(), &problem.options_, &problem.x_, problem.descriptors_.data(), &problem.y_);
        check(same_bits(alone, problem.y_.data()), where, "same bits on two threads", batch);
      }
    }
  }
}

}  // namespace

TEST("mode_product: as the reference, on any number of threads") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    compare_with_reference<float>(*set);
    compare_with_reference<double>(*set);
  }
}

// Every order of multiplication costs at least as much as the one taken.
TEST("modes: the cheapest order") {
  Uniform random(9);
  const std::vector<Shape> shapes = {
      {{10, 10, 10}, {2, 20, 5}}, {{7, 3, 40, 2}, {9, 1, 30, 8}}, {{5, 5, 5}, {5, 5, 5}}, {{100, 3, 9}, {1, 27, 9}}};
  for (const Shape& shape : shapes) {
    Problem<float> problem(shape, 1, 0, random);
    Modes modes = modes_of(&problem.options_, problem.x_.descriptor(), problem.descriptors_.data());
    const double taken = modes.flops();
    for (int i = 0; i < 24; ++i) {  // 4!: all orders, from the one taken on and back to it
      std::next_permutation(modes.in_turn.begin(), modes.in_turn.begin() + modes.count);
      EXPECT(modes.flops() >= taken);
    }
  }
}

TEST("modes: square factors from the first to the last") {
  Uniform random(9);
  Problem<float> problem({{4, 9, 2}, {4, 9, 2}}, 1, 0, random);
  const Modes modes = modes_of(&problem.options_, problem.x_.descriptor(), problem.descriptors_.data());
  EXPECT(modes.count == 3 && modes.in_turn[0] == 0 && modes.in_turn[1] == 1 && modes.in_turn[2] == 2);
}
