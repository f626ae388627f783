#include "left_vectors.hpp"

#include <algorithm>
#include <cmath>

#include "eigh.hpp"
#include "gram_of_rows.hpp"

namespace kronroot::cpu {
namespace {

// Singular values below this fraction of the largest are decomposed again by themselves: a Gram matrix knows
// sigma_i^2 to ulp sigma_max^2, so the angle between two rows is off by ulp sigma_max^2 / (sigma_i sigma_j), which what
// comes after expects to be small.
template <typename T>
constexpr double kResolved = sizeof(T) == 4 ? 0x1p-5 : 1e-5;

template <typename T>
int exponent_of(int64_t count, const T* x) {
  double largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max<double>(largest, std::abs(x[i]));
  int exponent = 0;
  std::frexp(largest, &exponent);
  return largest == 0 ? 0 : exponent;
}

}  // namespace

template <typename T>
void project(const Kernels<T>& kernels, int64_t count, int64_t m, int64_t n, const T* v, int64_t stride, const T* a,
             T* w) {
  multiply<T>(kernels, {.m = count,
                        .n = n,
                        .k = m,
                        .a = v,
                        .a_stride = stride,
                        .transpose_a = true,
                        .b = a,
                        .b_stride = n,
                        .c = w,
                        .c_stride = n});
}

template <typename T>
int64_t left_vectors(const KernelSet& set, double cutoff, int64_t m, int64_t n, const T* a, T* v) {
  const Kernels<T>& kernels = kernels_of<T>(set);
  Scratch scratch;
  T* gram = scratch.take<T>(m * m);
  T* values = scratch.take<T>(m);
  T* rotation = scratch.take<T>(m * m);
  T* rotated = scratch.take<T>(m * m);
  T* rows = scratch.take<T>(m * n);
  int64_t sweeps = 0;
  double largest = 0;  // singular value of A
  for (int64_t count = m;;) {
    const bool first = count == m;
    if (!first) project(kernels, count, m, n, v, m, a, rows);
    gram_of_rows(kernels, count, n, first ? a : rows, gram);
    const int64_t done =
        decompose_symmetric(set, count, exponent_of(count * count, gram), gram, values, first ? v : rotation);
    if (done < 0) return -1;
    sweeps += done;
    if (first) {
      largest = std::sqrt(static_cast<double>(values[m - 1]));
    } else {
      // V restricted to the directions that are decomposed again, its first columns, turns with them.
      multiply<T>(kernels, {.m = m,
                            .n = count,
                            .k = count,
                            .a = v,
                            .a_stride = m,
                            .b = rotation,
                            .b_stride = count,
                            .c = rotated,
                            .c_stride = count});
      for (int64_t i = 0; i < m; ++i) std::copy_n(rotated + i * count, count, v + i * m);
    }
    const double resolved = kResolved<T> * std::sqrt(std::max<double>(0, values[count - 1]));
    const auto unresolved = std::upper_bound(values, values + count, static_cast<T>(resolved * resolved)) - values;
    if (unresolved == 0 || unresolved == count || resolved <= cutoff * largest) return sweeps;
    count = unresolved;
  }
}

template int64_t left_vectors<float>(const KernelSet&, double, int64_t, int64_t, const float*, float*);
template int64_t left_vectors<double>(const KernelSet&, double, int64_t, int64_t, const double*, double*);
template void project<float>(const Kernels<float>&, int64_t, int64_t, int64_t, const float*, int64_t, const float*,
                             float*);
template void project<double>(const Kernels<double>&, int64_t, int64_t, int64_t, const double*, int64_t, const double*,
                              double*);

}  // namespace kronroot::cpu
