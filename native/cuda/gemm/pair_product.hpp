// Products for iterations on matrices, of f32 accuracy on the 16-bit matrix unit: every matrix is two planes of fp16,
// x = 2^-exponent (high + low), and x y is high high + high low + low high in f32 sums. With |x| 2^exponent below 2^16
// and above 2^-3 both planes are normal numbers and x keeps 22 bits; smaller ones keep an absolute error of
// 2^-25-exponent. Or one plane, 11 bits and one product, which is more than bf16 keeps.
// Source: Ootomo and Yokota, Int. J. High Perform. Comput. Appl. 36 (2022), with the scale chosen beforehand instead of
// a scaled low plane.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// Matrices of one shape without gaps; rows are `stride` elements apart, a multiple of 8, and columns from `cols` on
// hold zeros.
struct PairBatch {
  Global<Half> high, low;  // low: nullptr where there is one plane
  int64_t batch = 0, rows = 0, cols = 0, stride = 0;
  int exponent = 0;

  __host__ __device__ int64_t matrix_stride() const { return rows * stride; }
  __host__ __device__ explicit operator bool() const { return static_cast<bool>(high); }
};

// What a product costs: three products of planes, or one of the high planes alone, accurate to 2^-11.
enum class PairPrecision { full, high_planes };

// Of planes for elements of magnitude up to `largest`: largest 2^exponent is in (2^14, 2^15], half of what fp16 holds.
int plane_exponent(double largest);

// Scratch memory for matrices with elements of magnitude up to `largest`, a bound that is known beforehand; up to
// twice that does not overflow. Enqueues zeros for the columns beyond `cols`.
PairBatch pair_scratch(Op& op, int64_t batch, int64_t rows, int64_t cols, double largest,
                       PairPrecision precision = PairPrecision::full);

// to = factor[b] from, from f32, and transposed = to^T where given; factor, one for each matrix in device memory, or
// nullptr for 1. With `skip` as in PairProduct.
void split(Op& op, const BatchView<const float>& from, const PairBatch& to, const float* factor = nullptr,
           const int32_t* skip = nullptr, const PairBatch& transposed = {});

// C = beta D + alpha A B^T + gamma I for every matrix; A and B have rows of one length. C may be D, and neither A nor
// B.
struct PairProduct {
  PairBatch a, b;
  // D: planes or f32, where beta is used; of both none or one is given.
  PairBatch d = {};
  BatchView<const float> d_matrix = {};
  double alpha = 1;
  double beta = 0;
  double gamma = 0;
  // alpha, beta, gamma of every matrix in device memory, in the place of those above.
  const float* coefficients = nullptr;
  PairPrecision precision = PairPrecision::full;
  // C is symmetric: the lower triangle is computed (and read, of D) and mirrored.
  bool symmetric = true;
  // C: as planes, as f32, or both.
  PairBatch c = {};
  BatchView<float> c_matrix = {};
  // C^T as planes too; C is not symmetric then.
  PairBatch c_transposed = {};
  // Raised to max |C - I| of every matrix, as the bits of a float; NaN is larger than all.
  uint32_t* distance = nullptr;
  // Where it is not 0 nothing is done.
  const int32_t* skip = nullptr;
};

// Enqueues it. |C - exact| <= (3 k + 16) 2^-23 |alpha| |A| |B|^T + ..., elementwise, beside what the planes of C lose:
// 2^-22 |C| + 2^(-25 - exponent).
void multiply_pairs(Op& op, const PairProduct& product);

}  // namespace kronroot::cuda
