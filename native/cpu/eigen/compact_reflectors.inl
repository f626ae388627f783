// The reflectors of the tridiagonalisation in blocks: of m consecutive ones H_k H_{k+1} ... = I - Y S Y^T, with the
// vectors in the columns of Y and S upper triangular,
//   s_jj = tau_j,   s_{.j} = -tau_j S Y^T y_j.
// Source: Schreiber and Van Loan, A storage-efficient WY representation, SISC 10 (1989).
#pragma once

#include "../gemm/gemm.inl"
#include "pieces.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// Reflectors to a block.
constexpr int64_t kCompact = 32;

template <typename T>
class CompactReflectors {
 public:
  static int64_t factor_elements(int64_t n) { return round_up(n, kCompact) * kCompact; }

  // reflectors, tau: as left by the tridiagonalisation; what lies beyond the vectors in a block of rows is cleared.
  // factors: memory for S of every block; products: kCompact^2 elements; workspace: of gemm, for order n.
  CompactReflectors(Storage<T> reflectors, const T* tau, T* factors, T* products, T* workspace)
      : y_(reflectors), factors_(factors) {
    for (int64_t first = 0; first < y_.order; first += kCompact) form_factor(first, tau + first, products, workspace);
  }

  int64_t order() const { return y_.order; }
  int64_t count(int64_t first) const { return smaller(kCompact, y_.order - first); }
  // Components that the reflectors of a block touch.
  int64_t length(int64_t first) const { return first + count(first) - 1; }
  // Y^T, its rows `stride` apart.
  const T* vectors(int64_t first) const { return y_.row(first); }
  int64_t stride() const { return y_.stride; }
  // S, its rows kCompact apart.
  const T* factor(int64_t first) const { return factors_ + first * kCompact; }

 private:
  void form_factor(int64_t first, const T* tau, T* products, T* workspace) {
    const int64_t m = count(first);
    for (int64_t j = 0; j < m; ++j) {
      T* v = y_.row(first + j);
      for (int64_t i = first + j; i < length(first); ++i) v[i] = 0;
    }
    Product<T> gram;
    gram.m = gram.n = m;
    gram.k = length(first);
    gram.a = gram.b = y_.row(first);
    gram.a_stride = gram.b_stride = y_.stride;
    gram.transpose_b = true;
    gram.c = products;
    gram.c_stride = kCompact;
    gemm(gram, workspace);
    T* s = factors_ + first * kCompact;
    for (int64_t i = 0; i < m * kCompact; ++i) s[i] = 0;
    for (int64_t j = 0; j < m; ++j) {
      for (int64_t i = 0; i < j; ++i) {
        T sum = 0;
        for (int64_t q = i; q < j; ++q) sum += s[i * kCompact + q] * products[q * kCompact + j];
        s[i * kCompact + j] = -tau[j] * sum;
      }
      s[j * kCompact + j] = tau[j];
    }
  }

  Storage<T> y_;
  T* factors_;
};

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
