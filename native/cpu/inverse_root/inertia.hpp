// Which side of a shift the eigenvalues of a symmetric matrix lie on, without computing them.
#pragma once

#include <cstdint>

#include "../kernels.hpp"

namespace kronroot::cpu {

// Are all eigenvalues of A above `shift`? By a Cholesky factorisation of A - shift I in f64: n^3 / 3 flop.
template <typename T>
bool all_above(const KernelSet& kernels, int64_t n, const T* a, double shift);

// Are all eigenvalues of A below `shift`? The same with shift I - A.
template <typename T>
bool all_below(const KernelSet& kernels, int64_t n, const T* a, double shift);

// Number of eigenvalues of A above `shift`: by Sylvester's law of inertia the number of positive d_i in
// A - shift I = L D L^T, in f64, without pivoting (an eigenvalue within rounding of the shift may count either way).
template <typename T>
int64_t count_above(const KernelSet& kernels, int64_t n, const T* a, double shift);

extern template bool all_above<float>(const KernelSet&, int64_t, const float*, double);
extern template bool all_above<double>(const KernelSet&, int64_t, const double*, double);
extern template bool all_below<float>(const KernelSet&, int64_t, const float*, double);
extern template bool all_below<double>(const KernelSet&, int64_t, const double*, double);
extern template int64_t count_above<float>(const KernelSet&, int64_t, const float*, double);
extern template int64_t count_above<double>(const KernelSet&, int64_t, const double*, double);

}  // namespace kronroot::cpu
