// Products of matrices given as sums of bf16 matrices, sums in f32, on the matrix unit of the processor (AMX-BF16).
// Operands are packed for the unit once, and a product may leave its result packed for the next one.
//
// One part is the matrix rounded to bf16 (8 bits). Each further part is what the parts before it left, rounded: two
// hold 16 bits of a number, three all 24 of an f32. The product of two such sums leaves out the products of parts that
// are smaller than its rounding errors: of one part 1 is left, of two 3, of three 6. Source: Henry, Tang, Heinecke,
// "Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations", ARITH 26 (2019).
#pragma once

#include <cstdint>

namespace kronroot::cpu {

typedef uint16_t Bf16;

// Where a matrix goes: as the left or the right factor of products. Null where it is not wanted. Either form has
// bf16_form_size elements, 64-byte aligned; the layout is that of gemm/amx/forms.inl.
struct Bf16Forms {
  Bf16* left = nullptr;
  Bf16* right = nullptr;
};

// In elements; bf16_gram_workspace is that of a product A A^T, A with k columns.
constexpr int64_t bf16_padded(int64_t count) { return (count + 31) / 32 * 32; }
constexpr int64_t bf16_form_size(int64_t rows, int64_t cols, int parts = 1) {
  return parts * bf16_padded(rows) * bf16_padded(cols);
}
constexpr int64_t bf16_gram_workspace(int64_t k, int parts = 1) { return 2 * bf16_form_size(32, k, parts); }

// factor 2^exponent S or factor 2^exponent S^T, rows x cols, neither of them 0, |factor| <= 1.
struct Bf16Source {
  int64_t rows = 0, cols = 0;
  const float* s = nullptr;
  int64_t stride = 0;
  bool transpose = false;
  float factor = 1;
  int exponent = 0;
  bool may_have_nan = false;  // else NaN is only known with the bits of those that arithmetic makes
};

// C = alpha A B + beta D + gamma I, A m x k, B k x n, neither m nor n 0.
struct Bf16Product {
  int64_t m = 0, n = 0, k = 0;
  int parts = 1;            // of all operands and forms: 1, 2 or 3
  const Bf16* a = nullptr;  // as the left factor
  const Bf16* b = nullptr;  // as the right factor; null for A^T
  float alpha = 1;
  float beta = 0;
  float gamma = 0;
  // A B = (A B)^T, m == n: what lies above the diagonal is copied from below.
  bool is_symmetric = false;
  // For B = A^T, which is symmetric: bf16_gram_workspace(k, parts) elements, 64-byte aligned.
  Bf16* workspace = nullptr;

  // C packed, and then D is so too: as a left factor, but its diagonal in f32, since polynomials of a matrix near the
  // identity cancel there.
  Bf16Forms forms = {};
  float* diagonal = nullptr;  // of C, not rounded; null where it is not wanted
  const Bf16* d = nullptr;
  const float* d_diagonal = nullptr;

  // C in f32 in the place of forms, and then D is so too; it may be C. Its 32 x 32 blocks of A B are scaled beside
  // alpha by 2^-(exponent of their 32 rows + exponent of their 32 columns); null for 0 everywhere.
  float* c = nullptr;
  int64_t c_stride = 0;
  const float* plain_d = nullptr;
  int64_t plain_d_stride = 0;
  const int* row_exponents = nullptr;
  const int* column_exponents = nullptr;
  int64_t diagonal_start = 0;  // where the diagonal, which gamma is added to, crosses row 0; a multiple of 32
};

// Parts are rounded to the nearest, ties away from 0. Parts and products of them below 2^-126 count as 0; numbers
// beyond the largest of bf16 are infinite. Of infinite numbers several parts make NaN. An element of C depends on
// nothing but its row of A and its column of B. Outputs are not among the operands.
struct Bf16Kernels {
  void (*pack)(const Bf16Source& source, int parts, const Bf16Forms& forms);
  void (*multiply)(const Bf16Product& product);
  // The largest magnitude in every 32 rows of op(S), infinite or NaN where an element is; factor and exponent of the
  // source do not count.
  void (*row_magnitudes)(const Bf16Source& source, float* of_strips);
  // The largest magnitude of a form, of one part, of a rows x cols matrix; infinite or NaN where an element is.
  float (*largest_magnitude)(int64_t rows, int64_t cols, const Bf16* form);
};

}  // namespace kronroot::cpu
