// A + epsilon I = U^T U, read, screened and scaled: what cholesky, spd_inverse and spd_solve have in common.
#pragma once

#include <cstdint>

#include "../core/matrix.hpp"
#include "../include/kronroot/ops.h"
#include "kernels.hpp"
#include "scratch.hpp"

namespace kronroot::cpu {

template <typename T>
struct SpdFactor {
  // Failed, or answered with the condition; method DIRECT where n = 0 and nothing else is set.
  kr_report report;
  // The matrix factorised is (A + ridge) 2^-exponent; the exponent is even, and 0 unless A is very large or very small.
  int exponent = 0;
  // A 2^-exponent; only the lower triangle counts. The caller's own matrix where the exponent is 0.
  Matrix<T> a;
  // epsilon 2^-exponent.
  double epsilon = 0;
  // U; only the upper triangle counts.
  Matrix<T> u;
};

// Memory comes from `scratch`, and the factor lives as long as it.
template <typename T>
SpdFactor<T> factorize_spd(const KernelSet& kernels, const kr_cholesky_options& options, const Matrix<T>& a,
                           Scratch& scratch);

// y = (A + epsilon I) 2^-exponent x in f64.
template <typename T>
void multiply_spd(const Kernels<T>& kernels, const SpdFactor<T>& factor, const double* x, double* y);

// |A + epsilon I|_F 2^-exponent
template <typename T>
double frobenius_norm(const Kernels<T>& kernels, const SpdFactor<T>& factor);

// x <- x 2^exponent, element by element; false where an element is then not finite.
template <typename T>
bool scale_back(const Kernels<T>& kernels, const Matrix<T>& x, int exponent);

}  // namespace kronroot::cpu
