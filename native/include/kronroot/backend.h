/*
 * kronroot C ABI, part 3: the function table of a backend.
 *
 * A backend is one constant table. Entries are only ever appended; `size` tells how many there are, and a
 * NULL entry means that the backend does not have the op. A plugin exports one function, kr_backend_entry.
 */
#ifndef KRONROOT_BACKEND_H
#define KRONROOT_BACKEND_H

#include "ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What open() asks for; the zero value is the default. */
typedef struct kr_device_options {
  int32_t ordinal; /* which device of the backend */
  int32_t threads; /* CPU: most threads a call uses; 0: KRONROOT_THREADS, else the number of cores */
  const char* isa; /* CPU: "baseline", "avx2", "avx512", "amx"; NULL: KRONROOT_ISA, else the best the machine has */
  void* stream;    /* CUDA: the caller's cudaStream_t, in whose order the ops run; NULL: a stream of the device's own */
} kr_device_options;

typedef struct kr_device_info {
  char name[128]; /* "AMD EPYC ...", "NVIDIA H200" */
  char isa[32];   /* "avx512", "sm_90a" */
  int32_t threads;
  int32_t reserved;
  int64_t bytes_allocated; /* through allocate(), not yet released */
  int64_t bytes_free;      /* of the device's memory; 0 where device memory is host memory */
  int64_t bytes_total;
  void* stream; /* CUDA: the cudaStream_t that ops are enqueued on; else NULL */
} kr_device_info;

typedef struct kr_backend {
  uint32_t abi;  /* KR_ABI */
  uint32_t size; /* sizeof(kr_backend) of the backend's build */
  const char* name;

  /* call->device is NULL for open. No call may be in flight on a device that is closed. */
  kr_code (*open)(const kr_call* call, const kr_device_options* options, kr_device** device);
  void (*close)(kr_device* device);
  kr_code (*info)(const kr_call* call, kr_device_info* info);
  /* 64-byte aligned, not zeroed; bytes = 0 gives NULL. release(NULL) is allowed and never fails. */
  kr_code (*allocate)(const kr_call* call, int64_t bytes, void** data);
  void (*release)(kr_device* device, void* data, int64_t bytes);
  kr_code (*upload)(const kr_call* call, void* to, const void* from_host, int64_t bytes);
  kr_code (*download)(const kr_call* call, void* to_host, const void* from, int64_t bytes);

  kr_code (*matmul)(const kr_call* call, const kr_matmul_options* options, const kr_batch* a, const kr_batch* b,
                    const kr_batch* c);
  kr_code (*gram)(const kr_call* call, const kr_gram_options* options, const kr_batch* x, const kr_batch* c);
  kr_code (*eigh)(const kr_call* call, const kr_eigh_options* options, const kr_batch* a, const kr_batch* values,
                  const kr_batch* vectors, kr_report* reports);
  kr_code (*inverse_root)(const kr_call* call, const kr_inverse_root_options* options, const kr_batch* a,
                          const kr_batch* x, kr_report* reports);
  kr_code (*orthogonalize)(const kr_call* call, const kr_orthogonalize_options* options, const kr_batch* a,
                           const kr_batch* x, kr_report* reports);
  kr_code (*cholesky)(const kr_call* call, const kr_cholesky_options* options, const kr_batch* a, const kr_batch* l,
                      kr_report* reports);
  kr_code (*spd_inverse)(const kr_call* call, const kr_spd_inverse_options* options, const kr_batch* a,
                         const kr_batch* x, kr_report* reports);
  kr_code (*spd_solve)(const kr_call* call, const kr_spd_solve_options* options, const kr_batch* a, const kr_batch* b,
                       const kr_batch* x, kr_report* reports);
  kr_code (*kron_apply)(const kr_call* call, const kr_kron_apply_options* options, const kr_batch* a, const kr_batch* x,
                        const kr_batch* b, const kr_batch* y);
  /* `count` arrays; finite: `count` flags, or NULL. */
  kr_code (*elementwise_update)(const kr_call* call, const kr_elementwise_update_options* options,
                                const kr_update_array* arrays, int64_t count, int32_t* finite);
  /* `count` arrays and results. */
  kr_code (*reduce)(const kr_call* call, const kr_reduce_options* options, const kr_reduce_array* arrays, int64_t count,
                    double* results);
  /* factors: one descriptor for each mode, NULL for the identity. */
  kr_code (*mode_product)(const kr_call* call, const kr_mode_product_options* options, const kr_batch* x,
                          const kr_batch* const* factors, const kr_batch* y);
  kr_code (*kron_solve)(const kr_call* call, const kr_kron_solve_options* options, const kr_kron_bases* bases,
                        const kr_batch* scale, const kr_batch* statistics, const kr_batch* x, const kr_batch* y,
                        kr_report* reports);
  /* q or r may be NULL. */
  kr_code (*qr)(const kr_call* call, const kr_qr_options* options, const kr_batch* a, const kr_batch* q,
                const kr_batch* r, kr_report* reports);
  /* u and v may be NULL, both or none. */
  kr_code (*svd)(const kr_call* call, const kr_svd_options* options, const kr_batch* a, const kr_batch* s,
                 const kr_batch* u, const kr_batch* v, kr_report* reports);
  kr_code (*triangular_solve)(const kr_call* call, const kr_triangular_solve_options* options, const kr_batch* t,
                              const kr_batch* b, const kr_batch* x, kr_report* reports);
  kr_code (*norm_estimate)(const kr_call* call, const kr_norm_estimate_options* options, const kr_batch* a,
                           const kr_batch* values, kr_report* reports);

  /*
   * The next two are NULL where device memory is host memory and a call returns when its work is done. Where they are
   * set, `data` of descriptors and arrays, `reports`, `finite` and `results` are memory of the device (from allocate,
   * or foreign memory of the same device), and ops only enqueue: they return before their results are there, in the
   * order of the device's stream. upload has taken its bytes when it returns; download returns when the bytes have
   * arrived. An error of enqueued work is returned by the next call that meets it; its message names the op that
   * launched it.
   */
  /* Waits for everything enqueued so far. */
  kr_code (*synchronize)(const kr_call* call);
  /* Enqueues: NaN into the matrices of `output` whose report is a failure. */
  kr_code (*fill_failed)(const kr_call* call, const kr_report* reports, const kr_batch* output);
} kr_backend;

/* Exported by plugins under this name; NULL where want_abi is not served. */
typedef const kr_backend* (*kr_backend_entry)(uint32_t want_abi);

const kr_backend* kr_reference_backend(void);
const kr_backend* kr_cpu_backend(void);

#ifdef __cplusplus
}
#endif
#endif
