// V = H_{n-1} ... H_1 Z.
//
// Small: a warp for 4 or 8 columns of Z, which stay in its registers while all reflectors pass over them. Large: blocks
// of 64 reflectors (compact.hpp), H_{k+63} ... H_k = I - Y S^T Y^T, which take two products each, 2 n^3 flop together.
#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "compact.hpp"
#include "tridiagonal.hpp"
#include "warp_sums.cuh"

namespace kronroot::cuda {
namespace {

constexpr int column_threads = 128;
constexpr int64_t most_by_columns = 256;

// Orders up to 32 `rows`; every warp takes `columns` columns of Z. Element (32 r + lane, c) of them is in z[c][r].
template <typename T, int rows, int columns>
__global__ void __launch_bounds__(column_threads) apply_reflectors(TridiagonalBatch<T> form, Global<const T> z_all,
                                                                   BatchView<T> vectors, Global<const int32_t> skip) {
  const int n = static_cast<int>(form.order);
  const int64_t groups = (n + columns - 1) / columns;
  const int64_t task = block_index() * warp_count() + warp_index(), b = task / groups;
  if (b >= form.batch || (skip && skip[b] != 0)) return;
  const int first = static_cast<int>(task % groups) * columns;
  const Global<const T> from = z_all + b * form.padded * form.padded;
  T z[columns][rows], v[rows], next[rows];
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    const int i = r * warp_size + lane_index();
    next[r] = 0;
#pragma unroll
    for (int c = 0; c < columns; ++c) {
      z[c][r] = i < n && first + c < n ? from[i * form.padded + first + c] : T(0);
    }
  }
  const Global<const T> tau = Global<const T>(form.tau) + b * n;
  const Global<const T> reflectors = Global<const T>(form.reflectors) + b * n * form.stride;
  // The vector of the next reflector is loaded while this one is at work; v_0 is empty.
  for (int k = 0; k < n; ++k) {
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      const int i = r * warp_size + lane_index();
      v[r] = next[r];
      next[r] = k + 1 < n && i <= k ? reflectors[(k + 1) * form.stride + i] : T(0);
    }
    const T factor = tau[k];
    T sum[columns];
#pragma unroll
    for (int c = 0; c < columns; ++c) {
      sum[c] = 0;
#pragma unroll
      for (int r = 0; r < rows; ++r) sum[c] += v[r] * z[c][r];
    }
    sum_all(sum);
#pragma unroll
    for (int c = 0; c < columns; ++c) {
      const T share = factor * sum[c];
#pragma unroll
      for (int r = 0; r < rows; ++r) z[c][r] -= share * v[r];
    }
  }
  const MatrixView<T> to = vectors[b];
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    const int i = r * warp_size + lane_index();
#pragma unroll
    for (int c = 0; c < columns; ++c) {
      if (i < n && first + c < n) to(i, first + c) = z[c][r];
    }
  }
}

template <typename T, int rows, int columns>
void transform_by_columns(Op& op, const TridiagonalBatch<T>& form, const T* z, const BatchView<T>& vectors,
                          const int32_t* skip) {
  constexpr int warps = column_threads / warp_size;
  const int64_t tasks = form.batch * ((form.order + columns - 1) / columns);
  launch<apply_reflectors<T, rows, columns>>(op, {{(tasks + warps - 1) / warps}, column_threads, 0}, form,
                                             Global<const T>(z), vectors, Global<const int32_t>(skip));
}

template <typename T>
__global__ void copy_columns(TridiagonalBatch<T> form, Global<const T> z, BatchView<T> vectors,
                             Global<const int32_t> skip) {
  const int64_t n = form.order, b = block_index() / n, i = block_index() % n;
  if (skip && skip[b] != 0) return;
  const MatrixView<T> to = vectors[b];
  const Global<const T> from = z + (b * form.padded + i) * form.padded;
  for (int64_t j = thread_index(); j < n; j += block_threads()) to(i, j) = from[j];
}

template <typename T>
void transform_by_blocks(Op& op, const TridiagonalBatch<T>& form, T* z, const BatchView<T>& vectors,
                         const int32_t* skip) {
  const int64_t n = form.order, batch = form.batch, whole = form.padded * form.padded;
  const CompactReflectors<T> y{batch,    n,   n, form.stride, form.reflectors, op.scratch<T>(batch * n * form.stride),
                               form.tau, true};
  T* const products = op.scratch<T>(batch * y.block * n);
  form_compact(op, y, 0, (n + y.block - 1) / y.block, skip);
  for (int64_t first = 0; first < n; first += y.block) {
    const int64_t count = y.count_of(first), length = y.length_of(first);
    multiply<T>(op, {.a = y.rows_of(y.y, first),
                     .b = {Global<const T>(z), batch, length, n, form.padded, whole},
                     .c = dense_view(products, batch, count, n),
                     .skip = skip});
    multiply<T>(op, {.a = y.rows_of(y.factors, first),
                     .b = dense_view<const T>(products, batch, count, n),
                     .c = {Global<T>(z), batch, length, n, form.padded, whole},
                     .transpose_a = true,
                     .alpha = -1,
                     .beta = 1,
                     .skip = skip});
  }
  launch<copy_columns<T>>(op, {{batch * n}, 128, 0}, form, Global<const T>(z), vectors, Global<const int32_t>(skip));
}

}  // namespace

template <typename T>
void back_transform(Op& op, const TridiagonalBatch<T>& form, T* z, const BatchView<T>& vectors, const int32_t* skip) {
  if (form.order <= 64) {
    transform_by_columns<T, 2, 8>(op, form, z, vectors, skip);
  } else if (form.order <= 128) {
    transform_by_columns<T, 4, 8>(op, form, z, vectors, skip);
  } else if (form.order <= most_by_columns) {
    transform_by_columns<T, 8, 4>(op, form, z, vectors, skip);
  } else {
    transform_by_blocks(op, form, z, vectors, skip);
  }
}

template void back_transform(Op&, const TridiagonalBatch<float>&, float*, const BatchView<float>&, const int32_t*);
template void back_transform(Op&, const TridiagonalBatch<double>&, double*, const BatchView<double>&, const int32_t*);

}  // namespace kronroot::cuda
