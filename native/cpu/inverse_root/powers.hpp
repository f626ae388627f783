// From B^{-1/a} to the rational power that was asked for.
#pragma once

#include "problem.hpp"

namespace kronroot::cpu {

// x: B^{-1/a} on entry, on return B^{-b/a}, or B^{b/a} where root.inverse is false; n x n, stride n. `base` is B, read
// for positive powers only: B^{b/a} = B^c (B^{-1/a})^{ca - b} with c = ceil(b / a).
template <typename T>
void raise_to_root(const Kernels<T>& kernels, int64_t n, const Root& root, const T* base, T* x);

extern template void raise_to_root<float>(const Kernels<float>&, int64_t, const Root&, const float*, float*);
extern template void raise_to_root<double>(const Kernels<double>&, int64_t, const Root&, const double*, double*);

}  // namespace kronroot::cpu
