// The thread pool and the scratch memory: every index once, concurrent and nested loops, cancellation, lack of memory.
#include "native/cpu/pool.hpp"

#include <atomic>
#include <cstdint>
#include <new>
#include <thread>
#include <vector>

#include "native/cpu/scratch.hpp"
#include "test/native/expect.hpp"

namespace {

using kronroot::cpu::Loop;
using kronroot::cpu::parallel_for;
using kronroot::cpu::Scratch;

// Runs a loop and tells whether each index was visited exactly once.
bool visits_all_once(int64_t count, int threads) {
  std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
  auto body = [&](int64_t index) { ++visits[static_cast<size_t>(index)]; };
  if (parallel_for(count, threads, nullptr, body) != Loop::done) return false;
  for (const auto& each : visits) {
    if (each != 1) return false;
  }
  return true;
}

TEST("parallel_for: every index once, for any count and number of threads") {
  for (const int64_t count : {0, 1, 2, 3, 7, 100, 5000}) {
    for (const int threads : {1, 2, 3, 8}) EXPECT(visits_all_once(count, threads));
  }
}

TEST("parallel_for: two threads of one loop run at the same time") {
  // Each index waits for the other one: a single thread would never end.
  std::atomic<int> arrived{0};
  auto body = [&](int64_t) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  };
  EXPECT(parallel_for(2, 2, nullptr, body) == Loop::done);
}

TEST("parallel_for: concurrent callers do not disturb each other") {
  std::atomic<int> failures{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 200; ++round) {
        if (!visits_all_once(1 + (round * 7 + caller) % 40, 1 + caller % 4)) ++failures;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT(failures == 0);
}

TEST("parallel_for: loops nest") {
  std::atomic<int> visits{0};
  auto inner = [&](int64_t) { ++visits; };
  auto outer = [&](int64_t) { parallel_for(10, 3, nullptr, inner); };
  EXPECT(parallel_for(20, 4, nullptr, outer) == Loop::done);
  EXPECT(visits == 200);
}

TEST("parallel_for: a raised flag stops the loop before the next index") {
  int32_t cancel = 0;
  std::atomic<int> visits{0};
  auto body = [&](int64_t) {
    ++visits;
    __atomic_store_n(&cancel, 1, __ATOMIC_RELEASE);
  };
  EXPECT(parallel_for(100000, 2, &cancel, body) == Loop::cancelled);
  EXPECT(visits >= 1 && visits <= 2);
  visits = 0;
  EXPECT(parallel_for(5, 1, &cancel, body) == Loop::cancelled);
  EXPECT(visits == 0);
  EXPECT(parallel_for(0, 1, &cancel, body) == Loop::done);
}

TEST("parallel_for: a flag raised during the last index cancels nothing") {
  int32_t cancel = 0;
  auto body = [&](int64_t index) {
    if (index == 9) __atomic_store_n(&cancel, 1, __ATOMIC_RELEASE);
  };
  EXPECT(parallel_for(10, 1, &cancel, body) == Loop::done);
}

TEST("parallel_for: std::bad_alloc becomes out_of_memory, and the pool goes on") {
  for (const int threads : {1, 3}) {
    auto body = [](int64_t index) {
      if (index == 4) throw std::bad_alloc();
    };
    EXPECT(parallel_for(50, threads, nullptr, body) == Loop::out_of_memory);
    EXPECT(visits_all_once(50, threads));
  }
}

TEST("available_cores: at least one") { EXPECT(kronroot::cpu::available_cores() >= 1); }

bool aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 64 == 0; }

// Fills the memory and checks what lies below, so that an overlap shows (and AddressSanitizer sees every byte).
TEST("Scratch: aligned, disjoint, nested, and growing while in use") {
  for (int round = 0; round < 3; ++round) {
    const Scratch guard;
    Scratch outer;
    auto* first = outer.take<double>(1000);
    EXPECT(aligned(first));
    for (int i = 0; i < 1000; ++i) first[i] = i;
    for (const int64_t count : {1, 10, 30000, 500000}) {
      Scratch inner;
      auto* a = inner.take<float>(count);
      auto* b = inner.take<float>(count + 1);
      EXPECT(aligned(a) && aligned(b));
      for (int64_t i = 0; i < count; ++i) a[i] = 1;
      for (int64_t i = 0; i <= count; ++i) b[i] = 2;
      bool kept = true;
      for (int64_t i = 0; i < count; ++i) kept = kept && a[i] == 1;
      EXPECT(kept);
    }
    bool kept = true;
    for (int i = 0; i < 1000; ++i) kept = kept && first[i] == i;
    EXPECT(kept);
  }
}

TEST("Scratch: memory is reused, not taken again") {
  { Scratch().take<char>(3000000); }
  void* first = Scratch().take<char>(3000000);
  void* second = Scratch().take<char>(2000000);
  EXPECT(first == second);
}

TEST("Scratch: zero elements are legal, impossible sizes throw") {
  Scratch scratch;
  scratch.take<double>(0);
  bool thrown = false;
  try {
    scratch.take<double>(INT64_MAX / 2);
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  EXPECT(thrown);
  EXPECT(aligned(scratch.take<double>(10)));
}

}  // namespace
