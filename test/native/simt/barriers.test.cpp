// barrier.sync with and without a name, bar.warp.sync.
#include <array>

#include "test/native/simt/kernel.hpp"

namespace kronroot::test {
namespace {

using namespace cuda;

TEST("simt: a barrier of the block orders writes and reads of all warps") {
  run_block(256, 1024, [] {
    SharedArena arena;
    const auto cells = arena.take<int>(256);
    for (int round = 0; round < 5; ++round) {
      cells[thread_index()] = thread_index() + round;
      sync_block();
      const int other = (thread_index() + 100) % 256;
      EXPECT(cells[other] == other + round);
      sync_block();
    }
  });
}

TEST("simt: a block whose last warp is not full") {
  std::array<int, 40> sums{};
  run_block(40, 64, [&] {
    SharedArena arena;
    const auto cells = arena.take<int>(2);
    const uint32_t mask = warp_index() == 0 ? full_warp : 0xff;
    const uint32_t votes = ballot(true, mask);
    if (lane_index() == 0) cells[warp_index()] = static_cast<int>(votes == mask);
    sync_block();
    sums[static_cast<std::size_t>(thread_index())] = cells[0] + cells[1];
  });
  for (const int sum : sums) EXPECT(sum == 2);
}

TEST("simt: named barriers order the warps that meet at them, and no others") {
  // Warps 0 and 1 exchange by barrier 1, warps 2 and 3 by barrier 2, a different number of times.
  const auto kernel = [] {
    SharedArena arena;
    const auto cells = arena.take<int>(128);
    const int pair = warp_index() / 2;
    for (int round = 0; round < 2 + pair; ++round) {
      cells[thread_index()] = round;
      sync_threads_of(1 + pair, 64);
      EXPECT(cells[thread_index() ^ 32] == round);
      sync_threads_of(1 + pair, 64);
    }
  };
  run_block(128, 512, kernel);
}

TEST("simt: warps that met at a named barrier are ordered through the one that both met") {
  // 0 -> 1 by barrier 1, 1 -> 2 by barrier 2: what warp 0 wrote is there for warp 2.
  run_block(96, 512, [] {
    SharedArena arena;
    const auto cells = arena.take<int>(32);
    if (warp_index() == 0) cells[lane_index()] = 7;
    if (warp_index() <= 1) sync_threads_of(1, 64);
    if (warp_index() >= 1) sync_threads_of(2, 64);
    if (warp_index() == 2) EXPECT(cells[31 - lane_index()] == 7);
  });
}

TEST("simt: a warp that was not at the named barrier is not ordered by it") {
  EXPECT_CONTAINS(report_of(96, 512,
                            [] {
                              SharedArena arena;
                              const auto cells = arena.take<int>(32);
                              if (warp_index() == 0) cells[lane_index()] = 7;
                              if (warp_index() <= 1) sync_threads_of(1, 64);
                              if (warp_index() == 2) EXPECT(cells[lane_index()] == 7);
                            }),
                  "race");
}

TEST("simt: a barrier of the warp orders its lanes") {
  run_block(64, 512, [] {
    SharedArena arena;
    const auto cells = arena.take<int>(64);
    const int first = 32 * warp_index();
    cells[first + lane_index()] = lane_index();
    sync_warp();
    EXPECT(cells[first + 31 - lane_index()] == 31 - lane_index());
    sync_warp();
    cells[first + lane_index()] = 1;
  });
}

TEST("simt: wrong names and numbers of threads") {
  EXPECT_CONTAINS(report_of(32, 0, [] { sync_threads_of(16, 32); }), "there are 0 to 15");
  EXPECT_CONTAINS(report_of(32, 0, [] { sync_threads_of(1, 31); }), "multiple of 32");
  EXPECT_CONTAINS(report_of(64, 0, [] { sync_threads_of(1, 64 + 32 * warp_index()); }), "disagree");
  EXPECT_CONTAINS(report_of(64, 0,
                            [] {
                              if (warp_index() == 0) sync_threads_of(1, 64);
                            }),
                  "threads wait for others");
}

}  // namespace
}  // namespace kronroot::test
