// Which of the kernels of spd/ takes a call.
#pragma once

#include "in_parts.cuh"
#include "shared_kernels.cuh"

namespace kronroot::cuda {

// A launch of parts, each with `tiles` tiles of shared memory.
template <typename T, int N>
LaunchShape shape_of_parts(int64_t batch, int tiles) {
  SharedArena arena;
  for (int tile = 0; tile < tiles; ++tile) take_tiles<T, N>(arena);
  return {.blocks = {(batch + parts_of_block<N> - 1) / parts_of_block<N>},
          .threads = part_threads,
          .shared_bytes = arena.bytes()};
}

// A launch of one block to a matrix, and whether a block can have the shared memory that Layout::take asks for.
template <typename Layout>
bool fits_into_shared(const Op& op, int64_t batch, int64_t n, LaunchShape* shape) {
  constexpr int64_t most = 1024;  // far beyond what fits; sizes below stay in the range of int
  if (n > most) return false;
  SharedArena arena;
  Layout::take(arena, static_cast<int>(n));
  *shape = {.blocks = {batch}, .threads = spd_threads, .shared_bytes = arena.bytes()};
  return arena.bytes() <= static_cast<std::size_t>(op.device().shared_bytes);
}

}  // namespace kronroot::cuda
