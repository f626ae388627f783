// The unit of porting: what every instruction set compiles for itself. The ops (one file each, compiled once for the
// baseline) are written on top of this table.
#pragma once

#include <cstdint>

#include "../include/kronroot/ops.h"
#include "lanes.hpp"

namespace kronroot::cpu {

// amx: avx512, and products of large matrices on the matrix unit (gemm/bf16.hpp).
enum class Isa : int { baseline = 0, avx2 = 1, avx512 = 2, amx = 3 };

// Which part of the product a caller wants.
enum class Triangle : int {
  full = 0,
  mirrored = 1,  // the product is symmetric: compute the lower triangle, copy it to the upper
};

// C = alpha op(A) op(B) + beta D + gamma I, op(A) m x k, op(B) k x n, all row-major with leading dimensions in
// elements. D is C where it is null, and does not overlap C otherwise; beta == 0 does not read it. C overlaps neither A
// nor B. With Triangle::mirrored m == n and beta D is read from the lower triangle.
template <typename T>
struct Product {
  int64_t m = 0, n = 0, k = 0;
  T alpha = 1;
  const T* a = nullptr;
  int64_t a_stride = 0;
  bool transpose_a = false;
  const T* b = nullptr;
  int64_t b_stride = 0;
  bool transpose_b = false;
  T beta = 0;
  const T* d = nullptr;
  int64_t d_stride = 0;
  T gamma = 0;
  T* c = nullptr;
  int64_t c_stride = 0;
  Triangle triangle = Triangle::full;
  // Rows and columns of the product that this one is a part of, by which its kernel is chosen: parts then have the bits
  // of the whole. 0 for a whole product.
  int64_t whole_m = 0, whole_n = 0;
};

// From the operands of one product of a batch to those of the next, in elements.
struct ProductSteps {
  int64_t a, b, c;
  bool prefetches;  // the batch is too large for the L2 cache
};

template <typename T>
struct ProductLanes;  // gemm/lanes.hpp

// x_i <- (x_i - sum_{k<i} c_ik x_k) r_i for rows i = 0, 1, ... of x: forward substitution with a triangular matrix of
// elements c_ik = coefficients[i * row_step + k * depth_step] off the diagonal and 1 / r_i on it. Steps and stride may
// be negative, for backward substitution.
template <typename T>
struct Elimination {
  const T* coefficients;
  int64_t row_step, depth_step;
  const T* reciprocals;
  T* x;
  int64_t stride;
};

struct SpdLanesOptions;  // spd/lanes.hpp
struct SpdLanesAnswer;
struct LaneSpectra;  // inverse_root/lanes.hpp
struct LaneSchedules;
struct LaneFractions;
struct LaneRoots;
struct RootSpectrum;  // inverse_root/fractions.hpp
struct RootFractions;

// What stops a long kernel, and the threads that it may share its work with. Results do not depend on them.
struct Execution {
  const int32_t* cancel = nullptr;
  int threads = 1;
  // Runs body(object, 0) .. body(object, count - 1), each once, on up to `count` threads, the calling one included.
  void (*run)(int64_t count, void* object, void (*body)(void* object, int64_t index)) = nullptr;
};

// What an eigensolver returns in place of a number of sweeps.
constexpr int64_t kNotConverged = -1;
constexpr int64_t kCancelled = -2;

template <typename T>
struct EighLanes;  // eigen/lanes.hpp

// z_ij <- z_ij / ((multiplier s_ij + damping)^power + epsilon) in f64, and 0 where that divides by 0. Negative s_ij
// count as 0.
template <typename T, typename S>
struct Division {
  int64_t rows, cols;
  T* z;  // without gaps
  const S* s;
  int64_t s_stride;  // 0: the same row for all
  // The multiplier of a row is `factor` times its weight; null for weights of 1.
  const double* weights;
  double factor;
  double damping;
  double epsilon;
  bool is_root;  // power 1/2
};

// multiplier s + damping of the elements that were not dropped, and how many these are.
struct DivisorRange {
  double smallest;
  double largest;
  int64_t kept;
};

template <typename T>
struct NewtonSchulzLanes;  // orthogonalize/lanes.hpp
template <typename T>
struct QrLanes;  // qr/lanes.hpp
template <typename T>
struct SvdLanes;  // svd/lanes.hpp
template <typename T>
struct TriangularLanes;  // triangular/lanes.hpp
template <typename T>
struct NormLanes;  // norm/lanes.hpp
template <typename T>
struct Substitution;  // triangular/substitution.hpp

struct Bf16Kernels;  // gemm/bf16.hpp

template <typename T>
struct Kernels {
  // Matrices that a lane group holds (lanes.hpp).
  int lanes;

  // Elements of T that gemm needs as workspace for this product.
  int64_t (*gemm_workspace)(const Product<T>& product);
  // The workspace is 64-byte aligned. Results do not depend on anything but the product.
  void (*gemm)(const Product<T>& product, T* workspace);
  // `count` products alike, with the bits of gemm, the first of them given; its D is C. The workspace is that of gemm.
  void (*gemm_each)(const Product<T>& first, const ProductSteps& steps, int64_t count, T* workspace);
  // Elements of T that product_lanes needs as workspace, 64-byte aligned.
  int64_t (*product_lanes_workspace)(int64_t m, int64_t n, int64_t k);
  // The products of a group, neither m nor n 0; the bits of gemm for k up to 256.
  void (*product_lanes)(const ProductLanes<T>& op, T* workspace);

  // Elements of T that eigh needs as workspace, on that many threads.
  int64_t (*eigh_workspace)(int64_t n, bool vectors, int threads);
  // Symmetric eigendecomposition of one finite, exactly symmetric matrix whose largest magnitude is 0 or in [1/2, 1)
  // (callers scale). `a` (n x n, stride n) is destroyed. values ascending; vectors n x n with stride
  // vectors_stride, eigenvector j in column j, signs not yet fixed; or nullptr.
  // Returns the number of QL sweeps; or kNotConverged, or kCancelled: outputs then hold garbage.
  int64_t (*eigh)(int64_t n, T* a, T* values, T* vectors, int64_t vectors_stride, T* workspace,
                  const Execution& execution);

  // `count` rows and `columns` columns of x.
  void (*eliminate)(const Elimination<T>& system, int64_t count, int64_t columns);
  // Rows and columns [first, last) of U in A = U^T U from those of A in the upper triangle of u, once the rows above
  // hold U; then reciprocals[i] = 1 / u_ii. Returns -1, or the first i whose pivot is not positive.
  int64_t (*factorize_rows)(int64_t first, int64_t last, T* u, int64_t stride, T* reciprocals);

  // Elements of T that the ops below need as workspace for this kr_ridge.
  int64_t (*cholesky_lanes_workspace)(int64_t n, int32_t ridge);
  int64_t (*spd_inverse_lanes_workspace)(int64_t n, int32_t ridge);
  int64_t (*spd_solve_lanes_workspace)(int64_t n, int64_t columns, int32_t ridge);
  // The ops of ops.h for one group of matrices, n >= 1; the output may be the input. Matrices that fail are not
  // written. The workspace is 64-byte aligned.
  void (*cholesky_lanes)(const SpdLanesOptions& options, const LaneGroup<const T>& a, const LaneGroup<T>& l,
                         T* workspace, SpdLanesAnswer& answer);
  void (*spd_inverse_lanes)(const SpdLanesOptions& options, const LaneGroup<const T>& a, const LaneGroup<T>& x,
                            T* workspace, SpdLanesAnswer& answer);
  void (*spd_solve_lanes)(const SpdLanesOptions& options, const LaneGroup<const T>& a, const LaneGroup<const T>& b,
                          const LaneGroup<T>& x, T* workspace, SpdLanesAnswer& answer);

  // inverse_root of one group, n >= 2, in two stages: what decides about each matrix, and the roots of those that are
  // wanted, by one of two methods. Elements of T that S and the workspace, 64-byte aligned, take:
  int64_t (*root_lanes_matrix)(int64_t n);
  int64_t (*minimax_root_lanes_workspace)(int64_t n);
  int64_t (*partial_fraction_root_lanes_workspace)(int64_t n);
  void (*examine_root_lanes)(const LaneGroup<const T>& a, T* s, T* workspace, LaneSpectra& found);
  void (*minimax_root_lanes)(const LaneSchedules& given, const T* s, const LaneGroup<T>& x, T* workspace,
                             LaneRoots& roots);
  // In the workspace as examine_root_lanes left it.
  void (*partial_fraction_root_lanes)(const LaneFractions& given, const T* s, const LaneGroup<T>& x, T* workspace,
                                      LaneRoots& roots);

  // The same for one matrix, n >= 1, by partial fractions: S (n x n, stride n, as eigh takes it) is read, and the
  // workspace carries what was found to the second stage. False when cancelled.
  int64_t (*partial_fraction_root_workspace)(int64_t n);
  bool (*examine_root)(int64_t n, const T* s, T* workspace, const int32_t* cancel, RootSpectrum& found);
  bool (*partial_fraction_root)(const RootFractions& given, int64_t n, T* x, T* workspace, const int32_t* cancel);

  // max |x_i|; infinite or NaN where an element is.
  T (*largest_magnitude)(int64_t n, const T* x);
  // The smallest and the largest of n >= 1 finite numbers.
  void (*extremes)(int64_t n, const T* x, T* smallest, T* largest);
  // Elements of T that eigh_lanes needs as workspace, 64-byte aligned.
  int64_t (*eigh_lanes_workspace)(int64_t n, bool vectors);
  // Eigendecompositions of a group, n >= 1: reads, decomposes and writes them. A lane that passed the screening and is
  // not answered (its QL iteration did not converge, or an eigenvalue overflows) is the caller's to compute otherwise.
  void (*eigh_lanes)(EighLanes<T>& op, T* workspace);

  // Elements of T that newton_schulz_lanes needs as workspace, 64-byte aligned.
  int64_t (*newton_schulz_lanes_workspace)(int64_t rows, int64_t cols);
  // Newton-Schulz of a group of rows x cols matrices, neither of them 0.
  void (*newton_schulz_lanes)(NewtonSchulzLanes<T>& op, T* workspace);

  // Elements of T that qr_lanes needs as workspace, 64-byte aligned.
  int64_t (*qr_lanes_workspace)(int64_t rows, int64_t cols);
  // QR of a group of rows x cols matrices, neither of them 0.
  void (*qr_lanes)(QrLanes<T>& op, T* workspace);
  // Elements of T that svd_lanes needs as workspace, 64-byte aligned.
  int64_t (*svd_lanes_workspace)(int64_t rows, int64_t cols, bool vectors);
  // SVD of a group of rows x cols matrices, neither of them 0.
  void (*svd_lanes)(SvdLanes<T>& op, T* workspace);
  // Elements of T that triangular_solve_lanes needs as workspace, 64-byte aligned.
  int64_t (*triangular_solve_lanes_workspace)(int64_t n, int64_t columns);
  // Triangular systems of a group, n and the number of right-hand sides at least 1.
  void (*triangular_solve_lanes)(TriangularLanes<T>& op, T* workspace);

  // One right-hand side, n >= 1; workspace: 3 n numbers. False, with x half done, where something is not in order: an
  // element, a solution or the inverse of a diagonal element that is not finite, or squares beyond the range of f64.
  bool (*substitute)(Substitution<T>& op, double* workspace);

  // Elements of T that norm_lanes needs as workspace, 64-byte aligned.
  int64_t (*norm_lanes_workspace)(int64_t rows, int64_t cols, int32_t kind);
  // Norms of a group of rows x cols matrices, neither of them 0.
  void (*norm_lanes)(NormLanes<T>& op, T* workspace);

  // One step of a kr_update on elements [first, first + count) of an array; whether all is finite (ops.h).
  bool (*update)(int32_t kind, const kr_update_array& array, int64_t first, int64_t count);

  DivisorRange (*divide)(const Division<T, T>& division);
  DivisorRange (*divide_wide)(const Division<T, double>& division);
  // s_j <- beta s_j + weight z_j^2; beta == 0 does not read s.
  void (*blend_squares)(int64_t n, double beta, double weight, const T* z, T* s);

  // x . y with f64 accumulation in a fixed order.
  double (*dot)(int64_t n, const T* x, const T* y);
  // The same with y in f64 already: one row of a matrix-vector product in f64.
  double (*dot_wide)(int64_t n, const T* x, const double* y);
  // out_i = row i of x . y: a matrix-vector product in f64.
  void (*dot_rows_wide)(int64_t rows, int64_t n, const T* x, int64_t stride, const double* y, double* out);
  // sum of |x_i| in f64 in a fixed order; y_i += |x_i|.
  double (*magnitude_sum)(int64_t n, const T* x);
  void (*add_magnitudes)(int64_t n, const T* x, double* y);
  // y += alpha x
  void (*axpy)(int64_t n, T alpha, const T* x, T* y);
  // The same with y in f64: one row of a transposed matrix-vector product in f64.
  void (*axpy_wide)(int64_t n, double alpha, const T* x, double* y);
  // y += sum of alpha_i times row i of x: a transposed matrix-vector product in f64.
  void (*axpy_rows_wide)(int64_t rows, int64_t n, const double* alpha, const T* x, int64_t stride, double* y);
  // to[j][i] = from[i][j] for 0 <= i < rows, 0 <= j < cols; the two do not overlap.
  void (*transpose)(int64_t rows, int64_t cols, const T* from, int64_t from_stride, T* to, int64_t to_stride);

  // The matrix unit, for f32; null where there is none. Products of matrices whose sides are all at least split_order
  // are faster there.
  const Bf16Kernels* bf16 = nullptr;
  int64_t split_order = 0;
};

// Everything one instruction set offers.
struct KernelSet {
  Isa isa;
  const char* name;  // as in KRONROOT_ISA
  Kernels<float> f32;
  Kernels<double> f64;
};

template <typename T>
const Kernels<T>& kernels_of(const KernelSet& set);
template <>
inline const Kernels<float>& kernels_of<float>(const KernelSet& set) {
  return set.f32;
}
template <>
inline const Kernels<double>& kernels_of<double>(const KernelSet& set) {
  return set.f64;
}

// Defined in isa/<name>.cpp; compiled only for the architectures that have it.
const KernelSet& baseline_kernels();
const KernelSet& avx2_kernels();
const KernelSet& avx512_kernels();

}  // namespace kronroot::cpu
