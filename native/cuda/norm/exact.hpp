// FROBENIUS, ONE, INFINITY and MAX: one pass over A, sums in f64.
// Memory a matrix: nothing up to 32768 elements; beyond, 6 doubles for each of at most 256 parts and n more for ONE.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

template <typename T>
void exact_norms(Op& op, int32_t kind, const BatchView<const T>& a, const BatchView<T>& values, kr_report* reports);

}  // namespace kronroot::cuda
