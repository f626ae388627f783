/*
 * kronroot C ABI, part 2: the ops and their options.
 *
 * Every options struct is plain and its zero value is the documented default; a NULL pointer means the same.
 * Every op takes (call, options, descriptors..., reports) and returns a kr_code. For all ops:
 *   - inputs are read only; inputs and outputs must not overlap, except where an op allows it; data is aligned to its
 *     element type; numbers among the options are finite in the dtype of the call;
 *   - all descriptors of a call have one dtype and one batch count (inputs may broadcast, see kr_batch);
 *   - matrices are independent: results do not depend on the contents of other matrices nor on the number of threads,
 *     and a bad matrix leaves its neighbours bit-identical. A matrix alone and the same matrix inside a batch give the
 *     same bits where both take the same path; ops with a path of one matrix to a vector lane choose it by shape, dtype
 *     and the number of matrices in the call (native/core/crossovers.hpp);
 *   - a non-finite element makes that matrix KR_STATUS_NON_FINITE_INPUT (matmul, gram, kron_apply and
 *     mode_product, which have no reports, propagate it within that matrix);
 *   - elementwise_update and reduce, the last two, work on lists of arrays and state their own rules;
 *   - ulp below is the spacing of 1 in the element type, 2^-23 (f32) or 2^-52 (f64).
 */
#ifndef KRONROOT_OPS_H
#define KRONROOT_OPS_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * matmul: C = beta C + alpha op(A) op(B).
 * Shapes: op(A) m x k, op(B) k x n, C m x n. beta = 0 does not read C.
 * Bound: |C - exact| <= (k + 2) ulp (|alpha| |A| |B| + |beta C|), elementwise.
 * On a CPU device with isa "amx" large f32 products run on the matrix unit, as six products of bf16 parts
 *   (native/core/crossovers.hpp tells from which size). There the bound has 3 k + 2 in the place of k + 2 (measured:
 *   half of the error in vectors); elements below 2^-85 of the largest among the same 32 rows of op(A), or columns of
 *   op(B), may count as 0; and infinite elements make NaN of the rows or columns of C that they touch. Parts take 6
 *   bytes an element, of A up to 256 x 512 and of B 512 x 1024 at a time: at most 4 MiB a thread; for gram
 *   m x min(k, 512) of X. Other ops take as much for their products, beside the memory that they state.
 * On a CUDA device f32 products of matrices above 32 run on the matrix unit, as three products of tf32 parts, and the
 *   bound has 3 k + 8 in the place of k + 2 (here and in the ops below). Parts of elements that are below 2^-126 may
 *   count as 0, infinite elements (and finite ones that round to 2^128 with 11 bits) make NaN of the rows or columns
 *   of C that they touch.
 * Cost: 2 m n k flop a matrix. Workspace a thread in vectors: at most 1.5 MiB; with one matrix to a lane
 *   m k + k n + m n elements a lane.
 * Paths: matrices of which m, n and k are at most 256 have the same bits on every one of them.
 */
typedef struct kr_matmul_options {
  int32_t transpose_a;
  int32_t transpose_b;
  double alpha; /* 0 stands for 1 */
  double beta;
} kr_matmul_options;

/*
 * gram: C = beta C + alpha X X^T (side = KR_SIDE_LEFT, C m x m) or beta C + alpha X^T X (KR_SIDE_RIGHT, C n x n),
 * X m x n. One triangle is computed and mirrored: where C was exactly symmetric before, it is after.
 * With beta != 0 the lower triangle of C is read. Bound, products on the matrix unit, workspace and paths: as matmul.
 * Cost: half of the matmul.
 */
typedef enum kr_side { KR_SIDE_LEFT = 0, KR_SIDE_RIGHT = 1 } kr_side;

typedef struct kr_gram_options {
  int32_t side; /* kr_side */
  int32_t reserved;
  double alpha; /* 0 stands for 1 */
  double beta;
} kr_gram_options;

/*
 * eigh: (A + A^T) / 2 = V diag(w) V^T.
 * Shapes: a n x n; values n x 1, ascending; vectors n x n, eigenvector j is column j, or NULL for values only.
 * Sign: the component of largest magnitude of every eigenvector (the first of equals) is positive.
 * Input: symmetrised first; an asymmetry above sqrt(ulp) max|A| is KR_STATUS_NOT_SYMMETRIC.
 * Any scale is legal: the matrix is scaled by a power of two and back.
 * Bounds (LAPACK's scaled ratios, 1-norms): |A V - V diag(w)| / (n ulp |A|) < 10, |V^T V - I| / (n ulp) < 10.
 * Report: residual = |A z - V diag(w) V^T z|_2 / (|A|_F |z|_2) for one random sign vector z (NaN for values only),
 *   condition = max|w| / min|w|, iterations = sweeps of QL, on CUDA of Jacobi's method.
 * Cost with vectors: about 9 n^3 flop, by rotations; from order 64 (AVX-512) or 96 on at most 14/3 n^3, by divide and
 *   conquer, less where eigenvalues deflate. Without vectors: 4/3 n^3. Workspace a matrix in progress: 4.2 n^2
 *   elements with vectors, 2.2 n^2 without, and at most 1.5 MiB a thread.
 * CUDA: up to order 32 Jacobi's method in the registers of a warp, method JACOBI, without workspace; above it divide
 * and conquer on 2^k parts of at most 16, for values alone bisection. Workspace of every matrix of the call: 7 n^2
 *   elements with vectors and 2 n^2 without, n rounded up to 2^k parts, and at most 80 n numbers in f64. Any order
 * whose rows fit in the shared memory of a block, 11,000 in f32 and 5,500 in f64 on 227 KiB: KR_BAD_SHAPE beyond it.
 * Refresh: with refresh other than NONE `vectors` (not NULL) holds on entry an eigenbasis Q of an earlier, similar
 *   matrix, orthonormal columns in any order. Where |A Q - Q diag(b)|_F <= refresh_tolerance |A|_F, b_j = q_j^T A q_j
 *   (the left side is the norm of what Q^T A Q has off its diagonal), Q stays: w = b, columns put in order, method
 *   KEPT_BASIS, iterations 0. Otherwise
 *     DECOMPOSE  A is decomposed as without refresh (the result is Q times the eigenvectors of Q^T A Q, for less)
 *     ITERATE    one step of orthogonal iteration: V = qr(A Q) with the columns of Q by falling |b_j|,
 *                w_j = v_j^T A v_j, method ORTHOGONAL_ITERATION, iterations 1. The error of an eigenvector falls by the
 *                ratio of neighbouring |eigenvalues| a step
 *   A kept basis is as orthogonal as it was, an iterated one keeps |V^T V - I| / (n ulp) < 10; neither keeps the first
 *   bound: report.residual, measured as always, is about |A V - V diag(w)|_F / |A|_F. A Q that is not orthonormal
 *   (|Q^T Q z - z| > sqrt(ulp) |z| for a random sign vector z, or NaN; the zeros of a first step) is not used: A is
 *   decomposed. Order and signs of the outputs are those above. A failed matrix leaves its Q alone.
 *   Cost: 2 n^3 where Q stays, 7 n^3 for an iteration, nearly all of it matrix products.
 *   Source: Golub and Van Loan, 8.2.4; SOAP, Vyas et al., arXiv 2409.11321.
 * Source: Householder reduction and implicit QL; Golub and Van Loan, Matrix Computations, sections 8.3.1-8.3.3;
 *   Wilkinson and Reinsch, Handbook for Automatic Computation II, contributions II/2 and II/4. Divide and conquer:
 *   Cuppen, Numer. Math. 36 (1981); Gu and Eisenstat, SIAM J. Matrix Anal. Appl. 16 (1995).
 */
typedef enum kr_refresh {
  KR_REFRESH_NONE = 0,
  KR_REFRESH_DECOMPOSE = 1,
  KR_REFRESH_ITERATE = 2,
} kr_refresh;

typedef struct kr_eigh_options {
  int32_t refresh; /* kr_refresh */
  int32_t reserved;
  double refresh_tolerance; /* below 1; 0 stands for n ulp: as good as a decomposition */
} kr_eigh_options;

/*
 * What is added to a symmetric matrix before it is inverted: A + epsilon I, with A first symmetrised.
 *   KR_RIDGE_DEFAULT        epsilon = r lambda_max, r = 1e-6 (f32), 1e-12 (f64)
 *   KR_RIDGE_NONE           epsilon = 0
 *   KR_RIDGE_ABSOLUTE       epsilon = value
 *   KR_RIDGE_RELATIVE       epsilon = value lambda_max, lambda_max >= 0. Where no eigenvalues are computed it is
 *                           an estimate: in inverse_root at most 1e-6 (f32) or 1e-12 (f64) below, in
 *                           cholesky, spd_inverse and spd_solve an upper bound, at most 5 % above
 *   KR_RIDGE_TRACE          epsilon = value trace(A) / n
 *   KR_RIDGE_PSEUDO_INVERSE epsilon = 0; eigenvalues <= max(n ulp, value) lambda_max contribute nothing
 * value must be finite and >= 0.
 */
typedef enum kr_ridge {
  KR_RIDGE_DEFAULT = 0,
  KR_RIDGE_NONE = 1,
  KR_RIDGE_ABSOLUTE = 2,
  KR_RIDGE_RELATIVE = 3,
  KR_RIDGE_TRACE = 4,
  KR_RIDGE_PSEUDO_INVERSE = 5,
} kr_ridge;

/*
 * inverse_root: X = (A + epsilon I)^{-1/p}, symmetric, p = p_numerator / p_denominator.
 * Shapes: a, x n x n; x may be the very same descriptor as a.
 * p: 0/0 stands for 2/1; p_denominator > 0; a negative numerator gives positive powers, (A + epsilon I)^{1/|p|};
 *   |numerator|, denominator <= 64, reduced to lowest terms.
 * Methods: AUTO (the planner), EIGH, MINIMAX, COUPLED_NEWTON, HIGHER_ORDER (the coupled iteration of third order),
 *   PARTIAL_FRACTIONS (p >= 1: A + epsilon I = Q T Q^T with T tridiagonal, x^{-1/p} = sum_k w_k / (x + s_k) on its
 *   spectrum, X = Q (sum_k w_k (T + s_k I)^{-1}) Q^T; in f64 p <= 8),
 *   NEWTON_DB and CANS (square roots in product form; p = 2, 4, 8, ... in lowest terms), RATIONAL (coupled rational
 *   minimax by Cholesky inverses; positive powers by eigh) take integer roots and form rational ones as powers of them;
 *   CHEBYSHEV expands the power itself, where degree 256 reaches ulp (conditions up to about 1e3), and leaves the rest
 *   to the next rung. p = 1/b under AUTO and RATIONAL is a Cholesky inverse. Diagonal matrices are answered in closed
 *   form by all of them (DIRECT); pseudo-inverses, and matrices with eigenvalues that count as 0, by eigh.
 * Defined answers:
 *   n = 0               nothing, status OK
 *   1 x 1               (a + epsilon)^{-1/p} to 2 ulp
 *   A = 0               epsilon^{-1/p} I under KR_RIDGE_ABSOLUTE with value > 0; 0 under KR_RIDGE_PSEUDO_INVERSE; both
 *                       RANK_DEFICIENT with detail 0. Otherwise epsilon is 0 too: KR_STATUS_NOT_POSITIVE_DEFINITE
 *   rank-deficient      (lambda + epsilon)^{-1/p} on the null space; RANK_DEFICIENT where the smallest
 *                       eigenvalue of A is not above n ulp lambda_max; without a ridge KR_STATUS_NOT_POSITIVE_DEFINITE
 *   slightly indefinite eigenvalues in [-tau, 0), tau = max(epsilon, 8 n ulp lambda_max), count as 0;
 *                       below -tau: KR_STATUS_NOT_POSITIVE_DEFINITE. Methods that compute no eigenvalues may leave
 *                       those in [-epsilon / 64, 0) as they are
 *   slightly asymmetric symmetrised; above sqrt(ulp) max|A|: KR_STATUS_NOT_SYMMETRIC
 *   non-finite          KR_STATUS_NON_FINITE_INPUT
 * Certificate: report.residual is the balanced residual r = |W - I|, W = X^{p/2} B X^{p/2}, B = A + epsilon I with the
 *   eigenvalues that count as 0 set to 0, measured from A and the X that is returned, never from an iterate:
 *   |W z - z|_2 / |z|_2 for a random sign vector z with products accumulated in f64, or (full_residual) the Frobenius
 *   norm over sqrt(n). p = a/b: W has a factors X and b factors B, spread evenly (X B X B X B X for 4/3); where a and b
 *   are odd, the mean of the two most even orders (X B X X and X X B X for 3). Rounding X to the element type alone
 *   costs up to ulp condition^{max(1/p, 1/2)}: where p < 1 and that is above the bound, no X can pass.
 *   Pseudo-inverses: |W^2 z - W z|, since W has to be a projector. Positive powers: |(X^a - B^b) z| / |B^b z|.
 * Ladder: a result with r > residual_bound (0 stands for 0.05) is discarded and the next rung tried: chosen method,
 *   eigh, eigh in f64. When none passes: KR_STATUS_NOT_CONVERGED and x untouched.
 * Bound: for condition <= 1e6 after the ridge, |X - X_exact|_F / |X_exact|_F is at most that of the f32 eigh route
 *   on the same input (f32, AUTO; 4 times it where one matrix is reduced to tridiagonal form in f32, by EIGH or
 *   PARTIAL_FRACTIONS: equally good, with other luck), and <= 100 n ulp condition for every method that reports OK.
 * Report: condition = lambda_max / lambda_min of A + epsilon I (to a digit where no eigenvalues are computed),
 *   iterations = those of the method, fractions of PARTIAL_FRACTIONS, QL sweeps of EIGH.
 * Cost: EIGH about 10 n^3; PARTIAL_FRACTIONS 10/3 n^3, and O(n^2) for each of 8, 12, 16 fractions for condition 1e2,
 *   1e4, 1e6 in f32; MINIMAX (5K - 4) n^3 at p = 4, K = 4..7 iterations for condition 1e2..1e6.
 *   COUPLED_NEWTON 4, HIGHER_ORDER 5, NEWTON_DB and CANS 6, RATIONAL 5 n^3 an iteration at p = 2, CHEBYSHEV n^3 a
 *   degree.
 * Small matrices: several in a call share vectors up to n = 128 under AUTO and PARTIAL_FRACTIONS, up to n = 64 and for
 *   p = 2, 3, .. 16 under MINIMAX, save those that the method cannot answer. The reduction is in f64 there. Those whose
 *   eigenvalues have to decide what counts as 0 share vectors up to n = 32, decomposed in f64, the others are answered
 *   one by one. Memory a thread 4 n^2 + 40 n (MINIMAX: 8 n^2) elements of f32 for each of the matrices of a vector.
 *   Alone 6 n^2 + O(n).
 * Measured errors by method, p, condition and spectrum: docs/inverse-roots.md.
 * Source: coupled Newton: Guo and Higham, SIAM J. Matrix Anal. Appl. 28 (2006); minimax: composite minimax
 *   polynomials with the trough capped, docs/algorithms.md; balanced residual and partial fractions:
 * docs/algorithms.md.
 */
typedef struct kr_inverse_root_options {
  int32_t p_numerator;
  int32_t p_denominator;
  int32_t method; /* kr_method: AUTO, EIGH, MINIMAX, COUPLED_NEWTON, HIGHER_ORDER, NEWTON_DB, CANS, CHEBYSHEV, RATIONAL,
                     PARTIAL_FRACTIONS */
  int32_t ridge;  /* kr_ridge */
  double ridge_value;
  double residual_bound; /* 0 stands for 0.05 */
  int32_t full_residual;
  int32_t max_iterations; /* of iterations that stop by themselves, degree of CHEBYSHEV; 0 stands for 100 (256) */
} kr_inverse_root_options;

/*
 * orthogonalize: X near the polar factor U V^T of A = U S V^T; A and X m x n, tall matrices handled transposed.
 * Methods:
 *   NEWTON_SCHULZ (AUTO)  X <- a X + b (X X^T) X + c (X X^T)^2 X per step, started at A / (safety |A|_F)
 *   GRAM_NEWTON_SCHULZ    the same polynomial iterated on the Gram matrix of the short side, one restart
 *                         after step 2; equal in exact arithmetic, cheaper for rectangles
 *   POLAR                 exact: eigendecomposition of the Gram matrix and Newton-Schulz polish in f64;
 *                         singular values <= max(m, n) ulp sigma_max contribute nothing (RANK_DEFICIENT)
 * Coefficients: a named table (data with sources in native/core/orthogonalize_tables.hpp), the Polar Express
 *   generator, or the caller's own triples. steps = 0: the length the table was published for.
 * Scale: any, 1e-30 to 1e30; |A|_F is accumulated in f64. A = 0: X = 0, RANK_DEFICIENT, detail 0.
 * Bounds: Newton-Schulz equals the f64 run of the same composed polynomial P within 50 ulp steps sqrt(min(m, n)) L in
 *   relative Frobenius norm, L = max(1, max |s P'(s)| over [0, 1]); its Gram form too where no singular value is below
 *   sqrt(m n ulp) |A|_F (rounding of the Gram matrix hides smaller ones).
 *   Precision BF16 (f32 and NEWTON_SCHULZ): operands of the products are rounded to bf16, and stay so between them,
 *   where the processor has a matrix unit for it (AMX-BF16); sums, norms and the result are f32. A GPU rounds them to
 *   fp16, which keeps three bits more, where min(m, n) > 32. Elsewhere, and where small matrices share vectors, as
 *   FULL.
 *   Then five steps of QUINTIC are within 2^-4 of the f64 run in relative Frobenius norm (measured 1.1 to 3.4 %), like
 *   every Newton-Schulz in bf16. (Gram matrices in bf16 hide small singular values: the Gram form is not offered.)
 *   KR_STATUS_OVERFLOW where m times the largest magnitudes of the operands of the last product is beyond f32.
 *   FULL in f32 takes the unit too for large matrices, three parts an operand (matmul), with the bounds above.
 *   POLAR: |X - U V^T|_F <= 100 ulp (sigma_max / sigma_min) sqrt(n) |X|_F.
 * Memory a thread of NEWTON_SCHULZ, in elements, m <= n: 2 m n + 2 m^2; on the matrix unit 1.5 m n + 1.5 m^2 for BF16,
 *   5.5 m n + 4.5 m^2 for FULL.
 * Report: residual = |(X X^T)^2 z - X X^T z|_2 / |z|_2 on the short side for a random sign vector z (0 for any partial
 *   isometry, so rank deficiency is no error; NS tables that end in a band report its width).
 * Source: Kovarik 1970, Bjorck and Bowie 1971; tables: optimizers' own publications, see the file; Polar
 *   Express: Amsel et al., arXiv 2505.16932; Gram form: Dao-AILab 2026.
 */
typedef enum kr_table {
  KR_TABLE_QUINTIC = 0,       /* (3.4445, -4.7750, 2.0315), Muon's own; 5 steps */
  KR_TABLE_JIACHENG = 1,      /* You Jiacheng's five steps */
  KR_TABLE_POLAR_EXPRESS = 2, /* generated from (lower, cushion, safety, steps) */
  KR_TABLE_CANS = 3,
  KR_TABLE_AOL = 4, /* scales rows by almost-orthogonal layers' rule instead of |A|_F */
  KR_TABLE_DEEPSEEK = 5,
  KR_TABLE_CUBIC = 6,
  KR_TABLE_MODULA = 7,
  KR_TABLE_CUSTOM = 8,
} kr_table;

typedef enum kr_precision { KR_PRECISION_FULL = 0, KR_PRECISION_BF16 = 1 } kr_precision;

typedef struct kr_orthogonalize_options {
  int32_t method;               /* kr_method: AUTO, NEWTON_SCHULZ, GRAM_NEWTON_SCHULZ, POLAR */
  int32_t table;                /* kr_table */
  int32_t steps;                /* 0: the table's own number; Polar Express: 8; at most 1000 */
  int32_t coefficient_count;    /* KR_TABLE_CUSTOM: (a, b, c) triples, 1 to 1000; the last one repeats */
  const double* coefficients;   /* KR_TABLE_CUSTOM: 3 * coefficient_count numbers */
  double polar_express_lower;   /* below 1; 0 stands for 1e-3 */
  double polar_express_cushion; /* below 1; 0 stands for 0.02407327424182761 */
  double safety; /* factor on the norm (Polar Express: on its coefficients); 0 stands for 1.01 (PE), 1.15 (AOL), 1 */
  int32_t precision; /* kr_precision, f32 only: of the operands of Newton-Schulz' products */
  int32_t reserved;
} kr_orthogonalize_options;

/*
 * cholesky: A + epsilon I = L L^T, L lower with zeros above the diagonal; the lower triangle of A is read.
 * Shapes: a, l n x n; l may be the very same descriptor as a. KR_RIDGE_DEFAULT here means KR_RIDGE_NONE.
 * A pivot <= 0: KR_STATUS_NOT_POSITIVE_DEFINITE with its index in detail.
 * Bound: |L L^T - A| / (n ulp |A|) < 10 (1-norms). Cost: n^3 / 3. PSEUDO_INVERSE is not allowed.
 * Report: residual = |A z - L L^T z|_2 / (|A|_F |z|_2), condition = (max l_ii / min l_ii)^2.
 * Memory a thread, in elements: n^2 for a matrix alone; where matrices share vectors (n small, several in the call)
 *   n (n + 1) + 12 n for each of the matrices of a vector (16 f32 or 8 f64 with AVX-512). Relative ridges take 2 n^2
 * more.
 */
typedef struct kr_cholesky_options {
  int32_t ridge; /* kr_ridge */
  int32_t reserved;
  double ridge_value;
} kr_cholesky_options;

/*
 * spd_inverse: X = (A + epsilon I)^{-1}, symmetric, by Cholesky; the lower triangle of A is read.
 * Ridge, failures, aliasing and report.condition as cholesky; residual = |(A + epsilon I) X z - z|_2 / |z|_2.
 * Bound: |(A + epsilon I) X - I| <= 10 n ulp condition (1-norms). Cost: n^3; memory as cholesky, 2 n^2 for a matrix
 *   alone.
 */
typedef kr_cholesky_options kr_spd_inverse_options;

/*
 * spd_solve: (A + epsilon I) X = B, A n x n, B and X n x k; x may be the very same descriptor as b.
 * Ridge and failures as cholesky; residual = max over columns of |A x - b|_2 / (|A|_F |x|_2 + |b|_2).
 * Bound: residual < 10 n ulp. Cost: n^3 / 3 + 2 n^2 k, and 2 n^2 k in f64 for the residual.
 * Memory a thread, in elements: 2 n^2 + n k and n^2 + 2 n k of f64 for a matrix alone; n (2 n + 2 k + 16) for each of
 *   the matrices that share vectors.
 */
typedef kr_cholesky_options kr_spd_solve_options;

/*
 * triangular_solve: op(T) X = alpha B (side = KR_SIDE_LEFT) or X op(T) = alpha B (KR_SIDE_RIGHT), T n x n triangular.
 * Shapes: t n x n; b and x n x k (LEFT) or k x n (RIGHT); x may be the very same descriptor as b. Of T only the
 *   triangle that `upper` names counts, and with unit_diagonal only what lies off its diagonal.
 * Failures: KR_STATUS_SINGULAR for a zero on the diagonal; a non-finite element of that triangle or of B;
 *   KR_STATUS_OVERFLOW where a solution, alpha B or a 1 / t_ii is beyond the range. A failed matrix leaves x as it was.
 * Bound: |op(T) X - alpha B| <= 2 (n + 4) ulp |op(T)| |X|, elementwise.
 * Report: residual = |sum_j +- (op(T) x_j - alpha b_j) / (|T|_F |x_j|_2 + |alpha b_j|_2)|_2 over the right-hand sides
 *   j, with random signs, in f64: for one of them its own residual, for more their root sum of squares, estimated.
 *   condition = max|t_ii| / min|t_ii|, a lower bound of that of T.
 * Cost: n^2 k flop. Memory a thread, in elements: n^2 + 2 n k for a matrix alone, n (n + 2 k + O(1)) for each of the
 *   matrices that share vectors. On CUDA one launch without other memory up to n = 32, else n k elements and n k / 16
 *   doubles for each matrix of the call.
 * Source: substitution, Golub and Van Loan, 3.1; its error: Higham, Accuracy and Stability, theorem 8.5.
 */
typedef struct kr_triangular_solve_options {
  int32_t side; /* kr_side */
  int32_t upper;
  int32_t transpose; /* op(T) = T^T */
  int32_t unit_diagonal;
  double alpha; /* 0 stands for 1 */
} kr_triangular_solve_options;

/*
 * qr: A = Q R with orthonormal columns of Q, R upper triangular (trapezoidal) with a diagonal >= 0.
 * Shapes: a m x n, l = min(m, n); q m x l and r l x n, or (complete) q m x m and r m x n; one of q and r may be NULL.
 * Any rank and any scale. Where the columns of A are independent (m >= n) Q and R are unique.
 * Bounds: |A - Q R| / (max(m, n) ulp |A|) < 10, |Q^T Q - I| / (m ulp) < 10 (1-norms). Zeros below the diagonal of R.
 * Report: residual = the larger of |A z - Q R z|_2 / (|A|_F |z|_2) and |Q^T Q y - y|_2 / |y|_2 for random sign vectors
 *   y and z; the second alone without r, NaN without q. condition = max r_ii / min r_ii, a lower bound of that of A.
 * Failures: a non-finite element; KR_STATUS_OVERFLOW where an element of R, as large as the norm of its column, does.
 * Cost: 2 l^2 (max(m, n) - l / 3) flop for R, as much again for Q, m >= n. Memory a thread, in elements, for c
 *   columns of Q: m n + c (m + n) + 64 (m + n) for a matrix alone; where matrices share vectors (n small, several in
 *   the call) m (m + n) + O(m + n) for each of the matrices of a vector.
 *   On CUDA one launch without other memory up to 256 rows, where n (m + 1) elements fit in shared memory; else
 *   m n + c m + 2 l m + 32 max(n, c) elements, l = min(m, n), for each matrix of the call.
 * Source: Householder reflectors in blocks; Golub and Van Loan, 5.2.2 and 5.2.3.
 */
typedef struct kr_qr_options {
  int32_t complete;
  int32_t reserved;
} kr_qr_options;

/*
 * svd: A = U diag(s) V^T with orthonormal columns of U and V, s descending and >= 0.
 * Shapes: a m x n, l = min(m, n); s l x 1, u m x l, v n x l (singular vector j is column j of both), or u and v NULL
 *   for values only.
 * Sign: the component of largest magnitude of every column of the shorter of u and v, u if they are equally long (the
 *   first of equals), is positive.
 * Any rank and any scale: singular vectors of zeros are completed to orthonormal columns.
 * Bounds: |A - U diag(s) V^T| / (max(m, n) ulp |A|) < 10, |U^T U - I| / (m ulp) < 10, |V^T V - I| / (n ulp) < 10
 *   (1-norms); every |s_j - exact| < 10 max(m, n) ulp s_1.
 * Report: residual = the largest of |A z - U diag(s) V^T z|_2 / (|A|_F |z|_2), of A^T where A is wide,
 *   |U^T U y - y|_2 / |y|_2 and the same of V, for random sign vectors y and z (NaN for values only);
 *   condition = s_1 / s_l, iterations = sweeps, or steps of refinement for a matrix alone.
 * Failures: a non-finite element; KR_STATUS_OVERFLOW where s_1 does; KR_STATUS_NOT_CONVERGED after 40 iterations.
 * Method: one-sided Jacobi (Hestenes) on the rows w_i of W = V^T A, A transposed where it is tall; then W^T = U diag(s)
 *   by Householder QR. Where matrices share vectors, from V = I until |w_i . w_j| <= ulp sqrt(n) |w_i| |w_j|, rows that
 *   are rounding (2^-30 in f32, 2^-59 in f64) left alone; alone, from the eigenvectors of A A^T until |w_i . w_j| <=
 *   ulp sqrt(n) s_1 max(|w_i|, |w_j|).
 *   On CUDA always from the eigenvectors, in f64 also where A is f32, whose rows are orthogonal then (iterations 0).
 * Cost: m <= n: about 9 m^3 for the eigenvectors and 12 m^2 n in products for a matrix alone. Memory a thread, in
 *   elements: 5 m n + 14 m^2 alone; where matrices share vectors 3 m n + 2 m^2 for each of the matrices of a vector.
 * Source: Golub and Van Loan, 8.6.3; Hestenes, J. SIAM 6 (1958); refinement of a nearly orthogonal W: Ogita and
 *   Aishima, J. Comput. Appl. Math. 369 (2020).
 */
typedef struct kr_svd_options {
  int32_t reserved[2];
} kr_svd_options;

/*
 * norm_estimate: a norm of every matrix.
 * Shapes: a m x n; values 1 x 1.
 *   SPECTRAL        an upper bound of sigma_max, at most 2.5 % above: no starting vector, no chance
 *   SPECTRAL_LOWER  a lower bound of sigma_max: the largest |A x|_2 / |x|_2 met in `iterations` steps (0 stands for 4)
 *                   of power iteration on A^T A from the longest row; exact for rank one
 *   FROBENIUS       sqrt(sum a_ij^2)
 *   ONE, INFINITY   the largest sum of magnitudes of a column, of a row
 *   MAX             max |a_ij|
 * Any scale. 0 for A = 0 and empty matrices. Failures: a non-finite element; KR_STATUS_OVERFLOW where the norm does.
 * Bound, relative: FROBENIUS, ONE, INFINITY 2 ulp in f32, (m + n) ulp in f64; MAX exact; rounding moves the other two
 *   by up to 8 (m + n) ulp, but never SPECTRAL below sigma_max.
 * Report: iterations = steps of SPECTRAL_LOWER, else 0; nothing is measured.
 * Cost: one pass over A; SPECTRAL_LOWER two a step; SPECTRAL, s = min(m, n): m n s flop and s^3 for each of 0 to 7
 *   squarings. Memory a thread, in elements: m n + 3 s^2 for SPECTRAL, m n for SPECTRAL_LOWER, else O(m + n); where
 *   matrices share vectors (n small, several in the call) m n + 5/2 s^2 for SPECTRAL, else m n, and 3 (m + n), for each
 *   of the matrices of a vector. On CUDA, for each matrix of the call: SPECTRAL nothing up to s = 64, else m n + 2 s^2
 *   doubles; SPECTRAL_LOWER m + n doubles; else nothing, above 32768 elements at most 256 (n + 6) doubles.
 * Source: power traces, native/cpu/lambda_max.cpp; Golub and Van Loan, 2.3 and 8.2.1.
 */
typedef enum kr_norm {
  KR_NORM_SPECTRAL = 0,
  KR_NORM_SPECTRAL_LOWER = 1,
  KR_NORM_FROBENIUS = 2,
  KR_NORM_ONE = 3,
  KR_NORM_INFINITY = 4,
  KR_NORM_MAX = 5,
} kr_norm;

typedef struct kr_norm_estimate_options {
  int32_t kind;       /* kr_norm */
  int32_t iterations; /* of SPECTRAL_LOWER, at most 1000 */
} kr_norm_estimate_options;

/*
 * kron_apply: Y = op(A) X op(B), the product of op(A) (x) op(B)^T with X: A m x m, B n x n, X and Y m x n.
 * a or b may be NULL: the identity. Multiplied in the cheaper order. Bound: (m + n + 4) ulp |A| |X| |B|, elementwise.
 * Cost: 2 m n (m + n).
 */
typedef struct kr_kron_apply_options {
  int32_t transpose_a;
  int32_t transpose_b;
} kr_kron_apply_options;

/*
 * mode_product: Y = X x_1 op(A_1) x_2 op(A_2) ... x_k op(A_k), along every dimension (mode) of a tensor a matrix:
 *   y[j_1 .. j_k] = sum over all i of op(A_1)[j_1, i_1] .. op(A_k)[j_k, i_k] x[i_1 .. i_k];
 *   for k = 2: Y = op(A_1) X op(A_2)^T.
 * Shapes: X d_1 x .. x d_k, op(A_i) e_i x d_i or NULL for the identity, Y e_1 x .. x e_k, all row-major without
 *   gaps: the descriptors of x and y have d_1 .. d_{k-1} rows and d_k columns (one row for k = 1).
 * Order of multiplication: by rising 1/d_i - 1/e_i, what shrinks the tensor most first. It is the cheapest of all
 *   orders: two neighbours out of it cost less when they change places. Square factors go from the first to the last.
 * Bound: |Y - exact| <= (sum of d_i + 2 k) ulp |X| x_1 |A_1| .. x_k |A_k|, elementwise. Non-finite elements
 *   propagate within their tensor.
 * Cost: 2 e_i times the elements that the tensor has before mode i is applied, summed over the modes. Memory a
 *   thread: two tensors between the first product and the last.
 * Source: Kolda and Bader, SIAM Review 51 (2009), section 2.5.
 */
#define KR_MOST_MODES 8

typedef struct kr_mode_product_options {
  int32_t order;               /* k, 1 to KR_MOST_MODES; 0 stands for 2 and dims of the matrices that x holds */
  int32_t transpose;           /* bit i - 1: op(A_i) is A_i^T */
  int64_t dims[KR_MOST_MODES]; /* d_1 .. d_k */
} kr_mode_product_options;

/*
 * kron_solve: a system of Kronecker structure in its eigenbases, and the second moments that live in them:
 *   Z = Q_A^T X Q_B,   S <- beta S + weight Z^2 (where `statistics` is given),
 *   Y = Q_A (Z / ((factor s + damping)^power + epsilon)) Q_B^T, element by element,
 *   s_ij = a_i b_j, or S, or the matrix `scale`.
 * With s_ij = a_i b_j, power 1 and no epsilon Y solves A Y B + damping Y = X for A = Q_A diag(a) Q_A^T and
 *   B = Q_B diag(b) Q_B^T (KFAC). EKFAC and SOAP have an S or scale of their own; SOAP's power is 1/2, its epsilon
 *   outside, its correction `factor`.
 * Shapes: x, y, scale, statistics m x n; a_vectors m x m and b_vectors n x n with eigenvector j in column j, or NULL
 *   for the identity; a_values m x 1 and b_values n x 1, or NULL for ones. Values are not looked at where scale or
 *   statistics is given, at most one of these two. y NULL: the statistics alone. y may be the very same descriptor
 *   as x. beta = 0 does not read S.
 * Damping: KR_RIDGE_DEFAULT, NONE, ABSOLUTE or RELATIVE, which is relative to the largest factor s of the matrix.
 * Defined answers:
 *   m n = 0             nothing, status OK
 *   slightly negative   a_i in [-8 m ulp max|a|, 0), b_j likewise with n, S and scale with max(m, n), count as 0;
 *                       below: KR_STATUS_NOT_POSITIVE_DEFINITE, detail the index (row-major)
 *   division by 0       that direction is dropped; RANK_DEFICIENT, detail how many were kept
 *   non-finite          x, vectors, values, scale, S: KR_STATUS_NON_FINITE_INPUT; a result: KR_STATUS_OVERFLOW
 *   A failed matrix leaves both y and statistics as they were.
 * Bound, for orthonormal bases: |Y - exact|_F <= 2 (m^{3/2} + n^{3/2} + 8) ulp r |X|_F with r the largest
 *   1 / ((factor s + damping)^power + epsilon).
 * Report: residual = what the rotations lost, the larger of |Q_A Z Q_B^T v - X v|_2 / |X|_F and
 *   |Q_A D Q_B^T v - Y v|_2 / |Y|_F, v a random sign vector, D the quotient in the middle, in f64; below
 *   20 max(m, n) ulp where the bases keep eigh's bound. Bases that are not orthonormal show here.
 *   condition = largest over smallest factor s + damping of what was kept.
 * Cost: 4 m n (m + n), half of it for statistics alone. Memory a thread: 2 m n elements, 3 m n with statistics.
 *   On CUDA what fits in shared memory (sides to 256, 2 m n + m^2 + n^2 elements, 3 m n with statistics) is one launch
 *   without other memory; the rest takes as many elements as a thread, and 7 m + n doubles, for each matrix.
 * Source: George et al. (EKFAC), arXiv 1806.03884; Vyas et al. (SOAP), arXiv 2409.11321.
 */
typedef enum kr_kron_power { KR_KRON_POWER_ONE = 0, KR_KRON_POWER_HALF = 1 } kr_kron_power;

typedef struct kr_kron_solve_options {
  int32_t power;   /* kr_kron_power */
  int32_t damping; /* kr_ridge */
  double damping_value;
  double factor;  /* > 0; 0 stands for 1 */
  double epsilon; /* >= 0 */
  double beta;    /* >= 0 */
  double weight;  /* >= 0 */
} kr_kron_solve_options;

/* Any of them may be NULL. */
typedef struct kr_kron_bases {
  const kr_batch* a_vectors;
  const kr_batch* a_values;
  const kr_batch* b_vectors;
  const kr_batch* b_values;
} kr_kron_bases;

/*
 * elementwise_update: one step of an elementwise rule over many arrays, in one call. For every element, what is
 * NULL left out,
 *
 *     G = gradient + l2 w
 *     COMBINE    D = from_gradient G + from_m m
 *     MOMENTUM   m <- m_decay m + m_weight G,   D = from_gradient G + from_m m
 *     SIGN       D = sign(from_gradient G + from_m m), sign(0) = 0,   then m as in MOMENTUM
 *     ADAM       m as in MOMENTUM,   v <- v_decay v + v_weight G^2,   v_max <- max(v_max, v),
 *                D = (from_gradient G + from_m m) / (sqrt(v_scale u + epsilon_inside) + epsilon),
 *                u = v_max, or v where there is no v_max
 *     MAX        m as in MOMENTUM,   v <- max(v_decay v, v_weight |G|),
 *                D = (from_gradient G + from_m m) / (v_scale v + epsilon)
 *     QUOTIENT   m as in MOMENTUM,   D = (from_gradient G + from_m m) / max(v_scale |v|, epsilon)
 *     PRODUCT    D = from_gradient G m
 *     GATE       D = v / (1 + exp(-|G - m|)),   then m as in MOMENTUM
 *     direction <- D,   w <- w - lr D - shrinkage w
 *
 * Where lower < upper, QUOTIENT and PRODUCT bring D into [lower, upper]; a NaN stays one.
 *
 * MOMENTUM is heavy ball, Nesterov and EMA (m_decay, m_weight = beta, 1 - beta), with or without correction of the
 *   start; SIGN is Lion and signSGD; ADAM is Adam, NAdam (both weights), AMSGrad (v_max), RMSProp and AdaGrad
 *   (v_decay = v_weight = 1); MAX is AdaMax; QUOTIENT is a step by a diagonal curvature (Sophia, OASIS), or a ratio;
 *   PRODUCT scales by a diagonal; GATE is diffGrad.
 * Arrays: contiguous, `count` elements of the dtype. Required: gradient; m for MOMENTUM, PRODUCT and GATE; v for ADAM,
 *   MAX, QUOTIENT and GATE, for which alone it is; v_max is for ADAM alone. COMBINE and PRODUCT only read m, QUOTIENT
 *   and GATE only read v. What is written overlaps nothing else of the call, but direction or w may be the gradient
 *   itself, or an m or v that is only read.
 * Bound: of G, m, v, w and of D in COMBINE, MOMENTUM and PRODUCT 2 ulp of the sum of the magnitudes of the terms, of D
 *   in ADAM, MAX and QUOTIENT 8 ulp of the magnitudes of the numerator's terms over the denominator, of D in GATE
 *   8 ulp of |v| and, of the error of G, |v| / 4; SIGN is that of the rounded sum. The
 *   formulas stand for the numbers as given: decay and weight of an average, such as 0.999 and 0.001, do not lose
 *   their sum of 1 when they are rounded to f32. Results do not depend on the other arrays of the call, on where an
 *   element lies in its array, nor on the number of threads.
 * Non-finite elements propagate element by element, through m and v into later steps too. finite[i] is 0 where a G
 *   or a number written of array i is not finite, else 1. Callers who want to leave the state alone look first
 *   (reduce). 0 / 0 with an epsilon of 0 is NaN as in IEEE 754.
 * Cancellation is asked for before the first element: a call updates everything or nothing.
 * Cost: each array is read and written once, at the speed of the memory.
 *   On CUDA a launch takes about 30 arrays, whose table travels with it: no memory, no upload.
 * Source: Kingma and Ba, arXiv 1412.6980 (MAX: algorithm 2); Dozat, ICLR 2016 workshop; Reddi et al., arXiv
 *   1904.09237; Chen et al. (Lion), arXiv 2302.06675, algorithm 2; Liu et al. (Sophia), arXiv 2305.14342, algorithm 3;
 *   Dubey et al. (diffGrad), arXiv 1909.11015; decoupled decay: Loshchilov and Hutter, arXiv 1711.05101.
 */
typedef enum kr_update {
  KR_UPDATE_COMBINE = 0,
  KR_UPDATE_MOMENTUM = 1,
  KR_UPDATE_SIGN = 2,
  KR_UPDATE_ADAM = 3,
  KR_UPDATE_MAX = 4,
  KR_UPDATE_QUOTIENT = 5,
  KR_UPDATE_PRODUCT = 6,
  KR_UPDATE_GATE = 7,
} kr_update;

typedef struct kr_elementwise_update_options {
  int32_t kind;  /* kr_update */
  int32_t dtype; /* kr_dtype of all arrays */
} kr_elementwise_update_options;

/* One array with its numbers, all of them finite in the dtype: they may differ from array to array. */
typedef struct kr_update_array {
  int64_t count;
  const void* gradient;
  void* m;
  void* v;
  void* v_max;
  void* direction;
  void* w;
  double l2;
  double m_decay;
  double m_weight;
  double v_decay;
  double v_weight;
  double from_gradient;
  double from_m;
  double v_scale;
  double epsilon_inside;
  double epsilon;
  double lr;
  double shrinkage;
  double lower; /* of D, where lower < upper */
  double upper;
} kr_update_array;

/*
 * reduce: one number for each of many arrays, in f64.
 *   DOT      sum of x_i y_i; y = NULL stands for x: the square of the norm
 *   LARGEST  max |x_i|, 0 for no elements; NaN where an element is NaN, else infinity where one is infinite. y is NULL
 * Bound: DOT |result - exact| <= (count 2^-52) sum |x_i y_i|; products of f32 are exact and their sums cannot
 *   overflow, so that DOT of an f32 array with itself is finite if and only if the array is. The order of summation
 *   depends on count alone. LARGEST is exact.
 * x and y may be any arrays, the same ones too.
 * Cost: each array is read once.
 */
typedef enum kr_reduction {
  KR_REDUCE_DOT = 0,
  KR_REDUCE_LARGEST = 1,
} kr_reduction;

typedef struct kr_reduce_options {
  int32_t kind;  /* kr_reduction */
  int32_t dtype; /* kr_dtype of all arrays */
} kr_reduce_options;

typedef struct kr_reduce_array {
  int64_t count;
  const void* x;
  const void* y;
} kr_reduce_array;

#ifdef __cplusplus
}
#endif
#endif
