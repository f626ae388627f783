#include "openblas.hpp"

#include <dlfcn.h>

#include <stdexcept>

namespace kronroot::bench {
namespace {

template <typename F>
F symbol(void* library, const char* name) {
  void* address = dlsym(library, name);
  if (address == nullptr) throw std::runtime_error(std::string("OpenBLAS has no symbol ") + name);
  return reinterpret_cast<F>(address);
}

}  // namespace

template <>
const Lapack<float>& Openblas::lapack<float>() const {
  return f32;
}
template <>
const Lapack<double>& Openblas::lapack<double>() const {
  return f64;
}

Openblas open_openblas(const std::string& file) {
  // Never closed: its threads and buffers live as long as the process.
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const int parallel = symbol<int (*)()>(library, "openblas_get_parallel")();
  if (parallel != 1)
    throw std::runtime_error(file + " is the " + (parallel == 0 ? "serial" : "OpenMP") +
                             " variant of OpenBLAS; the peer needs the pthread one");
  symbol<void (*)(int)>(library, "openblas_set_num_threads")(1);

  Openblas openblas;
  openblas.f32 = {symbol<Gemm<float>>(library, "sgemm_"),      symbol<Syevd<float>>(library, "ssyevd_"),
                  symbol<Cholesky<float>>(library, "spotrf_"), symbol<Cholesky<float>>(library, "spotri_"),
                  symbol<Geqrf<float>>(library, "sgeqrf_"),    symbol<Orgqr<float>>(library, "sorgqr_"),
                  symbol<Gesdd<float>>(library, "sgesdd_"),    symbol<Trsm<float>>(library, "strsm_"),
                  symbol<Trsv<float>>(library, "strsv_")};
  openblas.f64 = {symbol<Gemm<double>>(library, "dgemm_"),      symbol<Syevd<double>>(library, "dsyevd_"),
                  symbol<Cholesky<double>>(library, "dpotrf_"), symbol<Cholesky<double>>(library, "dpotri_"),
                  symbol<Geqrf<double>>(library, "dgeqrf_"),    symbol<Orgqr<double>>(library, "dorgqr_"),
                  symbol<Gesdd<double>>(library, "dgesdd_"),    symbol<Trsm<double>>(library, "dtrsm_"),
                  symbol<Trsv<double>>(library, "dtrsv_")};
  openblas.file = file;
  openblas.core = symbol<const char* (*)()>(library, "openblas_get_corename")();
  openblas.config = symbol<const char* (*)()>(library, "openblas_get_config")();
  return openblas;
}

}  // namespace kronroot::bench
