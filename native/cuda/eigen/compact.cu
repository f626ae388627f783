#include "compact.hpp"

#include <algorithm>

#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int compact_threads = 256, side = 32;

// Two matrices, their rows side + 1 apart.
template <typename T>
struct CompactMemory {
  static constexpr int stride = side + 1;
  SharedArena arena;
  Shared<T> gram, s;
  __host__ __device__ CompactMemory() : gram(arena.take<T>(side * stride)), s(arena.take<T>(side * stride)) {}
};

// One block of threads a block of reflectors.
template <typename T>
__global__ void __launch_bounds__(compact_threads)
    form_factors(CompactReflectors<T> all, int64_t from, int64_t blocks, Global<const int32_t> skip) {
  const int64_t b = block_index() / blocks, first = from + block_index() % blocks * side;
  if (skip && skip[b] != 0) return;
  constexpr int stride = side + 1;
  const CompactMemory<T> memory;
  const int count = static_cast<int>(std::min<int64_t>(side, all.count - first));
  const Global<T> y = Global<T>(all.y) + (b * all.count + first) * all.stride;
  const Global<T> to = Global<T>(all.factors) + (b * all.count + first) * all.stride;
  const Global<const T> tau = Global<const T>(all.tau) + b * all.count + first;
  const int64_t begin = all.is_leading ? 0 : first, end = all.is_leading ? first + count : all.cols;
  for (int e = thread_index(); e < count * side; e += block_threads()) {
    const int r = e / side, c = e % side;
    if (c < count && (all.is_leading ? c >= r : c < r)) y[r * all.stride + first + c] = 0;
  }
  sync_block();
  for (int e = warp_index(); e < count * count; e += warp_count()) {
    const int i = e / count, j = e % count;
    if (i >= j) continue;
    T sum = 0;
    for (int64_t l = begin + lane_index(); l < end; l += warp_size)
      sum += y[i * all.stride + l] * y[j * all.stride + l];
    sum = warp_sum(sum);
    if (lane_index() == 0) memory.gram[i * stride + j] = sum;
  }
  sync_block();
  // A lane a row of S: what it needs of S is its own.
  if (thread_index() < side) {
    const int i = thread_index();
    for (int j = 0; j < count; ++j) {
      T sum = 0;
      for (int q = i; q < j; ++q) sum += T(memory.s[i * stride + q]) * T(memory.gram[q * stride + j]);
      memory.s[i * stride + j] = j < i ? T(0) : j == i ? tau[j] : -tau[j] * sum;
    }
    for (int j = count; j < side; ++j) memory.s[i * stride + j] = 0;
  }
  sync_block();
  for (int64_t l = begin + thread_index(); l < end; l += block_threads()) {
    T column[side];
#pragma unroll
    for (int q = 0; q < side; ++q) column[q] = q < count ? y[q * all.stride + l] : T(0);
#pragma unroll 1
    for (int i = 0; i < count; ++i) {
      T sum = 0;
#pragma unroll
      for (int q = 0; q < side; ++q) sum += T(memory.s[i * stride + q]) * column[q];
      to[i * all.stride + l] = sum;
    }
  }
}

}  // namespace

template <typename T>
void form_compact(Op& op, const CompactReflectors<T>& reflectors, int64_t first, int64_t blocks, const int32_t* skip) {
  static_assert(CompactReflectors<T>::block == side);
  launch<form_factors<T>>(op, {{reflectors.batch * blocks}, compact_threads, CompactMemory<T>().arena.bytes()},
                          reflectors, first, blocks, Global<const int32_t>(skip));
}

template void form_compact(Op&, const CompactReflectors<float>&, int64_t, int64_t, const int32_t*);
template void form_compact(Op&, const CompactReflectors<double>&, int64_t, int64_t, const int32_t*);

}  // namespace kronroot::cuda
