// The pair of matrices of the coupled iteration (../coupled_pair.hpp), in lanes.
#pragma once

#include "block_product.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

template <typename T>
class CoupledLanes {
 public:
  static constexpr int kMatrices = 6;

  // memory: kMatrices matrices.
  CoupledLanes(const LaneBlocks& shape, int p, T* memory) : shape_(shape), p_(p) {
    for (T** each : {&m_, &x_, &factor_, &low_, &high_, &spare_}) {
      *each = memory;
      memory += elements_of<T>(shape);
    }
  }

  T* m() { return m_; }
  T* x() { return x_; }

  // P = c0 I + c1 M + c2 M^2
  void set_factor(Vec<T> c0, Vec<T> c1, Vec<T> c2) {
    multiply_commuting_lanes<T>({shape_, m_, m_, factor_, m_, c2, c1, c0});
  }

  // X <- P, for X_0 = I; P is lost, so M is advanced first.
  void start_x() { swap(x_, factor_); }

  // X <- X P
  void advance_x() {
    multiply(x_, factor_, spare_);
    swap(x_, spare_);
  }

  // M <- P^p M
  void advance_m() {
    const T* const low = raise_factor(p_ / 2);
    const T* high = low;
    if (p_ % 2 != 0) {
      multiply(low, factor_, high_);
      high = high_;
    }
    multiply(m_, low, spare_);
    multiply(high, spare_, m_);
  }

 private:
  static void swap(T*& a, T*& b) {
    T* const old = a;
    a = b;
    b = old;
  }

  void multiply(const T* a, const T* b, T* c) { multiply_commuting_lanes<T>({shape_, a, b, c}); }

  // P^power, power >= 1: the binary digits of the power from the top.
  const T* raise_factor(int power) {
    const T* raised = factor_;
    int digit = 1;
    while (digit * 2 <= power) digit *= 2;
    for (digit /= 2; digit > 0; digit /= 2) {
      multiply(raised, raised, spare_);
      swap(low_, spare_);
      raised = low_;
      if ((power & digit) == 0) continue;
      multiply(raised, factor_, spare_);
      swap(low_, spare_);
      raised = low_;
    }
    return raised;
  }

  LaneBlocks shape_;
  int p_;
  T *m_, *x_, *factor_, *low_, *high_, *spare_;
};

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
