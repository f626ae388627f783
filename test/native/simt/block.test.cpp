#include "test/simt/block.hpp"
#include "native/cuda/device.cuh"
#include "test/native/expect.hpp"

namespace kronroot::cuda {
namespace {

std::string run(int threads, std::size_t shared_bytes, const std::function<void()>& kernel, uint64_t seed = 0) {
  simt::Block block;
  return block.run(kernel, {{}, threads, shared_bytes}, {}, seed);
}

TEST("simt: a block sum is the same in every thread, in every order of the fibers") {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    std::vector<int> sums(96, 0);
    EXPECT(run(
               96, 64,
               [&] {
                 SharedArena arena;
                 const auto partial = arena.take<int>(3);
                 sums[static_cast<std::size_t>(thread_index())] = block_sum(thread_index(), partial);
               },
               seed)
               .empty());
    for (const int sum : sums) EXPECT(sum == 96 * 95 / 2);
  }
}

TEST("simt: seeded bugs are caught") {
  const auto array = [](int count) {
    SharedArena arena;
    return arena.take<float>(count);
  };
  EXPECT_CONTAINS(run(64, 256,
                      [&] {
                        const float x = array(64)[thread_index()];
                        (void)x;
                      }),
                  "uninitialised");
  EXPECT_CONTAINS(run(64, 256, [&] { array(64)[thread_index() + 1] = 1; }), "outside");
  EXPECT_CONTAINS(run(64, 256,
                      [&] {
                        if (thread_index() < 32) sync_block();
                      }),
                  "divergent barrier");
  EXPECT_CONTAINS(run(32, 256,
                      [&] {
                        if (lane_index() < 16) (void)shuffle(1, 0);
                      }),
                  "waits for it");
}

}  // namespace
}  // namespace kronroot::cuda
