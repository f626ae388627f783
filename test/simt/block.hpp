// One thread block on one OS thread: its threads are fibers, its barriers and warp collectives count arrivals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

#include "fiber.hpp"
#include "shared_memory.hpp"

namespace simt {

inline constexpr int warp_size = 32;
inline constexpr int most_threads = 1024;

struct Grid {
  int64_t x = 1, y = 1, z = 1;
};

// What a kernel is started with.
struct LaunchShape {
  Grid blocks;
  int threads = 1;
  std::size_t shared_bytes = 0;
};

// Where in the source a barrier or a collective stands.
using Site = std::source_location;

// What a kernel did wrong; the runtime has an error code for each.
enum class Wrong { nothing, address, alignment, other };

struct Warp;

// One thread of the block.
struct Thread {
  // An asynchronous copy to `to` in shared memory; from nullptr: zeros.
  struct Copy {
    std::size_t to;
    const unsigned char* from;
    int bytes;
    int group;
  };
  int index = 0;
  int lane = 0;
  Warp* warp = nullptr;
  Context context = nullptr;
  const Site* waits_at = nullptr;
  std::vector<Copy> copies;
  int copy_groups = 0;  // committed
};

// The lanes of a warp and the collective they meet in. Lanes give their registers, the last that arrives executes the
// instruction for all, and each takes its results. Registers lie word by word, lanes side by side.
struct Warp {
  // Lanes that named the same mask. Lanes that wait in one group may be named by another that they come to later.
  struct Group {
    uint32_t mask = 0, arrived = 0;
    Site site;
  };
  alignas(64) uint32_t given[16][warp_size];
  alignas(64) uint32_t taken[8][warp_size];
  Group groups[warp_size];  // at the lane that came first
  uint32_t active = 0;      // which of them are under way
  uint32_t live = 0;
  uint32_t ready = 0;
  int index = 0;
};

// The instruction of a collective, for the lanes of `mask`. Returns what is wrong, or nullptr.
using Operation = const char* (*)(Warp& warp, uint32_t mask);

// Runs the blocks of launches, one after the other. Owns the stacks of the fibers.
class Block {
 public:
  Block();
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // The block that runs on this OS thread; there is one while a kernel runs.
  static Block& current();

  // Runs block `index` of the launch; `order` other than 0 shuffles the order of the fibers. Returns what went wrong,
  // or an empty text.
  std::string run(const std::function<void()>& kernel, const LaunchShape& shape, Grid index, uint64_t order);
  // Of the last run.
  Wrong wrong() const { return wrong_; }

  // Of the running fiber.
  Thread& thread() { return *running_; }
  Warp& warp() { return *running_->warp; }
  int lane() const { return running_->lane; }
  const Grid& index() const { return index_; }
  const LaunchShape& shape() const { return *shape_; }
  SharedMemory& shared() { return shared_; }

  // Ends the launch with this text. Called by a fiber; does not return.
  [[noreturn]] void fail(const std::string& what, Wrong wrong = Wrong::other);

  // __syncthreads: all threads of the block at one place of the source.
  void barrier(const Site& site);
  // bar.sync id, threads: the first `threads` that arrive; a multiple of the warp size.
  void named_barrier(int id, int threads, const Site& site);
  // All lanes of `mask` at one place.
  void collective(uint32_t mask, Operation operation, const Site& site);
  // cp.async.wait_group: the copies of all but the last `pending` groups of this thread arrive.
  void finish_copies(int pending);

 private:
  struct NamedBarrier {
    int arrived = 0;
    int expected = 0;
    uint32_t warps = 0;
    uint32_t waiting[SharedMemory::most_warps] = {};
  };

  static void enter(void* block);
  void leave();
  void wait(const Site& site);
  Warp::Group& group_of(uint32_t mask, const Site& site);
  Thread* next();
  void wake(Warp& warp, uint32_t lanes);
  void stop(const std::string& what, Wrong wrong);
  void stop_stuck();
  uint64_t next_random();

  const std::function<void()>* kernel_ = nullptr;
  const LaunchShape* shape_ = nullptr;
  Grid index_;
  unsigned char* stacks_ = nullptr;
  int guarded_ = 0;  // stacks with a page below that may not be touched
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  int warp_count_ = 0;
  Thread* running_ = nullptr;
  Context scheduler_ = nullptr;
  uint32_t ready_warps_ = 0;
  int live_ = 0;
  int barrier_arrived_ = 0;
  const Site* barrier_site_ = nullptr;
  NamedBarrier named_[16];
  SharedMemory shared_;
  std::string error_;
  Wrong wrong_ = Wrong::nothing;
  bool is_shuffled_ = false;
  uint64_t random_ = 0;
};

// Initial-exec: found without a call in a library loaded by dlopen.
extern constinit thread_local Block* current_block [[gnu::tls_model("initial-exec")]];

inline Block& Block::current() { return *current_block; }

}  // namespace simt
