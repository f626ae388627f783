// The polar factor U V^T of a wide matrix A = U diag(sigma) V^T, in f64.
#pragma once

#include <cstdint>

#include "../kernels.hpp"

namespace kronroot::cpu {

struct Polar {
  bool converged = false;
  int64_t rank = 0;      // singular values above the cutoff
  int64_t sweeps = 0;    // of the eigendecompositions
  double condition = 0;  // largest singular value / smallest one above the cutoff
};

// a: m x n with stride n, m <= n, not zero, largest magnitude about 1. x: m x n, gets the polar factor in which
// singular values <= relative_cutoff sigma_max contribute nothing. The error is of order ulp sigma_max / sigma_min.
Polar polar(const KernelSet& kernels, double relative_cutoff, int64_t m, int64_t n, const double* a, double* x);

}  // namespace kronroot::cpu
