// Products of matrices of bf16 parts (gemm/bf16.hpp), on the unit or on emulated tiles (test/amx).
#include "native/cpu/gemm/bf16.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "devices.hpp"
#include "native/core/random.hpp"

namespace {

using namespace kronroot::test;
using kronroot::cpu::Bf16;
using kronroot::cpu::Bf16Forms;
using kronroot::cpu::Bf16Kernels;
using kronroot::cpu::Bf16Product;
using kronroot::cpu::Bf16Source;

const Bf16Kernels* kernels() { return kronroot::cpu::best_kernels().f32.bf16; }

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// To nearest, ties away from 0.
float rounded_to_bf16(float x) { return std::bit_cast<float>((std::bit_cast<uint32_t>(x) + 0x8000) & 0xffff0000u); }

// The sum of the first parts of x.
float rounded_to_parts(float x, int parts) {
  float sum = 0;
  for (int part = 0; part < parts; ++part) sum += rounded_to_bf16(x - sum);
  return sum;
}

// Rows with a gap behind each.
struct Numbers {
  int64_t rows, cols, stride;
  std::vector<float> values;

  Numbers(int64_t rows, int64_t cols, float filler = 0)
      : rows(rows), cols(cols), stride(cols + 3), values(static_cast<size_t>(rows * stride), filler) {}
  float& at(int64_t i, int64_t j) { return values[static_cast<size_t>(i * stride + j)]; }
  float at(int64_t i, int64_t j) const { return values[static_cast<size_t>(i * stride + j)]; }
  double rounded(int64_t i, int64_t j, int parts = 1) const {
    return static_cast<double>(rounded_to_parts(at(i, j), parts));
  }

  Numbers transposed() const {
    Numbers t(cols, rows);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) t.at(j, i) = at(i, j);
    }
    return t;
  }
};

Numbers random_numbers(int64_t rows, int64_t cols, uint64_t seed) {
  Numbers x(rows, cols);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      const uint64_t bits = kronroot::random_bits(seed, static_cast<uint64_t>(i * cols + j));
      x.at(i, j) = static_cast<float>(static_cast<double>(bits >> 11) * 0x1p-53 - 0.5);
    }
  }
  return x;
}

Numbers identity(int64_t n) {
  Numbers x(n, n);
  for (int64_t i = 0; i < n; ++i) x.at(i, i) = 1;
  return x;
}

// The memory of a form, NaN where nothing is written.
class Form {
 public:
  Form(int64_t rows, int64_t cols, int parts = 1)
      : memory_(static_cast<size_t>(kronroot::cpu::bf16_form_size(rows, cols, parts)) + 32, Bf16{0xffff}) {}
  Bf16* get() {
    Bf16* start = memory_.data();
    while (reinterpret_cast<uintptr_t>(start) % 64 != 0) ++start;
    return start;
  }

 private:
  std::vector<Bf16> memory_;
};

// All forms of a matrix.
struct Packed {
  Packed(int64_t rows, int64_t cols, int parts = 1)
      : rows(rows), cols(cols), left(rows, cols, parts), right(rows, cols, parts) {}
  explicit Packed(const Numbers& x, int parts = 1) : Packed(x.rows, x.cols, parts) {
    const Bf16Source source{.rows = rows, .cols = cols, .s = x.values.data(), .stride = x.stride};
    kernels()->pack(source, parts, {.left = left.get()});
    kernels()->pack(source, parts, {.right = right.get()});
  }
  Bf16Forms forms() { return {left.get(), right.get()}; }

  int64_t rows, cols;
  Form left, right;
};

// C = A B, A m x k and B k x n.
Numbers product(Bf16* a, Bf16* b, int64_t m, int64_t n, int64_t k, float alpha = 1, int parts = 1) {
  Numbers c(m, n, -7.0f);
  Bf16Product p{.m = m, .n = n, .k = k, .parts = parts, .a = a, .b = b, .alpha = alpha};
  p.c = c.values.data();
  p.c_stride = c.stride;
  kernels()->multiply(p);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = n; j < c.stride; ++j) EXPECT(c.values[static_cast<size_t>(i * c.stride + j)] == -7.0f);
  }
  return c;
}

Numbers product(const Numbers& a, const Numbers& b, float alpha = 1) {
  Packed left(a), right(b);
  return product(left.left.get(), right.right.get(), a.rows, b.cols, a.cols, alpha);
}

// The numbers of each form: by products with the identity, which are exact and would show padding that is not zero.
void check_forms(const Bf16Forms& c, const Numbers& expected, double tolerance, const std::string& where,
                 int parts = 1) {
  const int64_t rows = expected.rows, cols = expected.cols;
  Packed of_rows(identity(rows), parts), of_cols(identity(cols), parts);
  const Numbers from[] = {
      product(c.left, of_cols.right.get(), rows, cols, cols, 1, parts),
      product(of_rows.left.get(), c.right, rows, cols, rows, 1, parts),
  };
  const char* const names[] = {"left", "right"};
  for (int form = 0; form < 2; ++form) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) {
        const double goal = expected.rounded(i, j, parts);
        const double error = std::abs(static_cast<double>(from[form].at(i, j)) - goal);
        check(error <= tolerance * (1 + std::abs(goal)), where, names[form], error);
      }
    }
  }
}

std::string shape(int64_t m, int64_t n, int64_t k) {
  return std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k);
}

// What the products of parts that are left out amount to, relative to |A| |B|.
double left_out(int parts) { return parts == 1 ? 0 : parts == 2 ? 0x1p-16 : 0x1p-24; }

void check_product_of_parts(int64_t m, int64_t n, int64_t k, int parts) {
  const std::string where = shape(m, n, k) + " of " + std::to_string(parts);
  const Numbers a = random_numbers(m, k, 1), b = random_numbers(k, n, 2);
  Packed left(a, parts), right(b, parts), forms(m, n, parts);
  const Numbers c = product(left.left.get(), right.right.get(), m, n, k, 0.75f, parts);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0, size = 0;
      for (int64_t q = 0; q < k; ++q) {
        sum += a.rounded(i, q, parts) * b.rounded(q, j, parts);
        size += std::abs(a.rounded(i, q, parts) * b.rounded(q, j, parts));
      }
      const double error = std::abs(static_cast<double>(c.at(i, j)) - 0.75 * sum);
      check(error <= (static_cast<double>(k + 1) * 0x1p-23 + left_out(parts)) * size, where, "error", error);
    }
  }
  Bf16Product p{.m = m, .n = n, .k = k, .parts = parts, .a = left.left.get(), .b = right.right.get(), .alpha = 0.75f};
  p.forms = forms.forms();
  kernels()->multiply(p);
  check_forms(p.forms, c, 0, where, parts);
}

void check_product(int64_t m, int64_t n, int64_t k) {
  for (const int parts : {1, 2, 3}) check_product_of_parts(m, n, k, parts);
}

// G = X X^T and W = a I + b G + c G^2, as the iteration forms them.
void check_polynomial_of_parts(int64_t m, int64_t n, int parts) {
  const std::string where = "polynomial " + shape(m, m, n) + " of " + std::to_string(parts);
  const Numbers x = random_numbers(m, n, 3);
  Packed packed(x, parts), gram(m, m, parts);
  std::vector<float> diagonal(static_cast<size_t>(m));
  Packed transposed(x.transposed(), parts);
  Numbers g = product(packed.left.get(), transposed.right.get(), m, m, n, 1, parts);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = i + 1; j < m; ++j) g.at(i, j) = g.at(j, i);
  }
  Form workspace(64, n, parts);
  Bf16Product p{.m = m, .n = m, .k = n, .parts = parts, .a = packed.left.get(), .workspace = workspace.get()};
  p.is_symmetric = true;
  p.forms = gram.forms();
  p.diagonal = diagonal.data();
  kernels()->multiply(p);
  for (int64_t i = 0; i < m; ++i) check(diagonal[static_cast<size_t>(i)] == g.at(i, i), where, "diagonal of G");
  check_forms(gram.forms(), g, 0, where + " G", parts);

  Bf16Product q{.m = m, .n = m, .k = m, .parts = parts, .a = gram.left.get(), .b = gram.right.get(), .alpha = 2.5f};
  q.beta = -4;
  q.d = gram.left.get();
  q.d_diagonal = diagonal.data();
  q.gamma = 3;
  q.is_symmetric = true;
  Numbers w(m, m);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < m; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < m; ++k) sum += g.rounded(i, k, parts) * g.rounded(k, j, parts);
      const double d = i == j ? static_cast<double>(g.at(i, i)) : g.rounded(i, j, parts);
      w.at(i, j) = static_cast<float>(2.5 * sum - 4 * d + (i == j ? 3 : 0));
    }
  }
  // Sums of this size round to bf16 with 2^-9, and in f32 they may fall on either side of a tie; the more parts, the
  // more the sums' own roundings count, which grow with the order.
  const double tolerance = parts == 1 ? 0x1p-7 : parts == 2 ? 0x1p-13 : 0x1p-15;
  Packed both(m, m, parts), alone(m, m, parts);
  q.forms = both.forms();
  kernels()->multiply(q);
  check_forms(both.forms(), w, tolerance, where + " W", parts);
  // The left form alone needs its mirror image through a spare tile.
  q.forms.left = alone.left.get();
  q.forms.right = nullptr;
  kernels()->multiply(q);
  check_forms({alone.left.get(), both.right.get()}, w, tolerance, where + " W alone", parts);
}

void check_polynomial(int64_t m, int64_t n) {
  for (const int parts : {1, 2, 3}) check_polynomial_of_parts(m, n, parts);
}

constexpr int64_t kEdges[] = {1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 64, 70};

}  // namespace

TEST("bf16 products: sums in f32 of operands rounded to bf16, in every form, around the edges of tiles") {
  if (kernels() == nullptr) return;  // no AMX here
  for (const int64_t s : kEdges) {
    check_product(s, 2 * s + 1, s + 5);
    check_product(40, s, 33);
    check_product(s, 40, 16);
    check_product(33, 34, s);
    check_polynomial(s, 47);
    check_polynomial(s, 2 * s);
  }
  check_product(530, 40, 300);
  check_polynomial(300, 33);
  check_polynomial(270, 40);  // one row of blocks beyond those that are kept in the cache
}

TEST("bf16 products: the diagonal of D is not rounded") {
  if (kernels() == nullptr) return;
  // G = x^2 = 1 + 2^-6 + 2^-14, whose last bit bf16 does not hold; G - 1 - 2^-6 is that bit.
  Packed x(Numbers(1, 1, 1 + 0x1p-7f)), gram(1, 1), rest(1, 1), one(identity(1));
  Form workspace(64, 1);
  float diagonal = 0;
  Bf16Product p{.m = 1, .n = 1, .k = 1, .a = x.left.get(), .is_symmetric = true, .workspace = workspace.get()};
  p.forms = gram.forms();
  p.diagonal = &diagonal;
  kernels()->multiply(p);
  Bf16Product q{.m = 1, .n = 1, .k = 1, .a = gram.left.get(), .b = gram.right.get(), .alpha = 0, .beta = 1};
  q.d = gram.left.get();
  q.d_diagonal = &diagonal;
  q.gamma = -1 - 0x1p-6f;
  q.is_symmetric = true;
  q.forms = rest.forms();
  kernels()->multiply(q);
  EXPECT(product(rest.left.get(), one.right.get(), 1, 1, 1).at(0, 0) == 0x1p-14f);
}

TEST("bf16 products: matrices are packed from either order, scaled by any factor") {
  if (kernels() == nullptr) return;
  for (const int64_t rows : kEdges) {
    for (const int64_t cols : {1, 16, 17, 33, 64}) {
      const Numbers x = random_numbers(rows, cols, 5), t = x.transposed();
      for (const bool transpose : {false, true}) {
        const Numbers& from = transpose ? t : x;
        Packed packed(rows, cols);
        Bf16Source source{.rows = rows, .cols = cols, .s = from.values.data(), .stride = from.stride};
        source.transpose = transpose;
        source.factor = 0.75f;
        source.exponent = 3;
        kernels()->pack(source, 1, packed.forms());
        Numbers scaled(rows, cols);
        for (int64_t i = 0; i < rows; ++i) {
          for (int64_t j = 0; j < cols; ++j) scaled.at(i, j) = 6 * x.at(i, j);
        }
        check_forms(packed.forms(), scaled, 0, shape(rows, cols, 0));
      }
    }
  }
  // From denormals and from the largest numbers there are.
  for (const float size : {0x1p-149f, 0x1p-140f, 0x1.fep127f}) {
    Numbers x(1, 1, size);
    Packed packed(1, 1), one(identity(1));
    Bf16Source source{.rows = 1, .cols = 1, .s = x.values.data(), .stride = x.stride};
    source.factor = 0.5f;
    source.exponent = -std::ilogb(size);
    kernels()->pack(source, 1, packed.forms());
    const float back = product(packed.left.get(), one.right.get(), 1, 1, 1).at(0, 0);
    EXPECT(back == rounded_to_bf16(0.5f * std::ldexp(size, -std::ilogb(size))));
  }
}

TEST("bf16 products: NaN and infinity reach their row of C, and no other") {
  if (kernels() == nullptr) return;
  const int64_t m = 40, n = 35, k = 50;
  const Numbers a = random_numbers(m, k, 6), b = random_numbers(k, n, 7), clean = product(a, b);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
    for (const int64_t row : {0, 15, 16, 33, 39}) {
      Numbers poisoned = a;
      poisoned.at(row, 17) = bad;
      const Numbers c = product(poisoned, b);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          if (i != row) {
            EXPECT(std::bit_cast<uint32_t>(c.at(i, j)) == std::bit_cast<uint32_t>(clean.at(i, j)));
          } else if (std::isnan(bad)) {
            EXPECT(std::isnan(c.at(i, j)));
          } else {
            EXPECT(c.at(i, j) == (b.at(17, j) > 0 ? bad : -bad));
          }
        }
      }
    }
  }
  // Infinity times zero, and infinities of both signs.
  Numbers x(1, 2), y(2, 1);
  x.at(0, 0) = kInfinity;
  EXPECT(std::isnan(product(x, y).at(0, 0)));
  y.at(0, 0) = y.at(1, 0) = 1;
  x.at(0, 1) = -kInfinity;
  EXPECT(std::isnan(product(x, y).at(0, 0)));
  // The same through a form: NaN stays NaN when it is rounded.
  Packed left(x), right(y), forms(1, 1), one(identity(1));
  Bf16Product p{.m = 1, .n = 1, .k = 2, .a = left.left.get(), .b = right.right.get()};
  p.forms = forms.forms();
  kernels()->multiply(p);
  EXPECT(std::isnan(product(forms.left.get(), one.right.get(), 1, 1, 1).at(0, 0)));
  EXPECT(std::isnan(product(one.left.get(), forms.right.get(), 1, 1, 1).at(0, 0)));
}

TEST("bf16 products: numbers beyond bf16 are infinite, numbers below 2^-126 and such results are 0") {
  if (kernels() == nullptr) return;
  const auto scalar = [](float x, float y) {
    Numbers a(1, 1, x), b(1, 1, y);
    return product(a, b).at(0, 0);
  };
  constexpr float kMost = 0x1.fep127f, kHuge = std::numeric_limits<float>::max(), kLeast = 0x1p-126f;
  EXPECT(scalar(kMost, 1) == kMost);
  EXPECT(scalar(-kMost, 1) == -kMost);
  EXPECT(scalar(0x1.fefffep127f, 1) == kMost);  // below the tie, where rounding is downwards
  EXPECT(scalar(kHuge, 1) == kInfinity);
  EXPECT(scalar(-kHuge, 1) == -kInfinity);
  EXPECT(scalar(kMost, kMost) == kInfinity);
  EXPECT(scalar(kMost, 0x1p-126f) == 0x1.fep1f);
  EXPECT(scalar(kLeast, 1) == kLeast);
  EXPECT(scalar(0x1.fffffcp-127f, 1) == kLeast);  // to which it is rounded
  for (const float tiny : {0x1p-127f, 0x1.fdp-127f, 0x1p-149f, -0x1p-130f}) {
    EXPECT(scalar(tiny, 1) == 0);
    EXPECT(scalar(0x1p100f, tiny) == 0);
  }
  EXPECT(scalar(kLeast, 0.5f) == 0);
  EXPECT(scalar(0x1p-100f, 0x1p-100f) == 0);
  // Beside others they are zeros too.
  Numbers a = random_numbers(20, 33, 8), zeroed = a;
  const Numbers b = random_numbers(33, 20, 9);
  for (int64_t i = 0; i < 20; ++i) {
    a.at(i, i) = 0x1p-128f;
    zeroed.at(i, i) = 0;
  }
  EXPECT(same_bits(product(a, b).values, product(zeroed, b).values));
}

TEST("bf16 products: the largest magnitude of a form, infinite or NaN where an element is") {
  if (kernels() == nullptr) return;
  for (const int64_t rows : kEdges) {
    for (const int64_t cols : {1, 17, 64}) {
      for (const float odd : {-3.0f, 2.5f, kInfinity, -kInfinity, nan_of<float>}) {
        Numbers x = random_numbers(rows, cols, 11);
        x.at(rows - 1, cols / 2) = odd;
        x.at(0, 0) = rows * cols == 1 ? odd : x.at(0, 0);
        Packed packed(x);
        for (const Bf16* form : {packed.left.get(), packed.right.get()}) {
          const float found = kernels()->largest_magnitude(rows, cols, form);
          EXPECT(std::isnan(odd) ? std::isnan(found) : found == std::abs(odd));
        }
      }
    }
  }
}

TEST("bf16 products: only in the set that is named for the unit") {
  for (const kronroot::cpu::KernelSet* set : kernel_sets()) {
    EXPECT((set->f32.bf16 != nullptr) == (set->isa == kronroot::cpu::Isa::amx));
  }
}
