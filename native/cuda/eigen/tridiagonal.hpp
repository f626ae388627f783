// Symmetric matrices reduced to tridiagonal form, A = Q T Q^T.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// T of every matrix, and Q = H_{n-1} ... H_1 with H_k = I - tau_k v_k v_k^T; v_k has k components, the last of them 1.
template <typename T>
struct TridiagonalBatch {
  int64_t batch = 0;
  int64_t order = 0;   // n
  int64_t padded = 0;  // elements of d and e for each matrix, n or more
  // Diagonal, and e[k] to couple k and k + 1. Beyond n the diagonal is `pad`, above every eigenvalue, and e = 0.
  double* d = nullptr;
  double* e = nullptr;
  double* bound = nullptr;  // of |eigenvalue|, by Gershgorin
  T* reflectors = nullptr;  // n rows, v_k in row k
  int64_t stride = 0;       // of the rows: n, rounded up to a whole number of 16 bytes
  T* tau = nullptr;         // n
};

template <typename T>
constexpr int64_t reflector_stride(int64_t n) {
  constexpr int64_t whole = 16 / sizeof(T);
  return (n + whole - 1) / whole * whole;
}

// a is symmetric and scaled to about 1. Nothing is done where skip is not 0.
template <typename T>
void tridiagonalise(Op& op, const BatchView<const T>& a, const TridiagonalBatch<T>& form, const int32_t* skip);

// The n eigenvalues of T alone, ascending, by bisection.
template <typename T>
void tridiagonal_values(Op& op, const TridiagonalBatch<T>& form, const BatchView<T>& values, const int32_t* skip);

// Column j of V = Q Z for every eigenvector z_j of T, column j of z (padded x padded, dense, destroyed), j < n.
template <typename T>
void back_transform(Op& op, const TridiagonalBatch<T>& form, T* z, const BatchView<T>& vectors, const int32_t* skip);

}  // namespace kronroot::cuda
