// The largest eigenvalue, to the accuracy that a relative ridge needs.
#pragma once

#include <cstdint>
#include <functional>

#include "../kernels.hpp"

namespace kronroot::cpu {

struct LargestEigenvalue {
  double value = 0;  // a lower bound of lambda_max (a Ritz value)
  bool converged = false;
};

// Lanczos iteration in f64 from a random vector: stops where the residual of the Ritz pair proves an eigenvalue within
// residual |value| (usually within the square of that over the gap) and `confirm`, where given, accepts the value:
// that it is the largest eigenvalue the residual cannot know. a: n x n, symmetric, stride n, n >= 1.
// Cost: 2 n^2 a step, 10 to 60 steps for most spectra; gives up after 400.
// Why not lambda_max_bound: it is exact to 5 %, and 5 % of a ridge is 5 %/p of the result where the ridge decides.
// Source: Golub and Van Loan, sections 10.1.4 and 10.3; without reorthogonalisation, which only makes copies of
// eigenvalues that have converged.
template <typename T>
LargestEigenvalue largest_eigenvalue(const Kernels<T>& kernels, int64_t n, const T* a, double residual,
                                     const std::function<bool(double)>& confirm = {});

extern template LargestEigenvalue largest_eigenvalue<float>(const Kernels<float>&, int64_t, const float*, double,
                                                            const std::function<bool(double)>&);
extern template LargestEigenvalue largest_eigenvalue<double>(const Kernels<double>&, int64_t, const double*, double,
                                                             const std::function<bool(double)>&);

}  // namespace kronroot::cpu
