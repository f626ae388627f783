// V = Q Z from the reflectors of the tridiagonalisation, Q = H_{n-1} ... H_2, and the eigenvectors Z of the tridiagonal
// matrix, in 2 n^3 flop of matrix products.
//
// Of m consecutive reflectors H_k H_{k+1} ... = I - Y S Y^T, with the vectors in the columns of Y and S upper
// triangular (Schreiber and Van Loan, A storage-efficient WY representation, SISC 10 (1989)),
//   s_jj = tau_j,   s_{.j} = -tau_j S Y^T y_j.
// Eigenvectors are rows here, so the blocks apply from the right, R <- R - ((R Y) S) Y^T. A slab of rows stays in the
// L2 cache while all blocks pass over it.
#pragma once

#include "../gemm/gemm.inl"
#include "cancellation.inl"
#include "pieces.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// Reflectors to a block.
constexpr int64_t kCompact = 32;

// Eigenvectors to a slab of 1 MiB.
template <typename T>
constexpr int64_t slab_rows(int64_t n) {
  constexpr int64_t kElements = 1048576 / int64_t{sizeof(T)}, kFewest = 64;
  return smaller(n, larger(kFewest, kElements / n / kFewest * kFewest));
}

template <typename T>
struct BackTransformationWorkspace {
  T* factors;   // S of every block
  T* products;  // R Y, then the Gram matrix of Y
  T* combined;  // (R Y) S
  T* gemm;

  BackTransformationWorkspace(int64_t n, Pieces& pieces)
      : factors(pieces.take<T>(round_up(n, kCompact) * kCompact)),
        products(pieces.take<T>(larger(slab_rows<T>(n), kCompact) * kCompact)),
        combined(pieces.take<T>(slab_rows<T>(n) * kCompact)),
        gemm(pieces.take<T>(gemm_workspace_limit<T>(n))) {}
};

template <typename T>
class BackTransformation {
 public:
  // reflectors, tau: as left by the tridiagonalisation; what lies beyond the vectors in a block of rows is cleared.
  BackTransformation(Storage<T> reflectors, const T* tau, const BackTransformationWorkspace<T>& space)
      : y_(reflectors), space_(space) {
    for (int64_t first = 0; first < y_.order; first += kCompact) form_factor(first, tau + first);
  }

  // All n rows of r, eigenvectors of the tridiagonal matrix, become eigenvectors of the full one. False when cancelled.
  bool apply(T* r, int64_t stride, const int32_t* cancel) const {
    const int64_t slab = slab_rows<T>(y_.order);
    for (int64_t row = 0; row < y_.order; row += slab) {
      for (int64_t first = 0; first < y_.order; first += kCompact) {
        if (is_cancelled(cancel)) return false;
        apply_block(first, smaller(slab, y_.order - row), r + row * stride, stride);
      }
    }
    return true;
  }

 private:
  int64_t count(int64_t first) const { return smaller(kCompact, y_.order - first); }
  // Components that the reflectors of a block touch.
  int64_t length(int64_t first) const { return first + count(first) - 1; }
  T* factor(int64_t first) const { return space_.factors + first * kCompact; }

  void form_factor(int64_t first, const T* tau) {
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
    gram.c = space_.products;
    gram.c_stride = kCompact;
    gemm(gram, space_.gemm);
    T* s = factor(first);
    for (int64_t i = 0; i < m * kCompact; ++i) s[i] = 0;
    for (int64_t j = 0; j < m; ++j) {
      for (int64_t i = 0; i < j; ++i) {
        T sum = 0;
        for (int64_t q = i; q < j; ++q) sum += s[i * kCompact + q] * space_.products[q * kCompact + j];
        s[i * kCompact + j] = -tau[j] * sum;
      }
      s[j * kCompact + j] = tau[j];
    }
  }

  void apply_block(int64_t first, int64_t rows, T* r, int64_t stride) const {
    const int64_t m = count(first);
    if (length(first) == 0) return;
    Product<T> product;
    product.m = rows;
    product.n = m;
    product.k = length(first);
    product.a = r;
    product.a_stride = stride;
    product.b = y_.row(first);
    product.b_stride = y_.stride;
    product.transpose_b = true;
    product.c = space_.products;
    product.c_stride = kCompact;
    gemm(product, space_.gemm);

    Product<T> combine;
    combine.m = rows;
    combine.n = combine.k = m;
    combine.a = space_.products;
    combine.b = factor(first);
    combine.c = space_.combined;
    combine.a_stride = combine.b_stride = combine.c_stride = kCompact;
    gemm(combine, space_.gemm);

    Product<T> update;
    update.m = rows;
    update.n = length(first);
    update.k = m;
    update.alpha = -1;
    update.a = space_.combined;
    update.a_stride = kCompact;
    update.b = y_.row(first);
    update.b_stride = y_.stride;
    update.beta = 1;
    update.c = r;
    update.c_stride = stride;
    gemm(update, space_.gemm);
  }

  Storage<T> y_;
  BackTransformationWorkspace<T> space_;
};

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
