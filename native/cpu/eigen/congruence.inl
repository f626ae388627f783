// F <- Q F Q^T for a symmetric F and the reflectors of the tridiagonalisation, Q = H_{n-1} ... H_2: every block
// I - Y S Y^T (compact_reflectors.inl) at once from both sides,
//   (I - Y S Y^T)^T F (I - Y S Y^T) = F - U Y^T - Y U^T,   W = F Y S,   U = W - Y (S^T Y^T W) / 2,
// in 2 n^3 flop of matrix products altogether, half of the two products with Q. A block touches the first `length`
// rows and columns: the square of them is kept in full, and of the rest the lower triangle.
#pragma once

#include "../gemm/transpose.inl"
#include "compact_reflectors.inl"
#include "execution.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

template <typename T>
struct CongruenceWorkspace {
  T* factors;   // S of every block
  T* images;    // F Y, then Y with U beside it: n x 2 kCompact
  T* combined;  // W, which becomes U, with Y beside it
  T* small;     // S^T Y^T W
  T* gemm;

  CongruenceWorkspace(int64_t n, Pieces& pieces)
      : factors(pieces.take<T>(CompactReflectors<T>::factor_elements(n))),
        images(pieces.take<T>(n * 2 * kCompact)),
        combined(pieces.take<T>(n * 2 * kCompact)),
        small(pieces.take<T>(2 * kCompact * kCompact)),
        gemm(pieces.take<T>(round_up(gemm_workspace_limit<T>(larger(n, 2 * kCompact)), 64))) {}
};

template <typename T>
class Congruence {
 public:
  Congruence(Storage<T> reflectors, const T* tau, const CongruenceWorkspace<T>& space)
      : y_(reflectors, tau, space.factors, space.small, space.gemm), space_(space) {}

  // f: its lower triangle, stride elements from row to row; on return both triangles. False when cancelled.
  bool apply(T* f, int64_t stride, const int32_t* cancel) const {
    int64_t full = 0;  // rows and columns of the square that is there in full
    for (int64_t first = 0; first < y_.order(); first += kCompact) {
      if (is_cancelled(cancel)) return false;
      const int64_t length = y_.length(first);
      mirror(full, length, f, stride);
      full = length;
      if (length > 0) apply_block(first, f, stride);
    }
    mirror(full, y_.order(), f, stride);
    return true;
  }

 private:
  static constexpr int64_t kPair = 2 * kCompact;

  // Rows [begin, end) of the lower triangle to columns of the upper one.
  static void mirror(int64_t begin, int64_t end, T* f, int64_t stride) {
    transpose(end - begin, begin, f + begin * stride, stride, f + begin, stride);
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = begin; j < i; ++j) f[j * stride + i] = f[i * stride + j];
    }
  }

  Product<T> product(int64_t m, int64_t n, int64_t k) const {
    Product<T> product;
    product.m = m;
    product.n = n;
    product.k = k;
    return product;
  }

  void apply_block(int64_t first, T* f, int64_t stride) const {
    const int64_t n = y_.order(), m = y_.count(first), length = y_.length(first);
    T* const u = space_.images;    // n x m, stride kPair; later beside it, from column m on, Y
    T* const w = space_.combined;  // n x m, stride kPair
    T* const small = space_.small;
    T* const core = small + kCompact * kCompact;

    Product<T> image = product(n, m, length);  // F Y
    image.a = f;
    image.a_stride = stride;
    image.b = y_.vectors(first);
    image.b_stride = y_.stride();
    image.transpose_b = true;
    image.c = u;
    image.c_stride = kPair;
    gemm(image, space_.gemm);

    Product<T> combine = product(n, m, m);  // W = F Y S
    combine.a = u;
    combine.a_stride = kPair;
    combine.b = y_.factor(first);
    combine.b_stride = kCompact;
    combine.c = w;
    combine.c_stride = kPair;
    gemm(combine, space_.gemm);

    Product<T> inner = product(m, m, length);  // Y^T W
    inner.a = y_.vectors(first);
    inner.a_stride = y_.stride();
    inner.b = w;
    inner.b_stride = kPair;
    inner.c = small;
    inner.c_stride = kCompact;
    gemm(inner, space_.gemm);

    Product<T> middle = product(m, m, m);  // S^T Y^T W / 2
    middle.alpha = T(0.5);
    middle.a = y_.factor(first);
    middle.a_stride = kCompact;
    middle.transpose_a = true;
    middle.b = small;
    middle.b_stride = kCompact;
    middle.c = core;
    middle.c_stride = kCompact;
    gemm(middle, space_.gemm);

    Product<T> correct = product(length, m, m);  // U = W - Y (...)
    correct.alpha = -1;
    correct.a = y_.vectors(first);
    correct.a_stride = y_.stride();
    correct.transpose_a = true;
    correct.b = core;
    correct.b_stride = kCompact;
    correct.beta = 1;
    correct.c = w;
    correct.c_stride = kPair;
    gemm(correct, space_.gemm);

    // [Y | U] in `u`, [U | Y] in `w`.
    for (int64_t i = 0; i < length; ++i) {
      T* const left = u + i * kPair;
      T* const right = w + i * kPair;
      for (int64_t j = 0; j < m; ++j) {
        left[j] = right[m + j] = y_.vectors(first)[j * y_.stride() + i];
        left[m + j] = right[j];
      }
    }
    Product<T> square = product(length, length, 2 * m);
    square.alpha = -1;
    square.a = u;
    square.a_stride = kPair;
    square.b = w;
    square.b_stride = kPair;
    square.transpose_b = true;
    square.beta = 1;
    square.c = f;
    square.c_stride = stride;
    square.triangle = Triangle::mirrored;
    gemm(square, space_.gemm);
    if (length == n) return;
    Product<T> below = product(n - length, length, m);
    below.alpha = -1;
    below.a = w + length * kPair;
    below.a_stride = kPair;
    below.b = y_.vectors(first);
    below.b_stride = y_.stride();
    below.beta = 1;
    below.c = f + length * stride;
    below.c_stride = stride;
    gemm(below, space_.gemm);
  }

  CompactReflectors<T> y_;
  CongruenceWorkspace<T> space_;
};

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
