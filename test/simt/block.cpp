#include "block.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace simt {
namespace {

constexpr std::size_t stack_bytes = 128 * 1024;
thread_local Block* current_block = nullptr;

}  // namespace

Block::Block() = default;
Block::~Block() = default;

Block& Block::current() { return *current_block; }

uint64_t Block::next_random() {  // splitmix64
  uint64_t x = random_ += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

void Block::enter(void* block) {
  Block& self = *static_cast<Block*>(block);
  (*self.kernel_)();
  Thread& thread = *self.running_;
  thread.is_done = true;
  --self.live_;
  Warp& warp = self.warp();
  warp.live &= ~(1u << self.lane());
  if (warp.arrived != 0 && (warp.mask & (1u << self.lane())) != 0) {
    self.error_ = "thread " + std::to_string(thread.index) + " ended while its warp waits for it in a collective";
  }
  if (self.barrier_arrived_ > 0) {
    self.error_ = "divergent barrier: thread " + std::to_string(thread.index) + " ended, others wait in sync_block()";
  }
  Context unused = nullptr;
  switch_context(&unused, self.scheduler_);
}

std::string Block::run(const std::function<void()>& kernel, const LaunchShape& shape, Grid index, uint64_t seed) {
  kernel_ = &kernel;
  shape_ = &shape;
  index_ = index;
  error_.clear();
  random_ = seed + static_cast<uint64_t>(index.x * 7919 + index.y * 104729 + index.z * 1299709);
  const int count = shape.threads;
  while (static_cast<int>(stacks_.size()) < count) {
    stacks_.push_back(std::make_unique_for_overwrite<unsigned char[]>(stack_bytes));
  }
  threads_.assign(static_cast<std::size_t>(count), {});
  warps_.resize(static_cast<std::size_t>((count + warp_size - 1) / warp_size));
  order_.resize(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    Thread& thread = threads_[static_cast<std::size_t>(i)];
    thread.index = i;
    thread.context = make_context(stacks_[static_cast<std::size_t>(i)].get(), stack_bytes, &Block::enter, this);
    order_[static_cast<std::size_t>(i)] = i;
  }
  for (std::size_t w = 0; w < warps_.size(); ++w) {
    Warp& warp = warps_[w];
    warp.generation = 0;
    warp.arrived = 0;
    warp.first_lane = static_cast<int>(w) * warp_size;
    const int lanes = std::min(warp_size, count - warp.first_lane);
    warp.live = lanes == warp_size ? ~0u : (1u << lanes) - 1;
  }
  for (NamedBarrier& each : named_) each = {};
  live_ = count;
  barrier_generation_ = 0;
  barrier_arrived_ = 0;
  shared_.reset(shape.shared_bytes, static_cast<int>(warps_.size()));

  Block* const outer = std::exchange(current_block, this);
  while (live_ > 0 && error_.empty()) {
    if (seed != 0) {
      for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[next_random() % i]);
    }
    bool has_run = false;
    for (const int i : order_) {
      Thread& thread = threads_[static_cast<std::size_t>(i)];
      if (thread.is_done || (thread.waits_for != nullptr && *thread.waits_for == thread.ticket)) continue;
      thread.waits_for = nullptr;
      running_ = &thread;
      has_run = true;
      switch_context(&scheduler_, thread.context);
      if (!error_.empty()) break;
    }
    if (!has_run) error_ = stuck();
  }
  current_block = outer;
  return error_;
}

void Block::wait(const uint64_t* counter) {
  running_->waits_for = counter;
  running_->ticket = *counter;
  switch_context(&running_->context, scheduler_);
}

void Block::fail(const std::string& what) {
  error_ = what + " (block " + std::to_string(index_.x) + ", " + std::to_string(index_.y) + ", " +
           std::to_string(index_.z) + ", thread " + std::to_string(running_->index) + ")";
  // The fibers are left where they are: device code holds nothing that would have to be destroyed.
  switch_context(&running_->context, scheduler_);
  __builtin_unreachable();
}

std::string Block::stuck() const {
  int waiting = 0;
  for (const Thread& each : threads_) waiting += each.is_done ? 0 : 1;
  return "divergent barrier or collective: " + std::to_string(waiting) + " threads wait for others that do not come";
}

void Block::barrier(const void* site) {
  if (live_ != shape_->threads) fail("divergent barrier: threads of the block have ended before sync_block()");
  barrier_site_ = site;
  if (++barrier_arrived_ == shape_->threads) {
    barrier_arrived_ = 0;
    ++barrier_generation_;
    shared_.order_block();
    return;
  }
  wait(&barrier_generation_);
}

void Block::named_barrier(int id, int threads, const void* /*site*/) {
  if (id < 0 || id >= 16) fail("named barrier " + std::to_string(id) + ": there are 0 to 15");
  if (threads <= 0 || threads % warp_size != 0) fail("named barrier: the number of threads is no multiple of 32");
  NamedBarrier& barrier = named_[id];
  if (barrier.arrived > 0 && barrier.expected != threads) fail("named barrier: threads disagree on how many they are");
  barrier.expected = threads;
  barrier.warps |= uint64_t{1} << (running_->index / warp_size);
  if (++barrier.arrived == threads) {
    shared_.order_warps(barrier.warps);
    barrier.arrived = 0;
    barrier.warps = 0;
    ++barrier.generation;
    return;
  }
  wait(&barrier.generation);
}

int Block::collective(uint32_t mask, const void* value, std::size_t bytes, bool predicate, const void* site) {
  Warp& each = warp();
  const uint32_t self = 1u << lane();
  if ((mask & self) == 0) fail("a lane takes part in a collective whose mask leaves it out");
  if ((mask & ~each.live) != 0) fail("a collective waits for lanes that have ended or do not exist");
  const int bank = static_cast<int>(each.generation & 1);
  if (each.arrived == 0) {
    each.mask = mask;
    each.site = site;
    each.predicates[bank] = 0;
  } else if (each.mask != mask) {
    fail("lanes of one collective name different masks");
  }
  if (bytes > 0) std::memcpy(each.values[bank][lane()], value, bytes);
  if (predicate) each.predicates[bank] |= self;
  each.arrived |= self;
  if (each.arrived == mask) {
    each.arrived = 0;
    ++each.generation;
    shared_.order_warp(running_->index / warp_size);
    return bank;
  }
  wait(&each.generation);
  return bank;
}

}  // namespace simt
