// triangular_solve for n > 32: blocks on the diagonal by substitution in shared memory, a block of threads to a matrix
// and 32 right-hand sides, the rest products of batches (gemm/product.hpp). With L and Y as in system.cuh,
//   L_pp Y_p = C_p,   C_i -= L_ip Y_p for i > p                                      (Golub and Van Loan, 3.1.4)
// Up to order 128, as far as it fits, the block is the whole of T. Blocks are not inverted: products with an inverse
// would not keep the bound |op(T) X - alpha B| <= 2 (n + 4) ulp |op(T)| |X| element by element.
//
// Memory a matrix: n k elements, and 2 n doubles for each 32 right-hand sides.
#pragma once

#include "../op.hpp"
#include "system.cuh"

namespace kronroot::cuda {

template <typename T>
void solve_by_blocks(Op& op, const TriangularSystem<T>& system, kr_report* reports);

}  // namespace kronroot::cuda
