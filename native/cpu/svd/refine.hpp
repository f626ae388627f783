// From nearly orthogonal rows to orthogonal ones, for svd of one matrix.
#pragma once

#include <cstdint>

#include "../kernels.hpp"

namespace kronroot::cpu {

// Makes the rows of W = J B orthogonal, |w_i . w_j| <= ulp sqrt(n) max |w_k| max(|w_i|, |w_j|), by turning those of the
// nearly orthogonal m x m matrix J: B and W m x n, all without gaps, W given. (Short rows of a product are not known
// better than that.)
// Returns the number of steps, or kNotConverged or kCancelled.
template <typename T>
int64_t refine_rows(const Kernels<T>& kernels, int64_t m, int64_t n, const T* b, T* j, T* w, const int32_t* cancel);

extern template int64_t refine_rows<float>(const Kernels<float>&, int64_t, int64_t, const float*, float*, float*,
                                           const int32_t*);
extern template int64_t refine_rows<double>(const Kernels<double>&, int64_t, int64_t, const double*, double*, double*,
                                            const int32_t*);

}  // namespace kronroot::cpu
