// atom.add and atom.max in global and shared memory.
#include <algorithm>

#include "test/native/simt/kernel.hpp"

namespace kronroot::test {
namespace {

using namespace cuda;

template <typename T>
void sums_of_all_threads() {
  const DeviceArray<T> sum(std::vector<T>{5});
  T in_shared = 0;
  std::vector<T> before(64);
  const auto kernel = [&] {
    SharedArena arena;
    const auto cell = arena.take<T>(1);
    if (thread_index() == 0) cell[0] = 0;
    sync_block();
    before[static_cast<std::size_t>(thread_index())] = atomic_add(sum.global(), 0, T(2));
    atomic_add(cell, 0, T(3));
    sync_block();
    if (thread_index() == 0) in_shared = cell[0];
  };
  EXPECT(report_of(64, 16, kernel, 3) == "");
  EXPECT(sum[0] == 5 + 64 * 2);
  EXPECT(in_shared == 64 * 3);
  // Each thread saw a value of its own.
  std::sort(before.begin(), before.end());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT(before[i] == T(5 + 2 * i));
}

TEST("simt: atomic_add gives the value before, of every type") {
  sums_of_all_threads<int>();
  sums_of_all_threads<uint32_t>();
  sums_of_all_threads<uint64_t>();
  sums_of_all_threads<float>();
  sums_of_all_threads<double>();
}

template <typename T>
void largest_of_all_threads(T low, T high) {
  const DeviceArray<T> largest(std::vector<T>{low});
  T in_shared = 0;
  run_block(64, 16, [&] {
    SharedArena arena;
    const auto cell = arena.take<T>(1);
    if (thread_index() == 0) cell[0] = low;
    sync_block();
    const T mine = thread_index() == 37 ? high : static_cast<T>(low + T(thread_index()));
    EXPECT(atomic_max(largest.global(), 0, mine) >= low);
    EXPECT(atomic_max(cell, 0, mine) >= low);
    sync_block();
    if (thread_index() == 1) in_shared = cell[0];
  });
  EXPECT(largest[0] == high && in_shared == high);
}

TEST("simt: atomic_max is signed for signed types and unsigned for unsigned ones") {
  largest_of_all_threads<int>(-100, 7000);
  largest_of_all_threads<int>(-100, -10);
  largest_of_all_threads<uint32_t>(0, 0x80000001u);
  largest_of_all_threads<uint64_t>(0, uint64_t{1} << 63);
}

}  // namespace
}  // namespace kronroot::test
