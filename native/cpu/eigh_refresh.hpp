// An eigenbasis brought up to date with a matrix that has changed a little (kr_refresh).
#pragma once

#include <cstdint>

#include "../core/matrix.hpp"
#include "../include/kronroot/ops.h"
#include "kernels.hpp"

namespace kronroot::cpu {

enum class Refreshed {
  declined,   // the matrix has to be decomposed; outputs were not touched
  kept,       // the basis itself
  iterated,   // the basis after a step of orthogonal iteration
  cancelled,  // outputs hold garbage
};

//   a        finite, exactly symmetric, n x n with stride n, largest magnitude 0 or in [1/2, 1)
//   basis    n x n, whatever the caller had there
//   values   n, ascending; of a, or of the part of it that the basis diagonalises
//   vectors  n x n, stride n, vector j in column j, signs not fixed
// options.refresh is not KR_REFRESH_NONE. Takes its workspace from the thread's Scratch (std::bad_alloc).
template <typename T>
Refreshed refresh_basis(const Kernels<T>& kernels, const kr_eigh_options& options, int64_t n, const T* a,
                        Matrix<T> basis, T* values, T* vectors, const int32_t* cancel);

extern template Refreshed refresh_basis<float>(const Kernels<float>&, const kr_eigh_options&, int64_t, const float*,
                                               Matrix<float>, float*, float*, const int32_t*);
extern template Refreshed refresh_basis<double>(const Kernels<double>&, const kr_eigh_options&, int64_t, const double*,
                                                Matrix<double>, double*, double*, const int32_t*);

}  // namespace kronroot::cpu
