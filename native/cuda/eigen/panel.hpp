// Rows of matrices too large for shared memory reduced in panels.
#pragma once

#include "tridiagonal.hpp"

namespace kronroot::cuda {

// Reduces rows n-1, n-2, ... of a until at most `most`, which is above 32, are left, and returns how many: the leading
// rows and columns of form.reflectors, where v_k take the place of the rows that are reduced.
template <typename T>
int64_t reduce_panels(Op& op, const BatchView<const T>& a, const TridiagonalBatch<T>& form, int64_t most,
                      const int32_t* skip);

}  // namespace kronroot::cuda
