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
#include "execution.inl"
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
  T* factors;  // S of every block
  // For every thread:
  T* products;  // R Y, and the Gram matrix of Y
  T* combined;  // (R Y) S
  T* gemm;
  int64_t products_size;
  int64_t gemm_size;

  BackTransformationWorkspace(int64_t n, int threads, Pieces& pieces)
      : factors(pieces.take<T>(round_up(n, kCompact) * kCompact)),
        products_size(larger(slab_rows<T>(n), kCompact) * kCompact),
        gemm_size(round_up(gemm_workspace_limit<T>(n), 64)) {
    products = pieces.take<T>(threads * products_size);
    combined = pieces.take<T>(threads * products_size);
    gemm = pieces.take<T>(threads * gemm_size);
  }
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
  bool apply(T* r, int64_t stride, const Execution& execution) const {
    const int64_t fair = round_up((y_.order + execution.threads - 1) / execution.threads, 2 * kCompact);
    const int64_t slab = smaller(slab_rows<T>(y_.order), fair), slabs = (y_.order + slab - 1) / slab;
    const int64_t parts = y_.order < kWorthSharing ? 1 : smaller(slabs, execution.threads);
    run_parts(execution, parts, [&](int64_t part) {
      for (int64_t s = part; s < slabs; s += parts) {
        const int64_t row = s * slab;
        apply_blocks(part, smaller(slab, y_.order - row), r + row * stride, stride, execution.cancel);
      }
    });
    return !is_cancelled(execution.cancel);
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

  void apply_blocks(int64_t part, int64_t rows, T* r, int64_t stride, const int32_t* cancel) const {
    for (int64_t first = 0; first < y_.order && !is_cancelled(cancel); first += kCompact) {
      if (length(first) > 0) apply_block(part, first, rows, r, stride);
    }
  }

  void apply_block(int64_t part, int64_t first, int64_t rows, T* r, int64_t stride) const {
    const int64_t m = count(first);
    T* const products = space_.products + part * space_.products_size;
    T* const combined = space_.combined + part * space_.products_size;
    T* const workspace = space_.gemm + part * space_.gemm_size;
    Product<T> product;
    product.m = rows;
    product.n = m;
    product.k = length(first);
    product.a = r;
    product.a_stride = stride;
    product.b = y_.row(first);
    product.b_stride = y_.stride;
    product.transpose_b = true;
    product.c = products;
    product.c_stride = kCompact;
    gemm(product, workspace);

    Product<T> combine;
    combine.m = rows;
    combine.n = combine.k = m;
    combine.a = products;
    combine.b = factor(first);
    combine.c = combined;
    combine.a_stride = combine.b_stride = combine.c_stride = kCompact;
    gemm(combine, workspace);

    Product<T> update;
    update.m = rows;
    update.n = length(first);
    update.k = m;
    update.alpha = -1;
    update.a = combined;
    update.a_stride = kCompact;
    update.b = y_.row(first);
    update.b_stride = y_.stride;
    update.beta = 1;
    update.c = r;
    update.c_stride = stride;
    gemm(update, workspace);
  }

  Storage<T> y_;
  BackTransformationWorkspace<T> space_;
};

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
