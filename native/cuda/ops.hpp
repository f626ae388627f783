// The backend's entries of kr_backend, one .cu file each. Data and reports are memory of the device; ops only enqueue.
#pragma once

#include "../include/kronroot/backend.h"

namespace kronroot::cuda {

kr_code matmul(const kr_call*, const kr_matmul_options*, const kr_batch* a, const kr_batch* b, const kr_batch* c);
kr_code gram(const kr_call*, const kr_gram_options*, const kr_batch* x, const kr_batch* c);
kr_code eigh(const kr_call*, const kr_eigh_options*, const kr_batch* a, const kr_batch* values, const kr_batch* vectors,
             kr_report*);
kr_code inverse_root(const kr_call*, const kr_inverse_root_options*, const kr_batch* a, const kr_batch* x, kr_report*);
kr_code orthogonalize(const kr_call*, const kr_orthogonalize_options*, const kr_batch* a, const kr_batch* x,
                      kr_report*);
kr_code cholesky(const kr_call*, const kr_cholesky_options*, const kr_batch* a, const kr_batch* l, kr_report*);
kr_code spd_inverse(const kr_call*, const kr_spd_inverse_options*, const kr_batch* a, const kr_batch* x, kr_report*);
kr_code spd_solve(const kr_call*, const kr_spd_solve_options*, const kr_batch* a, const kr_batch* b, const kr_batch* x,
                  kr_report*);
kr_code kron_apply(const kr_call*, const kr_kron_apply_options*, const kr_batch* a, const kr_batch* x,
                   const kr_batch* b, const kr_batch* y);
kr_code mode_product(const kr_call*, const kr_mode_product_options*, const kr_batch* x, const kr_batch* const* factors,
                     const kr_batch* y);
kr_code kron_solve(const kr_call*, const kr_kron_solve_options*, const kr_kron_bases* bases, const kr_batch* scale,
                   const kr_batch* statistics, const kr_batch* x, const kr_batch* y, kr_report*);
kr_code qr(const kr_call*, const kr_qr_options*, const kr_batch* a, const kr_batch* q, const kr_batch* r, kr_report*);
kr_code svd(const kr_call*, const kr_svd_options*, const kr_batch* a, const kr_batch* s, const kr_batch* u,
            const kr_batch* v, kr_report*);
kr_code triangular_solve(const kr_call*, const kr_triangular_solve_options*, const kr_batch* t, const kr_batch* b,
                         const kr_batch* x, kr_report*);
kr_code norm_estimate(const kr_call*, const kr_norm_estimate_options*, const kr_batch* a, const kr_batch* values,
                      kr_report*);
kr_code elementwise_update(const kr_call*, const kr_elementwise_update_options*, const kr_update_array* arrays,
                           int64_t count, int32_t* finite);
kr_code reduce(const kr_call*, const kr_reduce_options*, const kr_reduce_array* arrays, int64_t count, double* results);

kr_code fill_failed(const kr_call* call, const kr_report* reports, const kr_batch* output);

}  // namespace kronroot::cuda
