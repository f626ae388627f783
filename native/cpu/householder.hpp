// The orthogonal factor of a square matrix, for the ops that are built on it.
#pragma once

#include <cstdint>

#include "kernels.hpp"

namespace kronroot::cpu {

// B = Q R with Q orthogonal to working accuracy whatever the rank of B, R upper triangular with a diagonal >= 0.
// Columns are rows here: row j of b is column j of B, and row j of q becomes column j of Q. Both n x n with stride n; b
// is destroyed. Takes its workspace from the thread's Scratch (std::bad_alloc).
template <typename T>
void orthogonal_factor(const Kernels<T>& kernels, int64_t n, T* b, T* q);

extern template void orthogonal_factor<float>(const Kernels<float>&, int64_t, float*, float*);
extern template void orthogonal_factor<double>(const Kernels<double>&, int64_t, double*, double*);

}  // namespace kronroot::cpu
