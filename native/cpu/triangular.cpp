#include "triangular.hpp"

#include <algorithm>

#include "product.hpp"

namespace kronroot::cpu {
namespace {

// Matrices up to this order are eliminated in place as a whole; it spares packing operands and computing both triangles
// of blocks on the diagonal. Larger ones are cut into bands of rows that are coupled by products.
constexpr int64_t kUnblocked = 256;
constexpr int64_t kBand = 128;
// M = U^{-T} is read in blocks of so many columns; above its diagonal it is zero within them.
constexpr int64_t kInverseBlock = 64;
static_assert(kBand % kInverseBlock == 0);

int64_t band_of(int64_t n) { return n <= kUnblocked ? kUnblocked : kBand; }

template <typename T>
struct Operand {
  T* data;
  int64_t stride;
};

// C = beta C - op(A) B, m x n with depth k.
template <typename T>
void subtract_product(const Kernels<T>& kernels, int64_t m, int64_t n, int64_t k, T beta, Operand<const T> a,
                      bool transpose_a, Operand<const T> b, Operand<T> c) {
  if (m == 0 || n == 0) return;
  Product<T> product;
  product.m = m;
  product.n = n;
  product.k = k;
  product.alpha = -1;
  product.a = a.data;
  product.a_stride = a.stride;
  product.transpose_a = transpose_a;
  product.b = b.data;
  product.b_stride = b.stride;
  product.beta = beta;
  product.c = c.data;
  product.c_stride = c.stride;
  multiply(kernels, product);
}

template <typename T>
T* reciprocal_diagonal(int64_t n, const T* u, int64_t stride, Diagonal diagonal, Scratch& scratch) {
  T* reciprocals = scratch.take<T>(n);
  for (int64_t i = 0; i < n; ++i) reciprocals[i] = diagonal == Diagonal::unit ? T{1} : T{1} / u[i * (stride + 1)];
  return reciprocals;
}

}  // namespace

template <typename T>
int64_t factorize(const Kernels<T>& kernels, int64_t n, T* u, int64_t stride) {
  Scratch scratch;
  T* reciprocals = scratch.take<T>(n);
  const int64_t band = band_of(n);
  for (int64_t i = 0; i < n; i += band) {
    const int64_t end = std::min(n, i + band);
    const int64_t failed = kernels.factorize_rows(i, end, u, stride, reciprocals);
    if (failed >= 0) return failed;
    T* right = u + i * stride + end;
    if (i > 0) {
      subtract_product<T>(kernels, end - i, n - end, i, 1, {u + i, stride}, true, {u + end, stride}, {right, stride});
    }
    kernels.eliminate({u + i * (stride + 1), 1, stride, reciprocals + i, right, stride}, end - i, n - end);
  }
  return -1;
}

template <typename T>
void solve_forward(const Kernels<T>& kernels, int64_t n, const T* u, int64_t stride, int64_t columns, T* b,
                   int64_t b_stride, Diagonal diagonal) {
  Scratch scratch;
  const T* reciprocals = reciprocal_diagonal(n, u, stride, diagonal, scratch);
  const int64_t band = band_of(n);
  for (int64_t i = 0; i < n; i += band) {
    const int64_t rows = std::min(n - i, band);
    T* x = b + i * b_stride;
    if (i > 0) subtract_product<T>(kernels, rows, columns, i, 1, {u + i, stride}, true, {b, b_stride}, {x, b_stride});
    kernels.eliminate({u + i * (stride + 1), 1, stride, reciprocals + i, x, b_stride}, rows, columns);
  }
}

template <typename T>
void solve_backward(const Kernels<T>& kernels, int64_t n, const T* u, int64_t stride, int64_t columns, T* b,
                    int64_t b_stride, Diagonal diagonal) {
  Scratch scratch;
  T* reciprocals = reciprocal_diagonal(n, u, stride, diagonal, scratch);
  std::reverse(reciprocals, reciprocals + n);
  const int64_t band = band_of(n);
  for (int64_t end = n; end > 0; end -= std::min(end, band)) {
    const int64_t i = std::max<int64_t>(0, end - band);
    if (end < n) {
      subtract_product<T>(kernels, end - i, columns, n - end, 1, {u + i * stride + end, stride}, false,
                          {b + end * b_stride, b_stride}, {b + i * b_stride, b_stride});
    }
    // From the last row of the band up.
    const int64_t last = end - 1;
    kernels.eliminate({u + last * (stride + 1), -stride, -1, reciprocals + (n - end), b + last * b_stride, -b_stride},
                      end - i, columns);
  }
}

template <typename T>
void invert_transposed(const Kernels<T>& kernels, int64_t n, const T* u, int64_t stride, T* inverse,
                       int64_t inverse_stride) {
  Scratch scratch;
  const T* reciprocals = reciprocal_diagonal(n, u, stride, Diagonal::given, scratch);
  const int64_t band = band_of(n);
  for (int64_t i = 0; i < n; i += band) {
    const int64_t end = std::min(n, i + band);
    for (int64_t r = i; r < end; ++r) {
      T* row = inverse + r * inverse_stride;
      std::fill(row + i, row + std::min(n, (r / kInverseBlock + 1) * kInverseBlock), T{0});
      row[r] = 1;
    }
    // Column j of M begins at row j: blocks of columns start there, narrow ones within the band.
    constexpr int64_t kNarrow = 32;
    for (int64_t j = 0; j < i; j += kInverseBlock) {
      subtract_product<T>(kernels, end - i, kInverseBlock, i - j, 0, {u + j * stride + i, stride}, true,
                          {inverse + j * (inverse_stride + 1), inverse_stride},
                          {inverse + i * inverse_stride + j, inverse_stride});
    }
    kernels.eliminate({u + i * (stride + 1), 1, stride, reciprocals + i, inverse + i * inverse_stride, inverse_stride},
                      end - i, i);
    for (int64_t j = i; j < end; j += kNarrow) {
      kernels.eliminate(
          {u + j * (stride + 1), 1, stride, reciprocals + j, inverse + j * (inverse_stride + 1), inverse_stride},
          end - j, std::min(kNarrow, end - j));
    }
  }
}

template <typename T>
void multiply_lower_by_transpose(const Kernels<T>& kernels, int64_t n, const T* lower, int64_t stride, T* x,
                                 int64_t x_stride) {
  // Wide bands pack the rows of M less often.
  const int64_t band = n <= kUnblocked ? kInverseBlock : 4 * kInverseBlock;
  for (int64_t i = 0; i < n; i += band) {
    const int64_t end = std::min(n, i + band);
    // X_ij = sum_{k>=i} M_ki^T M_kj: all rows of the band take the rows of M below it, and those within the band block
    // by block, as far as they are not zero.
    Product<T> product;
    product.transpose_a = true;
    product.a_stride = product.b_stride = stride;
    product.c_stride = x_stride;
    const auto add_rows = [&](int64_t first, int64_t last, int64_t rows) {
      product.k = last - first;
      product.m = rows;
      product.a = lower + first * stride + i;
      product.n = i;
      product.b = lower + first * stride;
      product.c = x + i * x_stride;
      product.triangle = Triangle::full;
      if (i > 0) multiply(kernels, product);
      product.n = rows;
      product.b = product.a;
      product.c += i;
      product.triangle = Triangle::mirrored;
      multiply(kernels, product);
      product.beta = 1;
    };
    const int64_t last_block = i + (end - i - 1) / kInverseBlock * kInverseBlock;
    add_rows(last_block, n, end - i);
    for (int64_t k = i; k < last_block; k += kInverseBlock) add_rows(k, k + kInverseBlock, k + kInverseBlock - i);
    kernels.transpose(end - i, i, x + i * x_stride, x_stride, x + i, x_stride);
  }
}

template int64_t factorize(const Kernels<float>&, int64_t, float*, int64_t);
template void solve_forward(const Kernels<float>&, int64_t, const float*, int64_t, int64_t, float*, int64_t, Diagonal);
template void solve_backward(const Kernels<float>&, int64_t, const float*, int64_t, int64_t, float*, int64_t, Diagonal);
template void invert_transposed(const Kernels<float>&, int64_t, const float*, int64_t, float*, int64_t);
template void multiply_lower_by_transpose(const Kernels<float>&, int64_t, const float*, int64_t, float*, int64_t);
template int64_t factorize(const Kernels<double>&, int64_t, double*, int64_t);
template void solve_forward(const Kernels<double>&, int64_t, const double*, int64_t, int64_t, double*, int64_t,
                            Diagonal);
template void solve_backward(const Kernels<double>&, int64_t, const double*, int64_t, int64_t, double*, int64_t,
                             Diagonal);
template void invert_transposed(const Kernels<double>&, int64_t, const double*, int64_t, double*, int64_t);
template void multiply_lower_by_transpose(const Kernels<double>&, int64_t, const double*, int64_t, double*, int64_t);

}  // namespace kronroot::cpu
