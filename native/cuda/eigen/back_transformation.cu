// V = H_{n-1} ... H_1 Z.
//
// Small: a warp for each column of Z, which lies in shared memory, n elements for each warp, while all reflectors pass
// over it. Large: blocks of 32 reflectors, H_{k+31} ... H_k = I - Y S^T Y^T, which take two products each, 2 n^3 flop
// together, with S upper triangular,
//   s_jj = tau_j,   s_{.j} = -tau_j S Y^T y_j.
// Source: Schreiber and Van Loan, A storage-efficient WY representation, SISC 10 (1989).
#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "tridiagonal.hpp"

namespace kronroot::cuda {
namespace {

constexpr int columns_of_block = 8;
constexpr int64_t most_by_columns = 256;

template <typename T>
__global__ void __launch_bounds__(columns_of_block* warp_size)
    apply_reflectors(TridiagonalBatch<T> form, Global<const T> z, BatchView<T> vectors, Global<const int32_t> skip) {
  const int n = static_cast<int>(form.order);
  const int64_t groups = (n + columns_of_block - 1) / columns_of_block;
  const int64_t b = block_index() / groups;
  if (skip && skip[b] != 0) return;
  const int first = static_cast<int>(block_index() % groups) * columns_of_block;
  SharedArena arena;
  const Shared<T> columns = arena.take<T>(columns_of_block * n);
  const Global<const T> from = z + b * form.padded * form.padded;
  for (int e = thread_index(); e < n * columns_of_block; e += block_threads()) {
    const int i = e / columns_of_block, c = e % columns_of_block;
    columns[c * n + i] = first + c < n ? from[i * form.padded + first + c] : T(0);
  }
  sync_block();
  const Shared<T> column = columns + warp_index() * n;
  const Global<const T> tau = Global<const T>(form.tau) + b * n;
  for (int k = 1; k < n; ++k) {
    const Global<const T> v = Global<const T>(form.reflectors) + (b * n + k) * form.stride;
    const T factor = tau[k];
    T sum = 0;
    for (int i = lane_index(); i < k; i += warp_size) sum += v[i] * T(column[i]);
    const T share = factor * warp_sum(sum);
    for (int i = lane_index(); i < k; i += warp_size) column[i] -= share * v[i];
  }
  sync_block();
  const MatrixView<T> to = vectors[b];
  for (int e = thread_index(); e < n * columns_of_block; e += block_threads()) {
    const int i = e / columns_of_block, c = e % columns_of_block;
    if (first + c < n) to(i, first + c) = columns[c * n + i];
  }
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
  if (form.order > most_by_columns) {
    transform_by_blocks(op, form, z, vectors, skip);
    return;
  }
  const int64_t groups = (form.order + columns_of_block - 1) / columns_of_block;
  launch<apply_reflectors<T>>(op,
                              {.blocks = {form.batch * groups},
                               .threads = columns_of_block * warp_size,
                               .shared_bytes = static_cast<std::size_t>(columns_of_block * form.order) * sizeof(T)},
                              form, Global<const T>(z), vectors, Global<const int32_t>(skip));
}

template void back_transform(Op&, const TridiagonalBatch<float>&, float*, const BatchView<float>&, const int32_t*);
template void back_transform(Op&, const TridiagonalBatch<double>&, double*, const BatchView<double>&, const int32_t*);

}  // namespace kronroot::cuda
