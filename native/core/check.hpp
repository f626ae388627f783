// Argument checks shared by all backends. Each writes call->message (which argument, what was given, what is
// allowed) and returns a code other than KR_OK before any work is done.
#pragma once

#include "../include/kronroot/backend.h"

namespace kronroot {

// Most Newton-Schulz steps and coefficient triples that orthogonalize accepts.
inline constexpr int32_t max_orthogonalize_steps = 1000;

// Formats into call->message (when there is one) and returns code: `return fail(call, KR_BAD_SHAPE, "a: ...")`.
kr_code fail(const kr_call* call, kr_code code, const char* format, ...) __attribute__((format(printf, 3, 4)));

// NULL options stand for the zero value; the checks below accept them.
kr_code check_matmul(const kr_call*, const kr_matmul_options*, const kr_batch* a, const kr_batch* b, const kr_batch* c);
kr_code check_gram(const kr_call*, const kr_gram_options*, const kr_batch* x, const kr_batch* c);
kr_code check_eigh(const kr_call*, const kr_eigh_options*, const kr_batch* a, const kr_batch* values,
                   const kr_batch* vectors);
kr_code check_inverse_root(const kr_call*, const kr_inverse_root_options*, const kr_batch* a, const kr_batch* x);
kr_code check_orthogonalize(const kr_call*, const kr_orthogonalize_options*, const kr_batch* a, const kr_batch* x);
kr_code check_cholesky(const kr_call*, const kr_cholesky_options*, const kr_batch* a, const kr_batch* l);
kr_code check_spd_inverse(const kr_call*, const kr_spd_inverse_options*, const kr_batch* a, const kr_batch* x);
kr_code check_spd_solve(const kr_call*, const kr_spd_solve_options*, const kr_batch* a, const kr_batch* b,
                        const kr_batch* x);
kr_code check_kron_apply(const kr_call*, const kr_kron_apply_options*, const kr_batch* a, const kr_batch* x,
                         const kr_batch* b, const kr_batch* y);
kr_code check_mode_product(const kr_call*, const kr_mode_product_options*, const kr_batch* x,
                           const kr_batch* const* factors, const kr_batch* y);
kr_code check_kron_solve(const kr_call*, const kr_kron_solve_options*, const kr_kron_bases* bases,
                         const kr_batch* scale, const kr_batch* statistics, const kr_batch* x, const kr_batch* y);
kr_code check_qr(const kr_call*, const kr_qr_options*, const kr_batch* a, const kr_batch* q, const kr_batch* r);
kr_code check_svd(const kr_call*, const kr_svd_options*, const kr_batch* a, const kr_batch* s, const kr_batch* u,
                  const kr_batch* v);
kr_code check_triangular_solve(const kr_call*, const kr_triangular_solve_options*, const kr_batch* t, const kr_batch* b,
                               const kr_batch* x);
kr_code check_norm_estimate(const kr_call*, const kr_norm_estimate_options*, const kr_batch* a, const kr_batch* values);
// These two may throw std::bad_alloc.
kr_code check_elementwise_update(const kr_call*, const kr_elementwise_update_options*, const kr_update_array* arrays,
                                 int64_t count);
kr_code check_reduce(const kr_call*, const kr_reduce_options*, const kr_reduce_array* arrays, int64_t count,
                     const double* results);

}  // namespace kronroot
