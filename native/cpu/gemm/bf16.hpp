// Products of matrices rounded to bf16, sums in f32, on the matrix unit of the processor (AMX-BF16). Operands are
// packed for the unit once, and a product leaves its result packed for the next one.
#pragma once

#include <cstdint>

#include "../kernels.hpp"

namespace kronroot::cpu {

typedef uint16_t Bf16;

// Where a matrix goes, rounded to bf16: as the left or the right factor of products. Null where it is not wanted.
// Either form has bf16_form_size elements, 64-byte aligned; the layout is that of isa/amx.cpp.
struct Bf16Forms {
  Bf16* left = nullptr;
  Bf16* right = nullptr;
};

// In elements; bf16_gram_workspace is that of a product A A^T, A with k columns.
constexpr int64_t bf16_padded(int64_t count) { return (count + 31) / 32 * 32; }
constexpr int64_t bf16_form_size(int64_t rows, int64_t cols) { return bf16_padded(rows) * bf16_padded(cols); }
constexpr int64_t bf16_gram_workspace(int64_t k) { return 2 * bf16_form_size(32, k); }

// factor 2^exponent S or factor 2^exponent S^T, rows x cols, neither of them 0, |factor| <= 1.
struct Bf16Source {
  int64_t rows = 0, cols = 0;
  const float* s = nullptr;
  int64_t stride = 0;
  bool transpose = false;
  float factor = 1;
  int exponent = 0;
};

// C = alpha A B + beta D + gamma I, A m x k, B k x n, neither m nor n 0.
struct Bf16Product {
  int64_t m = 0, n = 0, k = 0;
  const Bf16* a = nullptr;  // as the left factor
  const Bf16* b = nullptr;  // as the right factor; null for A^T
  float alpha = 1;
  float beta = 0;
  // As a left factor, but its diagonal in f32: polynomials of a matrix near the identity cancel there.
  const Bf16* d = nullptr;
  const float* d_diagonal = nullptr;
  float gamma = 0;
  // A B = (A B)^T, m == n: the blocks above the diagonal are copied from below.
  bool is_symmetric = false;
  // For B = A^T, which is symmetric: bf16_gram_workspace(k) elements, 64-byte aligned.
  Bf16* workspace = nullptr;

  Bf16Forms forms = {};
  float* diagonal = nullptr;  // of C, not rounded; null where it is not wanted
  // C = alpha A B itself in the place of forms, for products that are not symmetric.
  float* c = nullptr;
  int64_t c_stride = 0;
};

// In products and in what becomes of them numbers below 2^-126 count as 0, and those beyond the largest of bf16 are
// infinite. Results depend on nothing but the operands. Outputs are not among the operands.
struct Bf16Kernels {
  void (*pack)(const Bf16Source& source, const Bf16Forms& forms);
  void (*multiply)(const Bf16Product& product);
  // The largest magnitude of a form of a rows x cols matrix; infinite or NaN where an element is.
  float (*largest_magnitude)(int64_t rows, int64_t cols, const Bf16* form);
};

// Null where the processor or the operating system does not have the unit, or `set` is one for older processors. Asks
// the system for its use once a process.
const Bf16Kernels* bf16_kernels(const KernelSet& set);

// In isa/amx.cpp, for processors that have the unit.
void amx_pack(const Bf16Source& source, const Bf16Forms& forms);
void amx_multiply(const Bf16Product& product);
float amx_largest_magnitude(int64_t rows, int64_t cols, const Bf16* form);

}  // namespace kronroot::cpu
