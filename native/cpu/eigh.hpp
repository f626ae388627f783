// The eigendecomposition of one matrix, for the ops that are built on it.
#pragma once

#include <cstdint>

#include "kernels.hpp"

namespace kronroot::cpu {

// A = V diag(values) V^T for one finite, exactly symmetric A (n x n, stride n; see read_symmetric), of any scale.
//   exponent    SymmetricInput::exponent of A; A is scaled by 2^-exponent for the computation and the values are
//               scaled back. Pass 0 when A is scaled already (largest magnitude 0 or in [1/2, 1)).
//   a           destroyed
//   values      n, ascending; a value that is not representable in T after scaling back is +-infinity
//   vectors     n x n, stride n, eigenvector j in column j, signs not fixed; nullptr for values only
// Takes its workspace from the thread's Scratch (std::bad_alloc). Returns as Kernels<T>::eigh.
template <typename T>
int64_t decompose_symmetric(const KernelSet& kernels, int64_t n, int exponent, T* a, T* values, T* vectors,
                            const Execution& execution = {});

extern template int64_t decompose_symmetric<float>(const KernelSet&, int64_t, int, float*, float*, float*,
                                                   const Execution&);
extern template int64_t decompose_symmetric<double>(const KernelSet&, int64_t, int, double*, double*, double*,
                                                    const Execution&);

}  // namespace kronroot::cpu
