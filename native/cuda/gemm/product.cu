// One thread an element of C.
#include "product.hpp"

#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

template <typename T>
__global__ void multiply_elements(Product<T> p) {
  const int64_t tiles = (p.c.rows * p.c.cols + block_threads() - 1) / block_threads();
  const int64_t b = block_index() / tiles / p.parts.count, part = block_index() / tiles % p.parts.count;
  if (p.skip != nullptr && Global<const int32_t>(p.skip)[b] != 0) return;
  const int64_t e = block_index() % tiles * block_threads() + thread_index();
  if (e >= p.c.rows * p.c.cols) return;
  const int64_t i = e / p.c.cols, j = e % p.c.cols;
  if (p.symmetric && j > i) return;
  MatrixView<const T> a = p.a[b], x = p.b[b];
  MatrixView<T> c = p.c[b];
  a.data = a.data + part * p.parts.a_stride;
  x.data = x.data + part * p.parts.b_stride;
  c.data = c.data + part * p.parts.c_stride;
  const int64_t k = p.transpose_a ? p.a.rows : p.a.cols;
  T sum = 0;
  for (int64_t l = 0; l < k; ++l) sum += (p.transpose_a ? a(l, i) : a(i, l)) * (p.transpose_b ? x(j, l) : x(l, j));
  sum *= static_cast<T>(p.alpha);
  if (p.beta != 0) sum += static_cast<T>(p.beta) * c(i, j);
  if (i == j) sum += static_cast<T>(p.gamma);
  c(i, j) = sum;
  if (p.symmetric && i != j) c(j, i) = sum;
}

}  // namespace

template <typename T>
void multiply(Op& op, const Product<T>& product) {
  constexpr int threads = 256;
  const int64_t tiles = (product.c.rows * product.c.cols + threads - 1) / threads;
  launch<multiply_elements<T>>(op, {.blocks = {product.c.batch * product.parts.count * tiles}, .threads = threads},
                               product);
}

template void multiply(Op&, const Product<float>&);
template void multiply(Op&, const Product<double>&);

}  // namespace kronroot::cuda
