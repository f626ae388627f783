#include "split.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../scratch.hpp"
#include "bf16.hpp"

namespace kronroot::cpu {
namespace {

constexpr int kParts = 3;

// Of A, kRows x kDepth are packed at a time, which stay in the L2 cache, and of B kDepth x kColumns.
constexpr int64_t kRows = 256;
constexpr int64_t kDepth = 512;
constexpr int64_t kColumns = 1024;
constexpr int64_t kStrip = 32;  // rows of A, or columns of B, that share an exponent

constexpr int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The e for which 2^e times numbers up to `largest` have products far from both ends of the range of f32.
int exponent_for(float largest) {
  constexpr float kLeast = 0x1p-20f, kMost = 0x1p20f;
  if (largest == 0 || (largest >= kLeast && largest <= kMost) || !std::isfinite(largest)) return 0;
  return -std::ilogb(largest);
}

// An operand as the rows that it gives to products: those of A, or the columns of B.
struct Operand {
  Bf16Source whole;
  bool is_left;
  float* magnitudes;  // of strips
  int* exponents;

  Operand(Scratch& scratch, const Bf16Source& source, bool left)
      : whole(source),
        is_left(left),
        magnitudes(scratch.take<float>(ceil_divide(source.rows, kStrip))),
        exponents(scratch.take<int>(ceil_divide(source.rows, kStrip))) {}

  // Whether strips have exponents other than 0.
  bool examine(const Bf16Kernels& unit) const {
    unit.row_magnitudes(whole, magnitudes);
    bool is_scaled = false;
    for (int64_t strip = 0; strip < ceil_divide(whole.rows, kStrip); ++strip) {
      exponents[strip] = exponent_for(magnitudes[strip]);
      is_scaled = is_scaled || exponents[strip] != 0;
    }
    return is_scaled;
  }

  // Rows [first, first + count) and columns [k, k + depth), strip by strip.
  void pack(const Bf16Kernels& unit, int64_t first, int64_t count, int64_t k, int64_t depth, Bf16* form) const {
    for (int64_t i = first; i < first + count; i += kStrip) {
      Bf16Source strip = whole;
      strip.rows = std::min(kStrip, first + count - i);
      strip.cols = depth;
      strip.s += whole.transpose ? k * whole.stride + i : i * whole.stride + k;
      strip.exponent = exponents[i / kStrip];
      strip.may_have_nan = !std::isfinite(magnitudes[i / kStrip]);
      Bf16* const to = form + bf16_form_size(i - first, depth, kParts);
      if (is_left) {
        unit.pack(strip, kParts, {.left = to});
      } else {
        std::swap(strip.rows, strip.cols);
        strip.transpose = !strip.transpose;
        unit.pack(strip, kParts, {.right = to});
      }
    }
  }
};

bool is_gram(const Product<float>& p) {
  return p.triangle == Triangle::mirrored && p.a == p.b && p.a_stride == p.b_stride && p.transpose_a != p.transpose_b;
}

}  // namespace

void multiply_split(const Kernels<float>& kernels, const Product<float>& p) {
  const Bf16Kernels& unit = *kernels.bf16;
  const bool is_symmetric = p.triangle == Triangle::mirrored, has_own_b = !is_gram(p);
  const int64_t depth = std::min(p.k, bf16_padded(ceil_divide(p.k, ceil_divide(p.k, kDepth))));
  // A symmetric product is done at once, since it ends at the diagonal.
  const int64_t rows = is_symmetric ? p.m : std::min(p.m, kRows);
  const int64_t columns = is_symmetric ? p.n : std::min(p.n, kColumns);

  Scratch scratch;
  const Operand of_a(scratch, {.rows = p.m, .cols = p.k, .s = p.a, .stride = p.a_stride, .transpose = p.transpose_a},
                     true);
  const Operand of_b(scratch, {.rows = p.n, .cols = p.k, .s = p.b, .stride = p.b_stride, .transpose = !p.transpose_b},
                     false);
  Bf16* const a = scratch.take<Bf16>(bf16_form_size(rows, depth, kParts));
  Bf16* const b = has_own_b ? scratch.take<Bf16>(bf16_form_size(depth, columns, kParts)) : nullptr;
  Bf16* const workspace = has_own_b ? nullptr : scratch.take<Bf16>(bf16_gram_workspace(depth, kParts));
  const bool is_a_scaled = of_a.examine(unit);
  const bool is_b_scaled = has_own_b && of_b.examine(unit);
  const int* const column_exponents = has_own_b ? of_b.exponents : of_a.exponents;

  for (int64_t j = 0; j < p.n; j += columns) {
    for (int64_t k = 0; k < p.k; k += depth) {
      Bf16Product product{.n = std::min(columns, p.n - j), .k = std::min(depth, p.k - k), .parts = kParts, .a = a};
      product.b = b;
      product.workspace = workspace;
      product.alpha = p.alpha;
      product.beta = k == 0 ? p.beta : 1;
      product.gamma = k == 0 ? p.gamma : 0;
      product.is_symmetric = is_symmetric;
      product.c_stride = p.c_stride;
      if (has_own_b) of_b.pack(unit, j, product.n, k, product.k, b);
      for (int64_t i = 0; i < p.m; i += rows) {
        product.m = std::min(rows, p.m - i);
        of_a.pack(unit, i, product.m, k, product.k, a);
        product.c = p.c + i * p.c_stride + j;
        product.diagonal_start = i - j;
        const bool reads_d = k == 0 && p.d != nullptr;
        product.plain_d = reads_d ? p.d + i * p.d_stride + j : product.c;
        product.plain_d_stride = reads_d ? p.d_stride : p.c_stride;
        if (is_a_scaled || is_b_scaled) {
          product.row_exponents = of_a.exponents + i / kStrip;
          product.column_exponents = column_exponents + j / kStrip;
        }
        unit.multiply(product);
      }
    }
  }
}

}  // namespace kronroot::cpu
