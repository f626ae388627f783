// OpenBLAS as a peer: loaded at bench time, one thread inside, called through its Fortran symbols.
#pragma once

#include <cstdint>
#include <string>

namespace kronroot::bench {

using BlasInt = std::int32_t;  // LP64 interface of Debian's package

template <typename T>
using Gemm = void (*)(const char* transa, const char* transb, const BlasInt* m, const BlasInt* n, const BlasInt* k,
                      const T* alpha, const T* a, const BlasInt* lda, const T* b, const BlasInt* ldb, const T* beta,
                      T* c, const BlasInt* ldc);
template <typename T>
using Syevd = void (*)(const char* jobz, const char* uplo, const BlasInt* n, T* a, const BlasInt* lda, T* w, T* work,
                       const BlasInt* lwork, BlasInt* iwork, const BlasInt* liwork, BlasInt* info);

// potrf and potri
template <typename T>
using Cholesky = void (*)(const char* uplo, const BlasInt* n, T* a, const BlasInt* lda, BlasInt* info);

template <typename T>
using Geqrf = void (*)(const BlasInt* m, const BlasInt* n, T* a, const BlasInt* lda, T* tau, T* work,
                       const BlasInt* lwork, BlasInt* info);
template <typename T>
using Orgqr = void (*)(const BlasInt* m, const BlasInt* n, const BlasInt* k, T* a, const BlasInt* lda, const T* tau,
                       T* work, const BlasInt* lwork, BlasInt* info);
template <typename T>
using Gesdd = void (*)(const char* jobz, const BlasInt* m, const BlasInt* n, T* a, const BlasInt* lda, T* s, T* u,
                       const BlasInt* ldu, T* vt, const BlasInt* ldvt, T* work, const BlasInt* lwork, BlasInt* iwork,
                       BlasInt* info);

template <typename T>
using Trsm = void (*)(const char* side, const char* uplo, const char* trans, const char* diag, const BlasInt* m,
                      const BlasInt* n, const T* alpha, const T* a, const BlasInt* lda, T* b, const BlasInt* ldb);
template <typename T>
using Trsv = void (*)(const char* uplo, const char* trans, const char* diag, const BlasInt* n, const T* a,
                      const BlasInt* lda, T* x, const BlasInt* incx);

template <typename T>
struct Lapack {
  Gemm<T> gemm = nullptr;
  Syevd<T> syevd = nullptr;
  Cholesky<T> potrf = nullptr;
  Cholesky<T> potri = nullptr;
  Geqrf<T> geqrf = nullptr;
  Orgqr<T> orgqr = nullptr;
  Gesdd<T> gesdd = nullptr;
  Trsm<T> trsm = nullptr;
  Trsv<T> trsv = nullptr;
};

struct Openblas {
  Lapack<float> f32;
  Lapack<double> f64;
  std::string file;
  std::string core;    // kernels chosen for this machine: "SkylakeX", "Zen", ...
  std::string config;  // version and build options

  template <typename T>
  const Lapack<T>& lapack() const;
};

// Opens `file` and sets it to one thread. Throws std::runtime_error where it cannot be opened, lacks a symbol or is not
// the pthread variant: the serial one is not thread safe, the OpenMP one starts a team in every calling thread.
Openblas open_openblas(const std::string& file);

}  // namespace kronroot::bench
