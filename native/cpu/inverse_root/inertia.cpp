#include "inertia.hpp"

#include <algorithm>

#include "../../core/matrix.hpp"
#include "../commuting.hpp"
#include "../triangular.hpp"

namespace kronroot::cpu {
namespace {

template <typename T>
double* shifted(int64_t n, const T* a, double shift, Scratch& scratch) {
  double* work = scratch.take<double>(n * n);
  std::copy_n(a, n * n, work);
  add_to_diagonal(n, -shift, work);
  return work;
}

}  // namespace

template <typename T>
bool all_above(const KernelSet& kernels, int64_t n, const T* a, double shift) {
  Scratch scratch;
  return factorize(kernels.f64, n, shifted(n, a, shift, scratch), n) < 0;
}

template <typename T>
bool all_below(const KernelSet& kernels, int64_t n, const T* a, double shift) {
  Scratch scratch;
  double* work = shifted(n, a, shift, scratch);
  for (int64_t i = 0; i < n * n; ++i) work[i] = -work[i];
  return factorize(kernels.f64, n, work, n) < 0;
}

template <typename T>
int64_t count_above(const KernelSet& kernels, int64_t n, const T* a, double shift) {
  Scratch scratch;
  double* work = shifted(n, a, shift, scratch);
  int64_t count = 0;
  for (int64_t k = 0; k < n; ++k) {
    const double* row = work + k * n;
    if (row[k] > 0) ++count;
    // A pivot of exactly 0 is moved by less than the rounding of the matrix.
    const double pivot = row[k] != 0 ? row[k] : -ulp_of<double>;
    for (int64_t i = k + 1; i < n; ++i) {
      kernels.f64.axpy(n - i, -row[i] / pivot, row + i, work + i * n + i);
    }
  }
  return count;
}

template bool all_above<float>(const KernelSet&, int64_t, const float*, double);
template bool all_above<double>(const KernelSet&, int64_t, const double*, double);
template bool all_below<float>(const KernelSet&, int64_t, const float*, double);
template bool all_below<double>(const KernelSet&, int64_t, const double*, double);
template int64_t count_above<float>(const KernelSet&, int64_t, const float*, double);
template int64_t count_above<double>(const KernelSet&, int64_t, const double*, double);

}  // namespace kronroot::cpu
