// Classic bugs of kernels, one tiny kernel each, and what the emulator says of it.
#include "test/native/simt/kernel.hpp"

namespace kronroot::test {
namespace {

using namespace cuda;

template <typename T>
Shared<T> shared(int count) {
  SharedArena arena;
  return arena.take<T>(count);
}

// In every order of the threads.
void expect_report(int threads, std::size_t shared_bytes, const std::function<void()>& kernel,
                   const std::string& text) {
  for (uint64_t order = 0; order < orders; ++order) {
    EXPECT_CONTAINS(report_of(threads, shared_bytes, kernel, order), text);
  }
}

TEST("simt: bug: a shared array written past its end, read before its start") {
  expect_report(
      64, 256, [] { shared<float>(64)[thread_index() + 1] = 1; }, "outside of an array in shared memory");
  expect_report(
      32, 256, [] { (void)shared<float>(64).load(-1); }, "outside of an array in shared memory");
}

TEST("simt: bug: a launch with less shared memory than the kernel takes") {
  expect_report(
      32, 256, [] { shared<float>(128)[thread_index() + 64] = 1; }, "outside of the shared memory of the launch");
}

TEST("simt: bug: global memory read past its end, before its start, after it was freed") {
  const DeviceArray<float> array(std::vector<float>(64, 1));
  expect_report(
      32, 0, [&] { array.global()[thread_index() + 33] = 1; }, "outside of device memory");
  expect_report(
      32, 0, [&] { array.global()[thread_index() - 1] = 1; }, "outside of device memory");
  void* const freed = simt::Memory::instance().allocate(256);
  simt::Memory::instance().release(freed);
  expect_report(
      32, 0, [&] { Global<float>(static_cast<float*>(freed))[0] = 1; }, "outside of device memory");
}

TEST("simt: bug: memory of the host handed to a kernel") {
  std::vector<float> host(32);
  expect_report(
      32, 0, [&] { Global<float>{host.data()}[thread_index()] = 1; }, "outside of device memory");
  expect_report(
      32, 0, [] { Global<float>(nullptr)[thread_index()] = 1; }, "outside of device memory");
}

TEST("simt: bug: shared memory read before it is written") {
  expect_report(
      64, 256, [] { (void)shared<float>(64).load(thread_index()); }, "uninitialised shared memory");
  expect_report(
      32, 256, [] { atomic_add(shared<int>(1), 0, 1); }, "uninitialised shared memory");
}

TEST("simt: bug: no barrier between a write and the read of another warp") {
  expect_report(
      64, 256,
      [] {
        const auto cells = shared<int>(64);
        cells[thread_index()] = 1;
        sync_block();
        cells[thread_index()] = 2;
        sync_warp();
        (void)cells.load((thread_index() + 32) % 64);
      },
      "race");
}

TEST("simt: bug: no sync_warp between a write and the read of another lane") {
  expect_report(
      32, 128,
      [] {
        const auto cells = shared<int>(32);
        cells[thread_index()] = 1;
        sync_warp();
        cells[thread_index()] = 2;
        (void)cells.load(31 - thread_index());
      },
      "race");
}

TEST("simt: bug: no barrier between a read and the write of another thread") {
  const auto broadcast = [] {
    const auto cells = shared<int>(32);
    cells[lane_index()] = 1;
    sync_warp();
    (void)cells.load(31);
    if (lane_index() == 31) cells[31] = 2;
  };
  expect_report(32, 128, broadcast, "race");
  // The sum of a block without its second barrier, called twice.
  const auto sum_twice = [] {
    const auto partial = shared<int>(2);
    for (int round = 0; round < 2; ++round) {
      if (lane_index() == 0) partial[warp_index()] = round;
      sync_block();
      const int sum = partial[0] + partial[1];
      sync_warp();
      (void)sum;
    }
  };
  expect_report(64, 128, sum_twice, "race");
}

TEST("simt: bug: two threads write the same place") {
  expect_report(
      64, 128, [] { shared<int>(1)[0] = thread_index(); }, "race: two threads write");
  expect_report(
      32, 128,
      [] {
        const auto cell = shared<int>(1);
        if (lane_index() == 0) cell[0] = 0;
        sync_warp();
        if (lane_index() < 16) {
          atomic_add(cell, 0, 1);
        } else {
          cell[0] = 1;
        }
      },
      "race");
}

TEST("simt: bug: a barrier that some threads do not reach") {
  expect_report(
      64, 0,
      [] {
        if (thread_index() < 48) sync_block();
      },
      "divergent barrier");
  expect_report(
      64, 0,
      [] {
        if (thread_index() == 5) return;
        sync_block();
      },
      "divergent barrier");
  expect_report(
      64, 0,
      [] {
        if (warp_index() == 0) {
          sync_block();
        } else {
          sync_block();
        }
      },
      "divergent barrier");
}

TEST("simt: bug: a barrier inside a loop whose length is the thread's own") {
  expect_report(
      64, 0,
      [] {
        for (int i = 0; i <= thread_index() / 32; ++i) sync_block();
      },
      "divergent barrier");
}

TEST("simt: bug: a collective with a lane that has ended") {
  expect_report(
      32, 0,
      [] {
        if (lane_index() == 7) return;
        (void)shuffle(1, 0);
      },
      "ended");
}

TEST("simt: bug: a collective in one branch only") {
  expect_report(
      32, 0,
      [] {
        if (lane_index() < 16) {
          (void)shuffle(1, 0);
        } else {
          sync_warp();
        }
      },
      "collective");
  expect_report(
      64, 0,
      [] {
        if (lane_index() < 16) (void)shuffle(1, 0);
        sync_block();
      },
      "divergent barrier or collective");
}

TEST("simt: bug: lanes of one collective name different masks, or leave themselves out") {
  expect_report(
      32, 0, [] { sync_warp(lane_index() == 0 ? full_warp : full_warp >> 1); }, "mask");
  expect_report(
      32, 0, [] { sync_warp(0x0000ffff); }, "mask leaves it out");
}

TEST("simt: bug: a shuffle from a lane outside of the mask") {
  expect_report(
      32, 0,
      [] {
        if (lane_index() < 8) (void)shuffle(1, 9, 32, 0xff);
      },
      "outside the mask");
}

TEST("simt: bug: the second half of a warp that does not exist") {
  expect_report(
      16, 0, [] { sync_warp(); }, "ended or do not exist");
}

TEST("simt: bug: a vector that is not aligned to its size") {
  const DeviceArray<float> array(std::vector<float>(64, 1));
  expect_report(
      32, 0, [&] { (void)load_vector<4>(array.global(), lane_index() + 1); }, "misaligned global access");
  expect_report(
      32, 0, [&] { store_vector(array.global(), 2, Vector<float, 4>{}); }, "misaligned global access");
  expect_report(
      32, 512,
      [] {
        const auto cells = shared<double>(32);
        cells[lane_index()] = 0;
        sync_warp();
        (void)load_vector<2>(cells, 1);
      },
      "misaligned shared access");
  expect_report(
      32, 512, [] { (shared<float>(8).as<float>() + 1).as<double>()[0] = 1; }, "misaligned shared access");
}

}  // namespace
}  // namespace kronroot::test
