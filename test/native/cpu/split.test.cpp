// f32 products of bf16 parts (gemm/split.hpp), on the unit or on emulated tiles (test/amx).
#include "native/cpu/gemm/split.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "devices.hpp"
#include "native/core/matrix.hpp"
#include "native/cpu/product.hpp"

namespace {

using namespace kronroot::test;
using kronroot::cpu::KernelSet;
using kronroot::cpu::Product;
using kronroot::cpu::Triangle;

// The best kernels, the unit for products of every size; null without it.
const KernelSet* set() {
  static const KernelSet with_unit = [] {
    KernelSet best = kronroot::cpu::best_kernels();
    best.f32.split_order = 1;
    return best;
  }();
  return with_unit.f32.bf16 == nullptr ? nullptr : &with_unit;
}

struct Shape {
  int64_t m, n, k;
  bool transpose_a = false, transpose_b = false;
  Triangle triangle = Triangle::full;

  std::string name() const {
    return std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k) + (transpose_a ? " A^T" : "") +
           (transpose_b ? " B^T" : "") + (triangle == Triangle::mirrored ? " mirrored" : "");
  }
};

// A product and the memory of it, rows with gaps behind them.
struct Case {
  Shape shape;
  std::vector<float> a, b, c, d;
  Product<float> product;
  bool uses_d, shares;  // D apart from C; B = A

  // `size` is the largest magnitude of A and B, about.
  Case(const Shape& given, bool is_gram, bool has_d, float beta, float size, Uniform& random) : shape(given) {
    const int64_t a_rows = shape.transpose_a ? shape.k : shape.m, a_cols = shape.transpose_a ? shape.m : shape.k;
    const int64_t b_rows = shape.transpose_b ? shape.n : shape.k, b_cols = shape.transpose_b ? shape.k : shape.n;
    product = {.m = shape.m, .n = shape.n, .k = shape.k, .alpha = -0.75f};
    product.a_stride = a_cols + 2;
    product.transpose_a = shape.transpose_a;
    product.b_stride = is_gram ? product.a_stride : b_cols + 3;
    product.transpose_b = shape.transpose_b;
    product.beta = beta;
    product.d_stride = shape.n + 5;
    product.gamma = 1.25f;
    product.c_stride = shape.n + 1;
    product.triangle = shape.triangle;
    a = numbers(a_rows * product.a_stride, size, random);
    b = is_gram ? std::vector<float>{} : numbers(b_rows * product.b_stride, size, random);
    c = numbers(shape.m * product.c_stride, 1, random);
    d = numbers(shape.m * product.d_stride, 1, random);
    uses_d = has_d;
    shares = is_gram;
  }

  static std::vector<float> numbers(int64_t count, float size, Uniform& random) {
    std::vector<float> x(static_cast<size_t>(count));
    for (float& each : x) each = size * static_cast<float>(random.next());
    return x;
  }
  Product<float> into(std::vector<float>& to) const {
    Product<float> p = product;
    p.a = a.data();
    p.b = shares ? a.data() : b.data();
    p.d = uses_d ? d.data() : nullptr;
    p.c = to.data();
    return p;
  }
  double at_a(int64_t i, int64_t l) const {
    return a[static_cast<size_t>(shape.transpose_a ? l * product.a_stride + i : i * product.a_stride + l)];
  }
  double at_b(int64_t l, int64_t j) const {
    const std::vector<float>& from = shares ? a : b;
    return from[static_cast<size_t>(shape.transpose_b ? j * product.b_stride + l : l * product.b_stride + j)];
  }
};

// Within (3 k + 2) ulp of |alpha| |A| |B| + |beta D| + |gamma| I, as ops.h states it for products on the unit.
void check_product(const Shape& shape, bool is_gram, bool has_d, float beta, float size = 1) {
  Uniform random(5);
  const Case given(shape, is_gram, has_d, beta, size, random);
  std::vector<float> c = given.c;
  kronroot::cpu::multiply(set()->f32, given.into(c));
  const std::string where = shape.name() + (is_gram ? " gram" : "") + (has_d ? " D" : "");
  const bool mirrored = shape.triangle == Triangle::mirrored;
  for (int64_t i = 0; i < shape.m; ++i) {
    for (int64_t j = 0; j < shape.n; ++j) {
      const int64_t row = mirrored && j > i ? j : i, column = mirrored && j > i ? i : j;
      const auto& from_d = has_d ? given.d : given.c;
      const int64_t d_stride = has_d ? given.product.d_stride : given.product.c_stride;
      double sum = row == column ? 1.25 : 0;
      sum += static_cast<double>(beta) * from_d[static_cast<size_t>(row * d_stride + column)];
      double bound = std::abs(sum);
      for (int64_t l = 0; l < shape.k; ++l) {
        const double term = -0.75 * given.at_a(row, l) * given.at_b(l, column);
        sum += term;
        bound += std::abs(term);
      }
      const double error = std::abs(static_cast<double>(c[static_cast<size_t>(i * given.product.c_stride + j)]) - sum);
      check(error <= static_cast<double>(3 * shape.k + 2) * 0x1p-23 * bound, where, "error", error);
    }
    const auto padding = static_cast<size_t>(i * given.product.c_stride + shape.n);
    check(c[padding] == given.c[padding], where, "the padding was written");
  }
}

// Symmetric without being A A^T by its pointers: B is A again, elsewhere.
void check_symmetric(int64_t n, int64_t k) {
  Uniform random(6);
  Case given({n, n, k, false, true, Triangle::mirrored}, false, false, 0, 1, random);
  given.b = given.a;
  given.product.b_stride = given.product.a_stride;
  std::vector<float> apart = given.c, together = given.c;
  kronroot::cpu::multiply(set()->f32, given.into(apart));
  given.shares = true;
  kronroot::cpu::multiply(set()->f32, given.into(together));
  check(same_bits(apart, together), given.shape.name(), "by pointers or not");
}

TEST("split products: (3 k + 2) ulp elementwise for every shape, transposition, alpha, beta, gamma and D") {
  if (set() == nullptr) return;
  for (const int64_t s : {1, 2, 15, 16, 17, 31, 32, 33, 47, 64, 70}) {
    for (const bool transpose_a : {false, true}) {
      for (const bool transpose_b : {false, true}) {
        check_product({s, s + 5, 33, transpose_a, transpose_b}, false, s % 2 == 0, 0.5f);
        check_product({40, 20, s, transpose_a, transpose_b}, false, false, 0);
      }
      const Shape square{s, s, 2 * s + 1, transpose_a, !transpose_a, Triangle::mirrored};
      for (const float beta : {0.0f, 1.0f}) {
        check_product(square, true, false, beta);
        check_product(square, true, true, beta);
      }
    }
    check_symmetric(s, s + 3);
  }
  // Several blocks of the depth, of columns and of rows.
  check_product({40, 40, 1100}, false, true, 0.5f);
  check_product({40, 40, 1100, true, false, Triangle::mirrored}, true, true, 0.5f);
  check_product({20, 1100, 20}, false, false, 0.5f);
  check_product({600, 20, 40, true}, false, false, 0.5f);
  check_product({1100, 1060, 20}, false, false, 0.5f);
  check_product({300, 300, 40, false, true, Triangle::mirrored}, true, false, 0);
}

TEST("split products: any scale of the operands, by strips of rows and columns") {
  if (set() == nullptr) return;
  for (const float size : {0x1p-60f, 0x1p-21f, 0x1p21f, 0x1p60f}) check_product({33, 34, 35}, false, false, 0, size);
  // Where products of the numbers as they are would be denormal, or infinite on the way.
  for (const float size : {0x1p-120f, 0x1p120f}) {
    std::vector<float> a(64 * 64, size), b(64 * 64, 1 / size), c(64 * 64);
    a[5] = size * 0x1p-30f;
    std::fill(a.begin() + 40 * 64, a.end(), 1.0f);  // another strip, of another size
    Product<float> p{.m = 64, .n = 64, .k = 64, .a = a.data(), .a_stride = 64, .b = b.data(), .b_stride = 64};
    p.c = c.data();
    p.c_stride = 64;
    kronroot::cpu::multiply(set()->f32, p);
    EXPECT(c[0] == 63 && c[64] == 64 && c[63 * 64] == 64 / size);
  }
}

TEST("split products: parts of a product have the bits of the whole, whatever lies in the other rows") {
  if (set() == nullptr) return;
  Uniform random(7);
  Case given({130, 70, 90}, false, false, 0, 1, random);
  given.product.gamma = 0;
  given.a[3] = 0x1p40f;
  given.a[static_cast<size_t>(40 * given.product.a_stride)] = nan_of<float>;
  std::vector<float> whole = given.c;
  const Product<float> all = given.into(whole);
  kronroot::cpu::multiply(set()->f32, all);
  for (const int64_t parts : {2, 3, 4}) {
    std::vector<float> apart = given.c;
    Product<float> product = all;
    product.c = apart.data();
    kronroot::cpu::multiply_in_parts(set()->f32, product, parts);
    EXPECT(same_bits(apart, whole));
  }
}

TEST("split products: NaN and infinity reach their row or column of C, and no other") {
  if (set() == nullptr) return;
  // With every bit set NaN would become -0 when it is rounded by an addition.
  const float full_nan = std::bit_cast<float>(0x7fffffffu);
  for (const float bad : {std::numeric_limits<float>::infinity(), nan_of<float>, full_nan}) {
    for (const bool in_b : {false, true}) {
      Uniform random(8);
      Case given({40, 50, 60}, false, false, 0, 1, random);
      std::vector<float> clean = given.c, split = given.c;
      kronroot::cpu::multiply(set()->f32, given.into(clean));
      const int64_t row = 33, column = 7;
      const int64_t stride = in_b ? given.product.b_stride : given.product.a_stride;
      (in_b ? given.b : given.a)[static_cast<size_t>(row * stride + column)] = bad;
      kronroot::cpu::multiply(set()->f32, given.into(split));
      for (int64_t i = 0; i < 40; ++i) {
        for (int64_t j = 0; j < 50; ++j) {
          const auto at = static_cast<size_t>(i * given.product.c_stride + j);
          const bool is_touched = in_b ? j == column : i == row;
          EXPECT(is_touched ? !std::isfinite(split[at]) : split[at] == clean[at]);
        }
      }
    }
  }
}

}  // namespace
