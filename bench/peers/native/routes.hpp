// What a user of OpenBLAS would write for our ops: one matrix, one thread, scratch that is reused.
#pragma once

#include <vector>

#include "openblas.hpp"

namespace kronroot::bench {

template <typename T>
class Routes {
 public:
  explicit Routes(const Openblas& openblas) : lapack_(openblas.lapack<T>()) {}

  // C = A B, row-major, A m x k, B k x n.
  void gemm(const T* a, const T* b, T* c, BlasInt m, BlasInt n, BlasInt k) const;

  // a -> values ascending, eigenvector j in row j of vectors (LAPACK's columns). False where syevd did not converge.
  bool eigh(const T* a, T* values, T* vectors, BlasInt n);

  // x = V diag(max(w, 0) + ridge w_max)^exponent V^T.
  bool inverse_root(const T* a, T* x, BlasInt n, double exponent, double ridge);

  // x = a^{-1} by potrf and potri, both triangles. False where a is not positive definite.
  bool spd_inverse(const T* a, T* x, BlasInt n);

  // A = Q R, m x n with m >= n, by geqrf and orgqr: columns of Q (m) as rows of q; R in the rows of r (n x m) up to the
  // diagonal. False where a call failed.
  bool qr(const T* a, T* q, T* r, BlasInt m, BlasInt n);

  // A = U diag(s) V^T, n x n, by gesdd: u holds U, v holds V^T. False where it did not converge.
  bool svd(const T* a, T* s, T* u, T* v, BlasInt n);

  // s descending, of n x n, by gesdd without vectors. False where it did not converge.
  bool singular_values(const T* a, T* s, BlasInt n);

  // L X = B, L n x n and lower, B n x columns, by trsm; one column by trsv.
  void triangular_solve(const T* l, const T* b, T* x, BlasInt n, BlasInt columns) const;

  // X <- a X + (b S + c S^2) X, S = X X^T, from a / |a|_F, over `steps` triples (a, b, c); rows <= cols.
  void newton_schulz(const T* a, T* x, BlasInt rows, BlasInt cols, const double* triples, int steps);

 private:
  T* scratch(std::vector<T>& buffer, std::size_t count);

  Lapack<T> lapack_;
  std::vector<T> vectors_, values_, scaled_, gram_, polynomial_, next_, work_;
  std::vector<BlasInt> integers_;
};

extern template class Routes<float>;
extern template class Routes<double>;

}  // namespace kronroot::bench
