#include "triangular.hpp"

#include <algorithm>
#include <cmath>

#include "product.hpp"

namespace kronroot::cpu {
namespace {

// Rows eliminated one by one; above, ranges of rows are halved and coupled by a product.
constexpr int64_t kUnblocked = 8;

// The middle of [first, last), a multiple of kUnblocked rows from the start.
int64_t middle(int64_t first, int64_t last) {
  return first + ((last - first) / 2 + kUnblocked - 1) / kUnblocked * kUnblocked;
}

// C -= op(A) B, m x n with depth k.
template <typename T>
void subtract_product(const Kernels<T>& kernels, int64_t m, int64_t n, int64_t k, const T* a, int64_t a_stride,
                      bool transpose_a, const T* b, int64_t b_stride, T* c, int64_t c_stride) {
  Product<T> product;
  product.m = m;
  product.n = n;
  product.k = k;
  product.alpha = -1;
  product.a = a;
  product.a_stride = a_stride;
  product.transpose_a = transpose_a;
  product.b = b;
  product.b_stride = b_stride;
  product.beta = 1;
  product.c = c;
  product.c_stride = c_stride;
  multiply(kernels, product);
}

template <typename T>
void scale(int64_t n, T factor, T* x) {
  for (int64_t i = 0; i < n; ++i) x[i] *= factor;
}

// Rows [first, last) of U, out to column n, once all rows above have been subtracted.
template <typename T>
int64_t factorize_rows(const Kernels<T>& kernels, int64_t n, T* u, int64_t stride, int64_t first, int64_t last) {
  if (last - first > kUnblocked) {
    const int64_t mid = middle(first, last);
    const int64_t failed = factorize_rows(kernels, n, u, stride, first, mid);
    if (failed >= 0) return failed;
    const T* above = u + first * stride + mid;
    subtract_product(kernels, last - mid, n - mid, mid - first, above, stride, true, above, stride,
                     u + mid * stride + mid, stride);
    return factorize_rows(kernels, n, u, stride, mid, last);
  }
  for (int64_t i = first; i < last; ++i) {
    T* row = u + i * stride;
    for (int64_t k = first; k < i; ++k) kernels.axpy(n - i, -u[k * stride + i], u + k * stride + i, row + i);
    if (!(row[i] > 0)) return i;
    row[i] = std::sqrt(row[i]);
    scale(n - i - 1, T{1} / row[i], row + i + 1);
  }
  return -1;
}

template <typename T>
void solve_rows_forward(const Kernels<T>& kernels, const T* u, int64_t stride, int64_t first, int64_t last,
                        int64_t columns, T* b, int64_t b_stride) {
  if (last - first > kUnblocked) {
    const int64_t mid = middle(first, last);
    solve_rows_forward(kernels, u, stride, first, mid, columns, b, b_stride);
    subtract_product(kernels, last - mid, columns, mid - first, u + first * stride + mid, stride, true,
                     b + first * b_stride, b_stride, b + mid * b_stride, b_stride);
    solve_rows_forward(kernels, u, stride, mid, last, columns, b, b_stride);
    return;
  }
  for (int64_t i = first; i < last; ++i) {
    T* row = b + i * b_stride;
    for (int64_t k = first; k < i; ++k) kernels.axpy(columns, -u[k * stride + i], b + k * b_stride, row);
    scale(columns, T{1} / u[i * stride + i], row);
  }
}

template <typename T>
void solve_rows_backward(const Kernels<T>& kernels, const T* u, int64_t stride, int64_t first, int64_t last,
                         int64_t columns, T* b, int64_t b_stride) {
  if (last - first > kUnblocked) {
    const int64_t mid = middle(first, last);
    solve_rows_backward(kernels, u, stride, mid, last, columns, b, b_stride);
    subtract_product(kernels, mid - first, columns, last - mid, u + first * stride + mid, stride, false,
                     b + mid * b_stride, b_stride, b + first * b_stride, b_stride);
    solve_rows_backward(kernels, u, stride, first, mid, columns, b, b_stride);
    return;
  }
  for (int64_t i = last - 1; i >= first; --i) {
    T* row = b + i * b_stride;
    for (int64_t k = i + 1; k < last; ++k) kernels.axpy(columns, -u[i * stride + k], b + k * b_stride, row);
    scale(columns, T{1} / u[i * stride + i], row);
  }
}

// Rows [first, last) of M = U^{-T}, by forward substitution in the columns of the identity. Row i of M ends at column
// i.
template <typename T>
void invert_rows(const Kernels<T>& kernels, const T* u, int64_t stride, int64_t first, int64_t last, T* m,
                 int64_t m_stride) {
  if (last - first > kUnblocked) {
    const int64_t mid = middle(first, last);
    invert_rows(kernels, u, stride, first, mid, m, m_stride);
    // Columns [0, mid) of rows [first, mid) of M are not zero, but for the upper triangle at their end: the last
    // quarter of that square is left out.
    const int64_t split = middle(first, mid);
    subtract_product(kernels, last - mid, split, mid - first, u + first * stride + mid, stride, true,
                     m + first * m_stride, m_stride, m + mid * m_stride, m_stride);
    subtract_product(kernels, last - mid, mid - split, mid - split, u + split * stride + mid, stride, true,
                     m + split * m_stride + split, m_stride, m + mid * m_stride + split, m_stride);
    invert_rows(kernels, u, stride, mid, last, m, m_stride);
    return;
  }
  for (int64_t i = first; i < last; ++i) {
    T* row = m + i * m_stride;
    for (int64_t k = first; k < i; ++k) kernels.axpy(k + 1, -u[k * stride + i], m + k * m_stride, row);
    row[i] = 1;
    scale(i + 1, T{1} / u[i * stride + i], row);
  }
}

}  // namespace

template <typename T>
int64_t factorize(const Kernels<T>& kernels, int64_t n, T* u, int64_t stride) {
  // Each band of rows first subtracts all rows above it. Narrow bands waste less below the diagonal, wide bands
  // make better products.
  const int64_t band = std::clamp<int64_t>((n / 8 + kUnblocked - 1) / kUnblocked * kUnblocked, kUnblocked, 64);
  for (int64_t i = 0; i < n; i += band) {
    const int64_t end = std::min(n, i + band);
    if (i > 0) {
      subtract_product(kernels, end - i, n - i, i, u + i, stride, true, u + i, stride, u + i * stride + i, stride);
    }
    const int64_t failed = factorize_rows(kernels, n, u, stride, i, end);
    if (failed >= 0) return failed;
  }
  return -1;
}

template <typename T>
void solve_forward(const Kernels<T>& kernels, int64_t n, const T* u, int64_t stride, int64_t columns, T* b,
                   int64_t b_stride) {
  solve_rows_forward(kernels, u, stride, 0, n, columns, b, b_stride);
}

template <typename T>
void solve_backward(const Kernels<T>& kernels, int64_t n, const T* u, int64_t stride, int64_t columns, T* b,
                    int64_t b_stride) {
  solve_rows_backward(kernels, u, stride, 0, n, columns, b, b_stride);
}

template <typename T>
void invert_transposed(const Kernels<T>& kernels, int64_t n, const T* u, int64_t stride, T* inverse,
                       int64_t inverse_stride) {
  for (int64_t i = 0; i < n; ++i) std::fill_n(inverse + i * inverse_stride, n, T{0});
  invert_rows(kernels, u, stride, 0, n, inverse, inverse_stride);
}

template <typename T>
void multiply_lower_by_transpose(const Kernels<T>& kernels, int64_t n, const T* lower, int64_t stride, T* x,
                                 int64_t x_stride) {
  constexpr int64_t kBand = 64;
  for (int64_t i = 0; i < n; i += kBand) {
    Product<T> product;
    product.m = std::min(n - i, kBand);
    product.k = n - i;  // columns from i on are zero above row i
    product.a = lower + i * stride + i;
    product.a_stride = product.b_stride = stride;
    product.transpose_a = true;
    product.c_stride = x_stride;
    if (i > 0) {
      product.n = i;
      product.b = lower + i * stride;
      product.c = x + i * x_stride;
      multiply(kernels, product);
      kernels.transpose(product.m, i, product.c, x_stride, x + i, x_stride);
    }
    product.n = product.m;
    product.b = product.a;
    product.c = x + i * x_stride + i;
    product.triangle = Triangle::mirrored;
    multiply(kernels, product);
  }
}

template int64_t factorize(const Kernels<float>&, int64_t, float*, int64_t);
template void solve_forward(const Kernels<float>&, int64_t, const float*, int64_t, int64_t, float*, int64_t);
template void solve_backward(const Kernels<float>&, int64_t, const float*, int64_t, int64_t, float*, int64_t);
template void invert_transposed(const Kernels<float>&, int64_t, const float*, int64_t, float*, int64_t);
template void multiply_lower_by_transpose(const Kernels<float>&, int64_t, const float*, int64_t, float*, int64_t);
template int64_t factorize(const Kernels<double>&, int64_t, double*, int64_t);
template void solve_forward(const Kernels<double>&, int64_t, const double*, int64_t, int64_t, double*, int64_t);
template void solve_backward(const Kernels<double>&, int64_t, const double*, int64_t, int64_t, double*, int64_t);
template void invert_transposed(const Kernels<double>&, int64_t, const double*, int64_t, double*, int64_t);
template void multiply_lower_by_transpose(const Kernels<double>&, int64_t, const double*, int64_t, double*, int64_t);

}  // namespace kronroot::cpu
