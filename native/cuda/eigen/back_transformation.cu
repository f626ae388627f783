// V = H_{n-1} ... H_1 Z.
//
// Small: a warp for 4 or 8 columns of Z, which stay in its registers while all reflectors pass over them. Large: blocks
// of 32 reflectors, H_{k+31} ... H_k = I - Y S^T Y^T, which take two products each, 2 n^3 flop together, with S upper
// triangular,
//   s_jj = tau_j,   s_{.j} = -tau_j S Y^T y_j.
// Source: Schreiber and Van Loan, A storage-efficient WY representation, SISC 10 (1989).
#include "../gemm/product.hpp"
#include "../launch.hpp"
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

// Reflectors to a block.
constexpr int compact = 32;
constexpr int compact_threads = 256;

template <typename T>
struct CompactMemory {
  SharedArena arena;
  Shared<T> gram, s;  // by rows of 33
  CompactMemory() = default;
  __host__ __device__ explicit CompactMemory(int size) : gram(arena.take<T>(size)), s(arena.take<T>(size)) {}
};

// For the block of rows from `compact` times the second index on: Y^T cleared of what lies beyond the vectors, and
// S Y^T, both `compact` rows of the matrix' reflectors.
template <typename T>
__global__ void __launch_bounds__(compact_threads)
    form_compact(TridiagonalBatch<T> form, Global<T> factors, Global<const int32_t> skip) {
  constexpr int stride = compact + 1;
  const int64_t n = form.order, blocks = (n + compact - 1) / compact;
  const int64_t b = block_index() / blocks, first = block_index() % blocks * compact;
  if (skip && skip[b] != 0) return;
  const CompactMemory<T> memory(compact * stride);
  const int count = static_cast<int>(std::min<int64_t>(compact, n - first));
  const Global<T> y = Global<T>(form.reflectors) + (b * n + first) * form.stride;
  const Global<T> to = factors + (b * n + first) * form.stride;
  const Global<const T> tau = Global<const T>(form.tau) + b * n + first;
  const int64_t length = first + count;
  for (int e = thread_index(); e < count * compact; e += block_threads()) {
    const int r = e / compact, c = e % compact;
    if (c >= r && c < count) y[r * form.stride + first + c] = 0;
  }
  sync_block();
  for (int e = warp_index(); e < count * count; e += warp_count()) {
    const int i = e / count, j = e % count;
    if (i >= j) continue;
    T sum = 0;
    for (int64_t l = lane_index(); l < length; l += warp_size) sum += y[i * form.stride + l] * y[j * form.stride + l];
    sum = warp_sum(sum);
    if (lane_index() == 0) memory.gram[i * stride + j] = sum;
  }
  sync_block();
  // A lane a row of S: what it needs of S is its own.
  if (thread_index() < compact) {
    const int i = thread_index();
    for (int j = 0; j < count; ++j) {
      T sum = 0;
      for (int q = i; q < j; ++q) sum += T(memory.s[i * stride + q]) * T(memory.gram[q * stride + j]);
      memory.s[i * stride + j] = j < i ? T(0) : j == i ? tau[j] : -tau[j] * sum;
    }
    for (int j = count; j < compact; ++j) memory.s[i * stride + j] = 0;
  }
  sync_block();
  for (int64_t l = thread_index(); l < length; l += block_threads()) {
    T column[compact];
#pragma unroll
    for (int q = 0; q < compact; ++q) column[q] = q < count ? y[q * form.stride + l] : T(0);
#pragma unroll 1
    for (int i = 0; i < count; ++i) {
      T sum = 0;
#pragma unroll
      for (int q = 0; q < compact; ++q) sum += T(memory.s[i * stride + q]) * column[q];
      to[i * form.stride + l] = sum;
    }
  }
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
  const int64_t n = form.order, batch = form.batch, blocks = (n + compact - 1) / compact;
  const int64_t elements = n * form.stride, whole = form.padded * form.padded;
  const Global<const int32_t> skipped(skip);
  const Global<T> factors(op.scratch<T>(batch * elements)), reflectors(form.reflectors);
  T* const products = op.scratch<T>(batch * compact * n);
  launch<form_compact<T>>(op,
                          {{batch * blocks}, compact_threads, CompactMemory<T>(compact * (compact + 1)).arena.bytes()},
                          form, factors, skipped);
  for (int64_t first = 0; first < n; first += compact) {
    const int64_t count = std::min<int64_t>(compact, n - first), length = first + count;
    const auto rows_of = [&](const Global<T>& rows) {
      return BatchView<const T>{rows + first * form.stride, batch, count, length, form.stride, elements};
    };
    const BatchView<T> upper{Global<T>(z), batch, length, n, form.padded, whole};
    multiply<T>(op, {.a = rows_of(reflectors),
                     .b = {upper.data, batch, length, n, form.padded, whole},
                     .c = dense_view(products, batch, count, n),
                     .skip = skip});
    multiply<T>(op, {.a = rows_of(factors),
                     .b = dense_view<const T>(products, batch, count, n),
                     .c = upper,
                     .transpose_a = true,
                     .alpha = -1,
                     .beta = 1,
                     .skip = skip});
  }
  launch<copy_columns<T>>(op, {{batch * n}, 128, 0}, form, Global<const T>(z), vectors, skipped);
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
