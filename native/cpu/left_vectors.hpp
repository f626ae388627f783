// What polar and svd start from.
#pragma once

#include <cstdint>

#include "kernels.hpp"

namespace kronroot::cpu {

// An orthogonal m x m matrix V for which the rows of V^T A are nearly orthogonal, short ones as well as long ones: A is
// m x n without gaps, m <= n, not zero and scaled so that A A^T is representable. Rows shorter than `cutoff` times the
// longest need not be. The eigenvectors of A A^T, whose short directions are decomposed again by themselves. Returns
// the number of QL sweeps, or -1.
template <typename T>
int64_t left_vectors(const KernelSet& set, double cutoff, int64_t m, int64_t n, const T* a, T* v);

// W = V^T A for the first `count` columns of V (m rows, `stride` apart), A and W with n columns without gaps.
template <typename T>
void project(const Kernels<T>& kernels, int64_t count, int64_t m, int64_t n, const T* v, int64_t stride, const T* a,
             T* w);

extern template int64_t left_vectors<float>(const KernelSet&, double, int64_t, int64_t, const float*, float*);
extern template int64_t left_vectors<double>(const KernelSet&, double, int64_t, int64_t, const double*, double*);
extern template void project<float>(const Kernels<float>&, int64_t, int64_t, int64_t, const float*, int64_t,
                                    const float*, float*);
extern template void project<double>(const Kernels<double>&, int64_t, int64_t, int64_t, const double*, int64_t,
                                     const double*, double*);

}  // namespace kronroot::cpu
