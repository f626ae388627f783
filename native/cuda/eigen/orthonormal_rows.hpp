// QR factors of matrices that are stored by columns.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// A = Q R with the columns of A in the rows of x, numbers of about 1 or less: l = min(x.rows, x.cols) reflectors.
template <typename T>
struct RowFactors {
  // On return x(j, k) is r_kj times signs[k] for k < j, k < l; the rest is destroyed.
  BatchView<T> x;
  // The first columns of Q, orthonormal whatever the rank of A, in rows: l to x.cols of them; data nullptr: none.
  BatchView<T> q;
  T* diagonal;                    // of R, >= 0, l numbers a matrix
  T* signs = nullptr;             // l numbers a matrix, or nullptr
  const int32_t* skip = nullptr;  // not 0: nothing is done
};
template <typename T>
void factor_rows(Op& op, const RowFactors<T>& factors);

// Q and the diagonal of R alone, x.rows <= x.cols and as many rows of q.
template <typename T>
void orthonormalise_rows(Op& op, const BatchView<T>& x, const BatchView<T>& q, T* diagonal, const int32_t* skip) {
  factor_rows<T>(op, {.x = x, .q = q, .diagonal = diagonal, .skip = skip});
}

}  // namespace kronroot::cuda
