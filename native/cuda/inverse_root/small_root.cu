#include "small_root.hpp"

#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int block_tile = 32;

constexpr int tiles_of(int64_t n) { return static_cast<int>((n + block_tile - 1) / block_tile); }
constexpr int threads_of(int64_t n) { return warp_size * tiles_of(n) * (tiles_of(n) + 1) / 2; }
constexpr int most_threads = 320;  // of 128 / 32 tiles

// One warp a matrix, several matrices a block.
template <typename T, int Side>
__global__ void __launch_bounds__(128, 1) warp_roots(RootRequest request, Schedules schedules, RootBatch<T> batch) {
  const int64_t b = block_index() * warp_count() + warp_index();
  const int n = static_cast<int>(batch.a.rows);
  SharedArena arena;
  SmallRootMemory<double, true> memory{};
  for (int w = 0; w <= warp_index(); ++w) {
    memory = SmallRootMemory<double, true>::in(arena, n, Side, request.root.a, warp_size);
  }
  if (b >= batch.a.batch) return;
  small_root<T, double, Side, true>(WarpTeam{}, memory, memory.x, request, schedules, batch, b);
}

// One block a matrix, X in shared memory.
template <typename T>
__global__ void __launch_bounds__(most_threads, 1)
    block_roots(RootRequest request, Schedules schedules, RootBatch<T> batch) {
  SharedArena arena;
  const BlockTeam team{arena.take<double>(warp_count())};
  const int n = static_cast<int>(batch.a.rows), side = (n + block_tile - 1) / block_tile * block_tile;
  const auto memory = SmallRootMemory<T, true>::in(arena, n, side, request.root.a, block_threads());
  small_root<T, T, block_tile, true>(team, memory, memory.x, request, schedules, batch, block_index());
}

// The same with X in memory of the device, `xs`.
template <typename T>
__global__ void __launch_bounds__(most_threads, 1)
    block_roots_beside(RootRequest request, Schedules schedules, RootBatch<T> batch, Global<T> xs) {
  SharedArena arena;
  const BlockTeam team{arena.take<double>(warp_count())};
  const int n = static_cast<int>(batch.a.rows), side = (n + block_tile - 1) / block_tile * block_tile;
  const auto memory = SmallRootMemory<T, false>::in(arena, n, side, request.root.a, block_threads());
  const GlobalSquare<T> x{xs + block_index() * side * side, side};
  small_root<T, T, block_tile, false>(team, memory, x, request, schedules, batch, block_index());
}

template <typename T, bool has_x>
std::size_t block_bytes(int64_t n, int p) {
  SharedArena arena;
  arena.take<double>(threads_of(n) / warp_size);
  SmallRootMemory<T, has_x>::in(arena, static_cast<int>(n), tiles_of(n) * block_tile, p, threads_of(n));
  return arena.bytes();
}

template <typename T, int Side>
void launch_warps(Op& op, const RootRequest& request, const Schedules& schedules, const RootBatch<T>& batch) {
  constexpr int warps = Side <= 16 ? 4 : 2;
  SharedArena arena;
  for (int w = 0; w < warps; ++w) {
    SmallRootMemory<double, true>::in(arena, static_cast<int>(batch.a.rows), Side, request.root.a, warp_size);
  }
  launch<warp_roots<T, Side>>(
      op,
      {.blocks = {(batch.a.batch + warps - 1) / warps}, .threads = warps * warp_size, .shared_bytes = arena.bytes()},
      request, schedules, batch);
}

}  // namespace

template <typename T>
bool is_small_root(const kr_device& device, const RootRequest& request, int64_t n) {
  if (n <= block_tile) return true;
  return threads_of(n) <= most_threads &&
         block_bytes<T, false>(n, request.root.a) <= static_cast<std::size_t>(device.shared_bytes);
}

template <typename T>
void small_roots(Op& op, const RootRequest& request, const Schedules& schedules, const RootBatch<T>& batch) {
  const int64_t n = batch.a.rows, count = batch.a.batch;
  if (n <= 8) return launch_warps<T, 8>(op, request, schedules, batch);
  if (n <= 16) return launch_warps<T, 16>(op, request, schedules, batch);
  if (n <= 32) return launch_warps<T, 32>(op, request, schedules, batch);
  const std::size_t with_x = block_bytes<T, true>(n, request.root.a);
  if (with_x <= static_cast<std::size_t>(op.device().shared_bytes)) {
    launch<block_roots<T>>(op, {.blocks = {count}, .threads = threads_of(n), .shared_bytes = with_x}, request,
                           schedules, batch);
    return;
  }
  const int64_t side = tiles_of(n) * block_tile;
  T* xs = op.scratch<T>(count * side * side);
  launch<block_roots_beside<T>>(
      op, {.blocks = {count}, .threads = threads_of(n), .shared_bytes = block_bytes<T, false>(n, request.root.a)},
      request, schedules, batch, Global<T>(xs));
}

template bool is_small_root<float>(const kr_device&, const RootRequest&, int64_t);
template bool is_small_root<double>(const kr_device&, const RootRequest&, int64_t);
template void small_roots<float>(Op&, const RootRequest&, const Schedules&, const RootBatch<float>&);
template void small_roots<double>(Op&, const RootRequest&, const Schedules&, const RootBatch<double>&);

}  // namespace kronroot::cuda
