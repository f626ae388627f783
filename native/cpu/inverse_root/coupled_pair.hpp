// The pair of matrices that every coupled iteration for the inverse p-th root carries:
//   M_{k+1} = P_k^p M_k -> I,   X_{k+1} = X_k P_k -> M_0^{-1/p},   P_k a polynomial in M_k.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "../commuting.hpp"

namespace kronroot::cpu {

// All matrices are n x n with stride n, symmetric, and polynomials of M_0, so they commute. M is multiplied from both
// sides, P^{ceil(p/2)} (M P^{floor(p/2)}): forming P^p first would cost up to |P|^p ulp.
template <typename T>
class CoupledPair {
 public:
  // Memory comes from `scratch`.
  CoupledPair(const Kernels<T>& kernels, int64_t n, int p, Scratch& scratch) : kernels_(kernels), n_(n), p_(p) {
    for (T** each : {&m_, &x_, &factor_, &low_, &high_, &spare_}) *each = scratch.take<T>(n * n);
  }

  T* m() { return m_; }
  T* x() { return x_; }
  // Where the caller puts P before it calls one of the functions below.
  T* factor() { return factor_; }

  // P = c0 I + c1 M + c2 M^2
  void set_factor(double c0, double c1, double c2) {
    quadratic(kernels_, n_, static_cast<T>(c0), static_cast<T>(c1), static_cast<T>(c2), m_, factor_);
  }

  // X <- P, for X_0 = I
  void start_x() { std::copy_n(factor_, n_ * n_, x_); }

  // X <- X P
  void advance_x() {
    multiply(x_, factor_, spare_);
    std::swap(x_, spare_);
  }

  // M <- P^p M
  void advance_m() {
    if (p_ == 1) {
      multiply(factor_, m_, spare_);
      std::swap(m_, spare_);
      return;
    }
    raise_factor(p_ / 2, low_);
    const T* high = low_;
    if (p_ % 2 != 0) {
      multiply(low_, factor_, high_);
      high = high_;
    }
    multiply(m_, low_, spare_);
    multiply(high, spare_, m_);
  }

 private:
  void multiply(const T* a, const T* b, T* c) { multiply_commuting<T>(kernels_, n_, 1, a, b, 0, c); }

  // to = P^power, power >= 1: the binary digits of the power from the top.
  void raise_factor(int power, T*& to) {
    std::copy_n(factor_, n_ * n_, to);
    int digit = 1;
    while (digit * 2 <= power) digit *= 2;
    for (digit /= 2; digit > 0; digit /= 2) {
      multiply(to, to, spare_);
      std::swap(to, spare_);
      if ((power & digit) == 0) continue;
      multiply(to, factor_, spare_);
      std::swap(to, spare_);
    }
  }

  const Kernels<T>& kernels_;
  int64_t n_;
  int p_;
  T *m_, *x_, *factor_, *low_, *high_, *spare_;
};

}  // namespace kronroot::cpu
