// The steps of svd around its decomposition. B, the wide one of A and A^T scaled by a power of two to about 1, m x n,
// is written B = J^T diag(s) Q^T with orthonormal rows of J (m x m) and of Q^T (m x n).
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// Of every matrix, in scratch memory.
struct Rectangles {
  int32_t* status = nullptr;
  int32_t* exponent = nullptr;
  int32_t* sweeps = nullptr;  // of svd alone
};

// B, where A is finite, also in f64 where `wide` is given, or in f64 alone where b has no data; status, exponent, and
// sweeps 0.
template <typename T>
void read_wide(Op& op, const BatchView<const T>& a, bool is_tall, const BatchView<T>& b, double* wide,
               const Rectangles& rectangles);

// Rows of J from the eigenvectors of B B^T in f64, columns of v, in falling order of the eigenvalues; a status other
// than KR_STATUS_OK of theirs becomes that of the matrix.
template <typename T>
void take_eigenvectors(Op& op, const double* v, const int32_t* status, const BatchView<T>& j,
                       const Rectangles& rectangles);

// s of values alone: the roots of the eigenvalues of B B^T, or, where `squares` is nullptr, the lengths of the rows of
// w.
template <typename T>
void values_of(Op& op, const double* squares, const int32_t* status, const BatchView<T>& w, T* s,
               const Rectangles& rectangles);

// The rows of w and j in falling order of the lengths of those of w.
template <typename T>
void sort_rows(Op& op, const BatchView<T>& w, const BatchView<T>& j, const BatchView<T>& sorted_w,
               const BatchView<T>& sorted_j, const Rectangles& rectangles);

template <typename T>
struct Factors {
  BatchView<T> b;
  BatchView<T> j;  // data nullptr: values only, as is q
  BatchView<T> q;
  T* s;  // m numbers a matrix, about falling
};

// The outputs and the reports, which may be nullptr.
template <typename T>
void write_factors(Op& op, const Factors<T>& factors, bool is_tall, const BatchView<T>& s, const BatchView<T>& u,
                   const BatchView<T>& v, kr_report* reports, const Rectangles& rectangles);

}  // namespace kronroot::cuda
