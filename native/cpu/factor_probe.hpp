// How qr and svd read a matrix and measure what they return: B = Q C for an m x n matrix B that is given by its
// columns, which are rows here (column j of B is row j of `b`, m elements), and likewise Q.
#pragma once

#include <cstdint>

#include "../core/matrix.hpp"
#include "kernels.hpp"
#include "scratch.hpp"

namespace kronroot::cpu {

// Copies A (or A^T) without gaps, times 2^-exponent, which brings its largest magnitude into [1/2, 1); false where an
// element is not finite. The exponent of a zero matrix is 0.
template <typename T>
bool read_scaled(const Kernels<T>& kernels, const Matrix<T>& a, bool transpose, T* to, int* exponent);

// x_i <- x_i 2^exponent; whether all of them are finite.
template <typename T>
bool scale_to_range(const Kernels<T>& kernels, int64_t count, T* x, int exponent);

// |Q^T Q y - y|_2 / |y|_2 for a random sign vector y, in f64; `count` >= 1 columns of Q.
template <typename T>
double lost_orthonormality(const Kernels<T>& kernels, int64_t count, int64_t m, const T* q);

// |B z - Q C z|_2 / (|B|_F |z|_2) for a random sign vector z, in f64. B z is kept while B is destroyed.
template <typename T>
class FactorProbe {
 public:
  FactorProbe(const Kernels<T>& kernels, int64_t m, int64_t n, const T* b, Scratch& scratch);

  // z, n numbers.
  const double* signs() const { return z_; }
  // coordinates: C z, `count` numbers. 0 for B = 0.
  double residual(int64_t count, const T* q, const double* coordinates) const;

 private:
  const Kernels<T>& kernels_;
  int64_t m_, n_;
  double* z_;
  double* product_;
  double squares_ = 0;  // |B|_F^2
};

extern template class FactorProbe<float>;
extern template class FactorProbe<double>;

}  // namespace kronroot::cpu
