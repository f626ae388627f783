// SPECTRAL_LOWER: the largest |A x|_2 / |x|_2 met in so many steps x <- A^T A x from the longest row of A, vectors in
// f64 (Golub and Van Loan, 8.2.1). Up to 2^18 elements one launch, a block a matrix; beyond, a launch of many blocks
// for each product. Memory a matrix: m + n doubles.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

template <typename T>
void power_iteration(Op& op, int steps, const BatchView<const T>& a, const BatchView<T>& values, kr_report* reports);

}  // namespace kronroot::cuda
