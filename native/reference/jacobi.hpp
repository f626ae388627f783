// J A = W with orthogonal J and mutually orthogonal rows of W, by one-sided Jacobi rotations.
// Source: Hestenes, J. SIAM 6 (1958); Golub and Van Loan, Matrix Computations, 8.6.3.
#pragma once

#include "dense.hpp"

namespace kronroot::reference {

struct OrthogonalRows {
  bool converged = false;
  int sweeps = 0;
  Dense rows;      // W
  Dense rotation;  // J
};

// The largest magnitude of A is about 1 (or 0).
OrthogonalRows orthogonalize_rows(const Dense& a);

}  // namespace kronroot::reference
