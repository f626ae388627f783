// How every op that takes a symmetric matrix reads it: screened, symmetrised and scaled, into scratch memory.
#pragma once

#include <cstdint>

#include "../core/matrix.hpp"

namespace kronroot::cpu {

struct SymmetricInput {
  // KR_STATUS_OK, KR_STATUS_NON_FINITE_INPUT or KR_STATUS_NOT_SYMMETRIC; after a failure `symmetric` holds garbage.
  kr_status status = KR_STATUS_OK;
  // Largest magnitude of (A + A^T) / 2, exact in T.
  double largest = 0;
  // The power of two that brings `largest` into [1/2, 1): largest = m 2^exponent; 0 for the zero matrix.
  int exponent = 0;
};

// Writes (A + A^T) / 2, exactly symmetric, to `symmetric` (n x n, stride n). A is rejected when an element is not
// finite, or when max |a_ij - a_ji| > sqrt(ulp) max |a_ij|. The mean is formed as a + (b - a) / 2, which neither
// overflows near FLT_MAX nor loses the last bit of denormals that agree.
template <typename T>
SymmetricInput read_symmetric(const Matrix<T>& a, T* symmetric);

// x_i <- x_i 2^exponent for i < count; exact unless the result overflows or is denormal. Any exponent is legal (two
// factors are used where one would not be representable).
template <typename T>
void scale_by_power_of_two(int64_t count, T* x, int exponent);

extern template SymmetricInput read_symmetric<float>(const Matrix<float>&, float*);
extern template SymmetricInput read_symmetric<double>(const Matrix<double>&, double*);
extern template void scale_by_power_of_two<float>(int64_t, float*, int);
extern template void scale_by_power_of_two<double>(int64_t, double*, int);

}  // namespace kronroot::cpu
