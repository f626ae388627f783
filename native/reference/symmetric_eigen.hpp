// A = V diag(w) V^T of a symmetric f64 matrix by Jacobi's method.
#pragma once

#include "dense.hpp"

namespace kronroot::reference {

struct SymmetricEigen {
  bool converged = false;
  int sweeps = 0;
  int exponent = 0;  // eigenvalue j is values[j] 2^exponent: no scale of A can overflow
  Vector values;     // ascending
  Dense vectors;     // eigenvector j is column j, of either sign
};

// a is finite and exactly symmetric.
SymmetricEigen symmetric_eigen(const Dense& a);

// How inverse_root and eigh read their input: finite and symmetric enough for the dtype, or the status that says why
// not.
struct SymmetricPart {
  kr_status status = KR_STATUS_OK;
  Dense matrix;  // (A + A^T) / 2
};
SymmetricPart symmetric_part(const Dense& a, int32_t dtype);

}  // namespace kronroot::reference
