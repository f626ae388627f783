#include "starting_point.hpp"

#include <cmath>

#include "../gram_of_rows.hpp"

namespace kronroot::cpu {
namespace {

template <typename T>
void divide(int64_t count, double size, T* x) {
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<T>(static_cast<double>(x[i]) / size);
}

}  // namespace

template <typename T>
void divide_by_norm(const Kernels<T>& kernels, double safety, int64_t m, int64_t n, T* x) {
  divide(m * n, safety * std::sqrt(kernels.dot(m * n, x, x)), x);
}

template <typename T>
void divide_by_row_sums(const Kernels<T>& kernels, double safety, int64_t m, int64_t n, T* x) {
  Scratch scratch;
  T* g = scratch.take<T>(m * m);
  gram_of_rows(kernels, m, n, x, g);
  for (int64_t i = 0; i < m; ++i) {
    double sum = 0;
    for (int64_t j = 0; j < m; ++j) sum += std::abs(static_cast<double>(g[i * m + j]));
    if (sum > 0) divide(n, safety * std::sqrt(sum), x + i * n);
  }
}

template void divide_by_norm<float>(const Kernels<float>&, double, int64_t, int64_t, float*);
template void divide_by_norm<double>(const Kernels<double>&, double, int64_t, int64_t, double*);
template void divide_by_row_sums<float>(const Kernels<float>&, double, int64_t, int64_t, float*);
template void divide_by_row_sums<double>(const Kernels<double>&, double, int64_t, int64_t, double*);

}  // namespace kronroot::cpu
