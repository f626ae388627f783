// cp.async: copies that arrive when they are waited for.
#include <array>

#include "test/native/simt/kernel.hpp"

namespace kronroot::test {
namespace {

using namespace cuda;

template <typename T>
Shared<T> shared(int count) {
  SharedArena arena;
  return arena.take<T>(count);
}

std::vector<float> counted(int count) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
  return values;
}

template <int Bytes>
void copies_with_zero_fill() {
  constexpr int each = Bytes / 4;
  const DeviceArray<float> source(counted(32 * each));
  run_block(32, 32 * Bytes, [&] {
    const auto cells = shared<float>(32 * each);
    // Where nothing is present the source is not looked at.
    const bool is_present = lane_index() % 3 != 0;
    copy_async<Bytes>(cells, lane_index() * each, source.global(), is_present ? lane_index() * each : 123456789,
                      is_present);
    commit_copies();
    wait_for_copies<0>();
    sync_warp();
    const int other = 31 - lane_index();
    for (int i = 0; i < each; ++i) {
      const float value = cells[other * each + i];
      EXPECT(value == (other % 3 != 0 ? static_cast<float>(other * each + i) : 0));
    }
  });
}

TEST("simt: copies of 4, 8 and 16 bytes, zeros where nothing is present") {
  copies_with_zero_fill<4>();
  copies_with_zero_fill<8>();
  copies_with_zero_fill<16>();
}

TEST("simt: wait_for_copies leaves the last groups under way") {
  const DeviceArray<float> source(counted(96));
  run_block(32, 384, [&] {
    const auto cells = shared<float>(96);
    for (int stage = 0; stage < 3; ++stage) {
      copy_async<4>(cells, 32 * stage + lane_index(), source.global(), 32 * stage + lane_index());
      commit_copies();
    }
    wait_for_copies<2>();
    EXPECT(cells.load(lane_index()) == static_cast<float>(lane_index()));
    wait_for_copies<1>();
    EXPECT(cells.load(32 + lane_index()) == static_cast<float>(32 + lane_index()));
    wait_for_copies<0>();
    EXPECT(cells.load(64 + lane_index()) == static_cast<float>(64 + lane_index()));
  });
  EXPECT_CONTAINS(report_of(32, 384,
                            [&] {
                              const auto cells = shared<float>(96);
                              for (int stage = 0; stage < 2; ++stage) {
                                copy_async<4>(cells, 32 * stage + lane_index(), source.global(), lane_index());
                                commit_copies();
                              }
                              wait_for_copies<1>();
                              (void)cells.load(32 + lane_index());
                            }),
                  "before wait_for_copies");
}

TEST("simt: bug: a copy read before it is waited for, or never committed") {
  const DeviceArray<float> source(counted(32));
  const auto copy = [&] {
    const auto cells = shared<float>(32);
    copy_async<4>(cells, lane_index(), source.global(), lane_index());
    return cells;
  };
  for (uint64_t order = 0; order < orders; ++order) {
    EXPECT_CONTAINS(report_of(
                        32, 128,
                        [&] {
                          const auto cells = copy();
                          commit_copies();
                          (void)cells.load(lane_index());
                        },
                        order),
                    "before wait_for_copies");
    EXPECT_CONTAINS(report_of(
                        32, 128,
                        [&] {
                          const auto cells = copy();
                          wait_for_copies<0>();
                          (void)cells.load(lane_index());
                        },
                        order),
                    "before wait_for_copies");
    // Its own thread alone sees what has arrived.
    EXPECT_CONTAINS(report_of(
                        32, 128,
                        [&] {
                          const auto cells = copy();
                          commit_copies();
                          sync_warp();
                          wait_for_copies<0>();
                          (void)cells.load(31 - lane_index());
                        },
                        order),
                    order == 0 ? "before wait_for_copies" : "(block");
  }
}

TEST("simt: bug: a copy into what other threads still read") {
  const DeviceArray<float> source(counted(32));
  EXPECT_CONTAINS(report_of(32, 128,
                            [&] {
                              const auto cells = shared<float>(32);
                              cells[lane_index()] = 1;
                              sync_warp();
                              (void)cells.load(31);
                              if (lane_index() == 0) copy_async<4>(cells, 31, source.global(), 0);
                            }),
                  "race: write of what another thread read");
}

TEST("simt: bug: copies past the end of their source, and to places that are not aligned") {
  const DeviceArray<float> source(counted(32));
  EXPECT_CONTAINS(report_of(32, 128, [&] { copy_async<4>(shared<float>(32), 0, source.global(), 32); }),
                  "outside of device memory");
  EXPECT_CONTAINS(report_of(32, 128, [&] { copy_async<16>(shared<float>(32), 2, source.global(), 0); }),
                  "misaligned shared access");
  EXPECT_CONTAINS(report_of(32, 128, [&] { copy_async<16>(shared<float>(32), 0, source.global(), 2); }),
                  "misaligned global access");
}

}  // namespace
}  // namespace kronroot::test
