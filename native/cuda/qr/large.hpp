// qr of matrices that do not fit into shared memory: reflectors in blocks (eigen/orthonormal_rows.hpp).
// Memory a matrix, in elements: m n + c m + 2 l m + 32 max(n, c) with c columns of Q and l = min(m, n).
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// q and r with data nullptr where they are not wanted.
template <typename T>
void qr_large(Op& op, const BatchView<const T>& a, const BatchView<T>& q, const BatchView<T>& r, kr_report* reports);

}  // namespace kronroot::cuda
