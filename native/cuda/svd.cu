// A = U diag(s) V^T
//
// Of B, the wide one of A and A^T: J from the eigenvectors of B B^T in f64, W = J B, and W^T = Q diag(s) by Householder
// QR with the rows of W sorted by length, which also completes the columns of Q that vanished rows leave open. In f32
// the rows of W are then orthogonal to rounding: a Gram matrix in f64 knows w_i . w_j to 2^-53 s_1^2, and the longer
// row of the two is at least as long as what it puts beside the diagonal of R. In f64 one-sided Jacobi rotations make
// them so.
#include "../core/check.hpp"
#include "eigen/eigh_batch.hpp"
#include "eigen/orthonormal_rows.hpp"
#include "gemm/product.hpp"
#include "ops.hpp"
#include "svd/one_sided_jacobi.hpp"
#include "svd/rows.hpp"

namespace kronroot::cuda {
namespace {

// Matrices without gaps in scratch memory of the op.
template <typename T>
BatchView<T> scratch_matrices(Op& op, int64_t batch, int64_t rows, int64_t cols) {
  return dense_view(op.scratch<T>(batch * rows * cols), batch, rows, cols);
}

template <typename T>
BatchView<const T> to_read(const BatchView<T>& x) {
  return {x.data, x.batch, x.rows, x.cols, x.row_stride, x.batch_stride};
}

template <typename T>
void decompose(Op& op, const kr_batch& a, const kr_batch& s_out, const kr_batch* u_out, const kr_batch* v_out,
               kr_report* reports) {
  constexpr bool is_f64 = sizeof(T) == 8;
  const bool is_tall = a.rows > a.cols, has_vectors = u_out != nullptr;
  const int64_t batch = a.batch, m = is_tall ? a.cols : a.rows, n = is_tall ? a.rows : a.cols;
  const BatchView<T> nothing = dense_view<T>(nullptr, batch, m, m);
  const BatchView<T> u = has_vectors ? view_of<T>(*u_out) : nothing, v = has_vectors ? view_of<T>(*v_out) : nothing;
  Factors<T> factors{dense_view<T>(nullptr, batch, m, n), nothing, nothing, nullptr};
  Rectangles rectangles;
  if (m > 0) {
    rectangles.status = op.scratch<int32_t>(batch);
    rectangles.exponent = op.scratch<int32_t>(batch);
    rectangles.sweeps = op.scratch<int32_t>(batch);
    factors.b = scratch_matrices<T>(op, batch, m, n);
    factors.s = op.scratch<T>(batch * m);
    double* wide = is_f64 ? nullptr : op.scratch<double>(batch * m * n);
    read_wide(op, view_of<const T>(a), is_tall, factors.b, wide, rectangles);
    if constexpr (is_f64) wide = factors.b.data.address();

    const BatchView<const double> b = dense_view<const double>(wide, batch, m, n);
    const BatchView<double> gram = scratch_matrices<double>(op, batch, m, m);
    const bool needs_rows = has_vectors || is_f64;
    const BatchView<double> squares = scratch_matrices<double>(op, batch, m, 1);
    const BatchView<double> eigenvectors =
        needs_rows ? scratch_matrices<double>(op, batch, m, m) : dense_view<double>(nullptr, batch, m, m);
    int32_t* const status = op.scratch<int32_t>(batch);
    multiply<double>(op,
                     {.a = b, .b = b, .c = gram, .transpose_b = true, .symmetric = true, .skip = rectangles.status});
    eigh_batch<double>(
        op,
        {.a = to_read(gram), .values = squares, .vectors = eigenvectors, .skip = rectangles.status, .status = status});
    if (!needs_rows) {
      values_of(op, squares.data.address(), status, factors.b, factors.s, rectangles);
    } else {
      const BatchView<T> j = scratch_matrices<T>(op, batch, m, m), w = scratch_matrices<T>(op, batch, m, n);
      take_eigenvectors(op, eigenvectors.data.address(), status, j, rectangles);
      multiply<T>(op, {.a = to_read(j), .b = to_read(factors.b), .c = w, .skip = rectangles.status});
      if constexpr (is_f64) orthogonalise_rows(op, w, j, rectangles.status, rectangles.sweeps);
      if (!has_vectors) {
        values_of(op, nullptr, nullptr, w, factors.s, rectangles);
      } else {
        const BatchView<T> sorted = scratch_matrices<T>(op, batch, m, n);
        factors.j = scratch_matrices<T>(op, batch, m, m);
        factors.q = w;
        sort_rows(op, w, j, sorted, factors.j, rectangles);
        orthonormalise_rows(op, sorted, factors.q, factors.s, rectangles.status);
      }
    }
  }
  write_factors(op, factors, is_tall, view_of<T>(s_out), u, v, reports, rectangles);
}

}  // namespace

kr_code svd(const kr_call* call, const kr_svd_options* given, const kr_batch* a, const kr_batch* s, const kr_batch* u,
            const kr_batch* v, kr_report* reports) {
  if (const kr_code code = check_svd(call, given, a, s, u, v); code != KR_OK) return code;
  Op op(call, "svd");
  if (op.recalls(CallKey("svd").add(a).add(s).add(u).add(v), &reports, a->batch)) return op.finish();
  a->dtype == KR_F32 ? decompose<float>(op, *a, *s, u, v, reports) : decompose<double>(op, *a, *s, u, v, reports);
  return op.finish();
}

}  // namespace kronroot::cuda
