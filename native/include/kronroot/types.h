/*
 * kronroot C ABI, part 1: descriptors, reports, codes.
 *
 * Pure C. Nothing here allocates; every buffer belongs to the caller. All matrices are row-major.
 */
#ifndef KRONROOT_TYPES_H
#define KRONROOT_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a struct or a table entry changes meaning; appending entries raises only kr_backend.size. */
#define KR_ABI 2u

/* Element type of a batch. The values are part of the ABI. */
typedef enum kr_dtype {
  KR_F32 = 0,
  KR_F64 = 1,
} kr_dtype;

/*
 * Return code of every function of the ABI: misuse or trouble of the machine. When it is not KR_OK,
 * kr_call.message says which argument, what was asked and what is allowed, and no output was touched
 * (KR_CANCELLED and KR_OUT_OF_MEMORY excepted: matrices finished before hold their results, none is half-written).
 * Numerical failure of single matrices is never a return code: see kr_status.
 */
typedef enum kr_code {
  KR_OK = 0,
  KR_BAD_SHAPE = 1,
  KR_BAD_DTYPE = 2,
  KR_BAD_OPTION = 3,
  KR_BAD_ALIAS = 4,
  KR_OUT_OF_MEMORY = 5,
  KR_CANCELLED = 6,
  KR_NO_DEVICE = 7,
  KR_DEVICE_LOST = 8,
  KR_NOT_COMPILED = 9,
  KR_INTERNAL = 10,
} kr_code;

/*
 * Outcome for one matrix of a batch. Below KR_FIRST_FAILURE the output of that matrix was written and
 * keeps the bounds of the op; from KR_FIRST_FAILURE on the output of that matrix was left as the caller
 * had it (so a caller that passes last step's root keeps the stale root).
 */
typedef enum kr_status {
  KR_STATUS_OK = 0,
  /* Answered, but directions were dropped or stand on the ridge alone; kr_report.detail is the rank kept. */
  KR_STATUS_RANK_DEFICIENT = 1,
  KR_FIRST_FAILURE = 16,
  /* The measured residual stayed above the bound of the op on every rung of the ladder. */
  KR_STATUS_NOT_CONVERGED = 16,
  /* An eigenvalue (or pivot, its index in kr_report.detail) is negative beyond rounding. */
  KR_STATUS_NOT_POSITIVE_DEFINITE = 17,
  KR_STATUS_NON_FINITE_INPUT = 18,
  /* max |a_ij - a_ji| > sqrt(ulp) max |a_ij|. */
  KR_STATUS_NOT_SYMMETRIC = 19,
  /* The exact result is not finite in the element type (for example the inverse of 1e-300 in f32). */
  KR_STATUS_OVERFLOW = 20,
  /* Not computed, because the call was cancelled. */
  KR_STATUS_CANCELLED = 21,
  /* A triangular matrix has a zero on its diagonal, its index in kr_report.detail. */
  KR_STATUS_SINGULAR = 22,
} kr_status;

/* The algorithm that produced an answer; also what the method field of options asks for (0 = planner). */
typedef enum kr_method {
  KR_METHOD_AUTO = 0,
  KR_METHOD_EIGH = 1,
  KR_METHOD_MINIMAX = 2,
  KR_METHOD_COUPLED_NEWTON = 3,
  KR_METHOD_CHOLESKY = 4,
  KR_METHOD_NEWTON_SCHULZ = 5,
  KR_METHOD_GRAM_NEWTON_SCHULZ = 6,
  KR_METHOD_POLAR = 7,
  KR_METHOD_DIRECT = 8, /* closed form: 0x0, 1x1, zero or diagonal matrix */
  KR_METHOD_QL = 9,     /* Householder tridiagonalisation, implicit QL, large matrices divided (see eigh) */
  KR_METHOD_HIGHER_ORDER = 10,
  KR_METHOD_NEWTON_DB = 11,
  KR_METHOD_CANS = 12,
  KR_METHOD_CHEBYSHEV = 13,
  KR_METHOD_RATIONAL = 14,
  KR_METHOD_KEPT_BASIS = 15,           /* eigh: the basis of an earlier matrix still serves (kr_refresh) */
  KR_METHOD_ORTHOGONAL_ITERATION = 16, /* eigh: one step from such a basis */
  KR_METHOD_PARTIAL_FRACTIONS = 17,
  KR_METHOD_HOUSEHOLDER = 18, /* qr */
  KR_METHOD_JACOBI = 19,      /* svd; eigh of small matrices on CUDA */
} kr_method;

/* Step of the recovery ladder that answered. */
typedef enum kr_rung {
  KR_RUNG_CHOSEN = 0,   /* the method asked for, or the planner's choice */
  KR_RUNG_EIGH = 1,     /* eigendecomposition in the element type */
  KR_RUNG_EIGH_F64 = 2, /* eigendecomposition in f64 */
  KR_RUNG_NONE = 3,     /* no rung answered; the status is a failure */
} kr_rung;

/*
 * A batch of equal-shaped matrices: element (i, j) of matrix b is
 *   data[b * batch_stride + i * row_stride + j],   strides counted in elements.
 *
 * Output: row_stride >= cols and matrices that do not overlap. Input: also batch_stride = 0, one matrix
 * read for the whole batch. Empty batches and empty matrices are legal and may carry data = NULL.
 */
typedef struct kr_batch {
  void* data;
  int32_t dtype; /* kr_dtype */
  int32_t reserved;
  int64_t batch;
  int64_t rows;
  int64_t cols;
  int64_t row_stride;
  int64_t batch_stride;
} kr_batch;

/* What is said of one matrix. Ops take an array of `batch` reports, or NULL. */
typedef struct kr_report {
  int32_t status;     /* kr_status */
  int32_t method;     /* kr_method that answered */
  int32_t iterations; /* iterations or sweeps of that method */
  int32_t rung;       /* kr_rung */
  int32_t detail;     /* rank kept, index of the failing pivot, or -1 */
  int32_t reserved;
  double residual;  /* measured from input and output as the op states; NaN where nothing was measured */
  double condition; /* estimate of lambda_max / lambda_min after the ridge; NaN where none is at hand */
} kr_report;

typedef struct kr_device kr_device; /* opaque, one per open(); belongs to its backend */

/* Context of one call. */
typedef struct kr_call {
  kr_device* device;
  /* NULL, or a flag polled between matrices and iterations: non-zero makes the call return KR_CANCELLED. */
  const int32_t* cancel;
  /* Buffer for the text that goes with a code other than KR_OK; zero-terminated, cut to message_size. */
  char* message;
  size_t message_size;
} kr_call;

#ifdef __cplusplus
}
#endif
#endif
