// One thread block on one OS thread: its threads are fibers, its barriers and warp collectives count arrivals.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fiber.hpp"
#include "shared_memory.hpp"

namespace simt {

inline constexpr int warp_size = 32;

struct Grid {
  int64_t x = 1, y = 1, z = 1;
};

// What a kernel is started with.
struct LaunchShape {
  Grid blocks;
  int threads = 1;
  std::size_t shared_bytes = 0;
};

// The place of a fiber in the launch, and why it does not run.
struct Thread {
  int index = 0;
  Context context = nullptr;
  bool is_done = false;
  // The fiber goes on when *waits_for differs from the ticket.
  const uint64_t* waits_for = nullptr;
  uint64_t ticket = 0;
};

// Arrivals of the lanes of a warp at a collective, and the values they bring. Two banks: a lane that is a collective
// ahead writes to the one that the others do not read any more.
struct Warp {
  uint64_t generation = 0;
  uint32_t live = 0;
  uint32_t arrived = 0;
  uint32_t mask = 0;
  const void* site = nullptr;
  int first_lane = 0;
  unsigned char values[2][warp_size][64];
  uint32_t predicates[2] = {0, 0};
};

// Runs the blocks of launches, one after the other. Owns the stacks of the fibers.
class Block {
 public:
  Block();
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // The block that runs on this OS thread; there is one while a kernel runs.
  static Block& current();

  // Runs block `index` of the launch; `seed` other than 0 shuffles the order of the fibers. Returns what went wrong, or an
  // empty text.
  std::string run(const std::function<void()>& kernel, const LaunchShape& shape, Grid index, uint64_t seed);

  // Of the running fiber.
  const Thread& thread() const { return *running_; }
  Warp& warp() { return warps_[static_cast<std::size_t>(running_->index / warp_size)]; }
  int lane() const { return running_->index % warp_size; }
  const Grid& index() const { return index_; }
  const LaunchShape& shape() const { return *shape_; }
  SharedMemory& shared() { return shared_; }

  // Ends the launch with this text. Called by a fiber; does not return.
  [[noreturn]] void fail(const std::string& what);

  // __syncthreads: all threads of the block at one place of the source.
  void barrier(const void* site);
  // bar.sync id, threads: the first `threads` that arrive; a multiple of the warp size.
  void named_barrier(int id, int threads, const void* site);
  // All lanes of `mask` at one place: exchanges `bytes` of each; returns the bank to read from.
  int collective(uint32_t mask, const void* value, std::size_t bytes, bool predicate, const void* site);

 private:
  struct NamedBarrier {
    uint64_t generation = 0;
    int arrived = 0;
    int expected = 0;
    uint64_t warps = 0;
  };

  static void enter(void* block);
  void wait(const uint64_t* counter);
  void settle_warp(Warp& warp);
  std::string stuck() const;
  uint64_t next_random();

  const std::function<void()>* kernel_ = nullptr;
  const LaunchShape* shape_ = nullptr;
  Grid index_;
  std::vector<std::unique_ptr<unsigned char[]>> stacks_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<int> order_;
  Thread* running_ = nullptr;
  Context scheduler_ = nullptr;
  int live_ = 0;
  uint64_t barrier_generation_ = 0;
  int barrier_arrived_ = 0;
  const void* barrier_site_ = nullptr;
  NamedBarrier named_[16];
  SharedMemory shared_;
  std::string error_;
  uint64_t random_ = 0;
};

}  // namespace simt
