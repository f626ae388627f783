// V = Q Z from the reflectors of the tridiagonalisation, Q = H_{n-1} ... H_2, and the eigenvectors Z of the tridiagonal
// matrix, in 2 n^3 flop of matrix products.
//
// Eigenvectors are rows here, so the blocks of reflectors I - Y S Y^T (compact_reflectors.inl) apply from the right,
// R <- R - ((R Y) S) Y^T. A slab of rows stays in the L2 cache while all blocks pass over it.
#pragma once

#include "compact_reflectors.inl"
#include "execution.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

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
      : factors(pieces.take<T>(CompactReflectors<T>::factor_elements(n))),
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
  // As CompactReflectors.
  BackTransformation(Storage<T> reflectors, const T* tau, const BackTransformationWorkspace<T>& space)
      : y_(reflectors, tau, space.factors, space.products, space.gemm), space_(space) {}

  // All n rows of r, eigenvectors of the tridiagonal matrix, become eigenvectors of the full one. False when cancelled.
  bool apply(T* r, int64_t stride, const Execution& execution) const {
    const int64_t fair = round_up((y_.order() + execution.threads - 1) / execution.threads, 2 * kCompact);
    const int64_t slab = smaller(slab_rows<T>(y_.order()), fair), slabs = (y_.order() + slab - 1) / slab;
    const int64_t parts = y_.order() < kWorthSharing ? 1 : smaller(slabs, execution.threads);
    run_parts(execution, parts, [&](int64_t part) {
      for (int64_t s = part; s < slabs; s += parts) {
        const int64_t row = s * slab;
        apply_blocks(part, smaller(slab, y_.order() - row), r + row * stride, stride, execution.cancel);
      }
    });
    return !is_cancelled(execution.cancel);
  }

 private:
  void apply_blocks(int64_t part, int64_t rows, T* r, int64_t stride, const int32_t* cancel) const {
    for (int64_t first = 0; first < y_.order() && !is_cancelled(cancel); first += kCompact) {
      if (y_.length(first) > 0) apply_block(part, first, rows, r, stride);
    }
  }

  void apply_block(int64_t part, int64_t first, int64_t rows, T* r, int64_t stride) const {
    const int64_t m = y_.count(first);
    T* const products = space_.products + part * space_.products_size;
    T* const combined = space_.combined + part * space_.products_size;
    T* const workspace = space_.gemm + part * space_.gemm_size;
    Product<T> product;
    product.m = rows;
    product.n = m;
    product.k = y_.length(first);
    product.a = r;
    product.a_stride = stride;
    product.b = y_.vectors(first);
    product.b_stride = y_.stride();
    product.transpose_b = true;
    product.c = products;
    product.c_stride = kCompact;
    gemm(product, workspace);

    Product<T> combine;
    combine.m = rows;
    combine.n = combine.k = m;
    combine.a = products;
    combine.b = y_.factor(first);
    combine.c = combined;
    combine.a_stride = combine.b_stride = combine.c_stride = kCompact;
    gemm(combine, workspace);

    Product<T> update;
    update.m = rows;
    update.n = y_.length(first);
    update.k = m;
    update.alpha = -1;
    update.a = combined;
    update.a_stride = kCompact;
    update.b = y_.vectors(first);
    update.b_stride = y_.stride();
    update.beta = 1;
    update.c = r;
    update.c_stride = stride;
    gemm(update, workspace);
  }

  CompactReflectors<T> y_;
  BackTransformationWorkspace<T> space_;
};

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
