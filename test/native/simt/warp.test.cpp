// Shuffles and votes against the PTX ISA: shfl.sync, vote.sync.
#include <array>

#include "test/native/simt/kernel.hpp"

namespace kronroot::test {
namespace {

using namespace cuda;

// What every lane gets from `instruction`, which is given the lane.
template <typename T, typename Instruction>
std::array<T, 32> of_lanes(const Instruction& instruction) {
  std::array<T, 32> results{};
  run_block(32, 0, [&] { results[static_cast<std::size_t>(lane_index())] = instruction(lane_index()); });
  return results;
}

// The pseudocode of shfl.sync: `b` is the lane, the mask of flips or the distance, `segment` is 32 - width.
enum class Mode { index, xor_, down, up };
int source_lane(Mode mode, int lane, int b, int width) {
  const int segment = 32 - width;
  b &= 31;
  const int clamp = mode == Mode::up ? 0 : 31;
  const int most = (lane & segment) | (clamp & ~segment);
  const int least = lane & segment;
  switch (mode) {
    case Mode::up:
      return lane - b >= most ? lane - b : lane;
    case Mode::down:
      return lane + b <= most ? lane + b : lane;
    case Mode::xor_:
      return (lane ^ b) <= most ? lane ^ b : lane;
    default:
      return least | (b & ~segment);
  }
}

template <typename T>
void shuffles_follow_the_isa() {
  for (const int width : {1, 2, 4, 8, 16, 32}) {
    for (int b = 0; b < 34; b += b < 9 ? 1 : 4) {
      const auto value = [](int lane) { return static_cast<T>(1000 + 3 * lane); };
      const auto by_index = of_lanes<T>([&](int lane) { return shuffle(value(lane), b, width); });
      const auto by_xor = of_lanes<T>([&](int lane) { return shuffle_xor(value(lane), b, width); });
      const auto by_down = of_lanes<T>([&](int lane) { return shuffle_down(value(lane), b, width); });
      const auto by_up = of_lanes<T>([&](int lane) { return shuffle_up(value(lane), b, width); });
      for (int lane = 0; lane < 32; ++lane) {
        const auto i = static_cast<std::size_t>(lane);
        EXPECT(by_index[i] == value(source_lane(Mode::index, lane, b, width)));
        EXPECT(by_xor[i] == value(source_lane(Mode::xor_, lane, b, width)));
        EXPECT(by_down[i] == value(source_lane(Mode::down, lane, b, width)));
        EXPECT(by_up[i] == value(source_lane(Mode::up, lane, b, width)));
      }
    }
  }
}

TEST("simt: shuffles with every width, of 4 and 8 bytes") {
  shuffles_follow_the_isa<int>();
  shuffles_follow_the_isa<double>();
}

TEST("simt: each lane may name a lane of its own") {
  const auto reversed = of_lanes<float>([](int lane) { return shuffle(static_cast<float>(lane), 31 - lane); });
  for (int lane = 0; lane < 32; ++lane) EXPECT(reversed[static_cast<std::size_t>(lane)] == 31 - lane);
}

TEST("simt: a shuffle of part of the warp, the other lanes elsewhere") {
  constexpr uint32_t even = 0x55555555;
  const auto sums = of_lanes<int>([](int lane) {
    if (lane % 2 == 1) return -1;
    int sum = lane;
    for (int flip = 16; flip > 1; flip /= 2) sum += shuffle_xor(sum, flip, 32, even);
    return sum;
  });
  for (int lane = 0; lane < 32; ++lane) EXPECT(sums[static_cast<std::size_t>(lane)] == (lane % 2 == 1 ? -1 : 240));
}

TEST("simt: the halves of a warp go their own ways with masks of their own") {
  const auto sums = of_lanes<int>([](int lane) {
    const uint32_t half = lane < 16 ? 0x0000ffff : 0xffff0000;
    int sum = lane;
    // The upper half takes part in many more collectives.
    for (int round = 0; round < (lane < 16 ? 1 : 9); ++round) {
      sum = lane;
      for (int flip = 8; flip > 0; flip /= 2) sum += shuffle_xor(sum, flip, 16, half);
    }
    sync_warp();
    return shuffle(sum, 31 - lane);
  });
  for (int lane = 0; lane < 32; ++lane) EXPECT(sums[static_cast<std::size_t>(lane)] == (lane < 16 ? 376 : 120));
}

TEST("simt: votes") {
  const auto odd = of_lanes<uint32_t>([](int lane) { return ballot(lane % 2 == 1); });
  const auto part = of_lanes<uint32_t>([](int lane) { return lane < 8 ? ballot(lane > 2, 0xff) : 0; });
  const auto any = of_lanes<bool>([](int lane) { return any_of_warp(lane == 17); });
  const auto none = of_lanes<bool>([](int) { return any_of_warp(false); });
  const auto all = of_lanes<bool>([](int lane) { return all_of_warp(lane >= 0); });
  const auto most = of_lanes<bool>([](int lane) { return all_of_warp(lane != 5); });
  const auto all_of_part = of_lanes<bool>([](int lane) { return lane >= 8 || all_of_warp(lane < 8, 0xff); });
  for (std::size_t lane = 0; lane < 32; ++lane) {
    EXPECT(odd[lane] == 0xaaaaaaaa);
    EXPECT(part[lane] == (lane < 8 ? 0xf8u : 0u));
    EXPECT(any[lane] && !none[lane] && all[lane] && !most[lane] && all_of_part[lane]);
  }
}

TEST("simt: sums and maxima of a warp and of a block, the same in every thread") {
  const auto sums = of_lanes<int>([](int lane) { return warp_sum(lane + 1, 8); });
  for (int lane = 0; lane < 32; ++lane) EXPECT(sums[static_cast<std::size_t>(lane)] == 36 + lane / 8 * 64);
  std::array<float, 96> largest{};
  std::array<int, 96> total{};
  run_block(96, 64, [&] {
    SharedArena arena;
    const auto partial = arena.take<int>(3);
    const auto partial_max = arena.take<float>(3);
    const auto i = static_cast<std::size_t>(thread_index());
    total[i] = block_sum(thread_index(), partial);
    largest[i] = block_max(-1.0f - static_cast<float>(thread_index()), partial_max);
  });
  for (std::size_t i = 0; i < 96; ++i) EXPECT(total[i] == 96 * 95 / 2 && largest[i] == -1);
}

}  // namespace
}  // namespace kronroot::test
