// The polar factor U V^T of A = U S V^T by one-sided Jacobi.
#pragma once

#include "dense.hpp"

namespace kronroot::reference {

struct Polar {
  bool converged = false;
  int sweeps = 0;
  int64_t rank = 0;      // singular values above cutoff sigma_max
  double condition = 0;  // sigma_max / the smallest singular value kept
  Dense factor;          // sum over the kept ones of u_i v_i^T
};

// A is m x n with m <= n, finite and not zero; singular values <= relative_cutoff * sigma_max contribute nothing.
Polar polar(const Dense& a, double relative_cutoff);

}  // namespace kronroot::reference
