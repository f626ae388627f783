// An upper bound of the largest eigenvalue, for relative ridges where no eigenvalues are computed.
#pragma once

#include <cstdint>

#include "kernels.hpp"

namespace kronroot::cpu {

// b with rho(A) <= b <= 1.05 rho(A), rho the largest magnitude of an eigenvalue: lambda_max itself unless A has a
// negative eigenvalue of larger magnitude. Both inequalities are theorems in exact arithmetic (no starting vector, no
// chance); rounding moves them by about n ulp, by which b is raised. 0 for n = 0 and A = 0.
//   a       n x n, exactly symmetric, finite, largest magnitude 0 or within [2^-40, 2^40]
// Takes two n x n matrices from the thread's Scratch (std::bad_alloc). Cost: n^2 where rows or norms already tell, else
// n^3 flop for each of k squarings, k = 1..4 for most spectra, at most log2(log2(n)) + 4.2: 7 at n = 1024.
template <typename T>
double lambda_max_bound(const KernelSet& kernels, int64_t n, const T* a, int64_t stride);

extern template double lambda_max_bound<float>(const KernelSet&, int64_t, const float*, int64_t);
extern template double lambda_max_bound<double>(const KernelSet&, int64_t, const double*, int64_t);

}  // namespace kronroot::cpu
