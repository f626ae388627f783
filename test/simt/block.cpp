#include "block.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

namespace simt {

constinit thread_local Block* current_block = nullptr;

namespace {

// Below each stack lies a page that may not be touched.
constexpr std::size_t stack_bytes = 128 * 1024, guard_bytes = 4096;
// Stacks start at different places of their pages, so that those of a warp do not meet in the same sets of the cache.
std::size_t stagger(int thread) { return static_cast<std::size_t>(thread * 7 % 32) * 128; }

// One place of one function; is_same() knows it in all instances of a template.
bool is_identical(const Site& a, const Site& b) { return std::memcmp(&a, &b, sizeof(Site)) == 0; }

bool is_same(const Site& a, const Site& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

std::string text_of(const Site& site) {
  const std::string file = site.file_name();
  const std::size_t slash = file.rfind('/');
  return (slash == std::string::npos ? file : file.substr(slash + 1)) + ":" + std::to_string(site.line());
}

}  // namespace

Block::Block() : threads_(most_threads), warps_(most_threads / warp_size) {
  void* const memory = mmap(nullptr, most_threads * stack_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  stacks_ = static_cast<unsigned char*>(memory);
  for (int i = 0; i < most_threads; ++i) {
    Thread& thread = threads_[static_cast<std::size_t>(i)];
    thread.index = i;
    thread.lane = i % warp_size;
    thread.warp = &warps_[static_cast<std::size_t>(i / warp_size)];
    thread.warp->index = i / warp_size;
  }
}

Block::~Block() { munmap(stacks_, most_threads * stack_bytes); }

uint64_t Block::next_random() {  // splitmix64
  uint64_t x = random_ += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::string Block::run(const std::function<void()>& kernel, const LaunchShape& shape, Grid index, uint64_t order) {
  kernel_ = &kernel;
  shape_ = &shape;
  index_ = index;
  error_.clear();
  wrong_ = Wrong::nothing;
  is_shuffled_ = order != 0;
  random_ = order + static_cast<uint64_t>(index.x * 7919 + index.y * 104729 + index.z * 1299709);
  warp_count_ = (shape.threads + warp_size - 1) / warp_size;
  for (; guarded_ < shape.threads; ++guarded_) {
    mprotect(stacks_ + static_cast<std::size_t>(guarded_) * stack_bytes, guard_bytes, PROT_NONE);
  }
  for (int i = 0; i < shape.threads; ++i) {
    Thread& thread = threads_[static_cast<std::size_t>(i)];
    thread.context = make_context(stacks_ + static_cast<std::size_t>(i) * stack_bytes, stack_bytes - stagger(i),
                                  &Block::enter, this);
    thread.copies.clear();
    thread.copy_groups = 0;
  }
  ready_warps_ = 0;
  for (int w = 0; w < warp_count_; ++w) {
    Warp& warp = warps_[static_cast<std::size_t>(w)];
    const int lanes = std::min(warp_size, shape.threads - w * warp_size);
    warp.live = lanes == warp_size ? ~0u : (1u << lanes) - 1;
    warp.active = warp.ready = 0;
    wake(warp, warp.live);
  }
  for (NamedBarrier& each : named_) each = {};
  live_ = shape.threads;
  barrier_arrived_ = 0;
  shared_.reset(shape.shared_bytes, warp_count_);

  Block* const outer = std::exchange(current_block, this);
  running_ = &threads_[0];
  running_ = next();
  switch_context(&scheduler_, running_->context);
  current_block = outer;
  return error_;
}

void Block::enter(void* block) {
  Block& self = *static_cast<Block*>(block);
  (*self.kernel_)();
  self.leave();
}

// The running fiber ends; another goes on, or the block is done.
void Block::leave() {
  const uint32_t self = 1u << lane();
  Context unused = nullptr;
  --live_;
  warp().live &= ~self;
  uint32_t awaited = 0;
  for (uint32_t rest = warp().active; rest != 0; rest &= rest - 1)
    awaited |= warp().groups[std::countr_zero(rest)].mask;
  if ((awaited & self) != 0) {
    stop("thread " + std::to_string(running_->index) + " ended while its warp waits for it in a collective",
         Wrong::other);
  } else if (barrier_arrived_ > 0) {
    stop("divergent barrier: thread " + std::to_string(running_->index) + " ended, others wait in sync_block() at " +
             text_of(*barrier_site_),
         Wrong::other);
  } else if (Thread* const other = next()) {
    running_ = other;
    switch_context(&unused, other->context);
  } else if (live_ > 0) {
    stop_stuck();
  }
  switch_context(&unused, scheduler_);
}

// The fiber to go on with: in the order of the lanes, a warp as far as it comes, or at random.
Thread* Block::next() {
  if (ready_warps_ == 0) return nullptr;
  Warp* warp = running_->warp;
  uint32_t lanes = warp->ready;
  int lane = 0;
  if (!is_shuffled_) {
    if (lanes == 0) {
      warp = &warps_[static_cast<std::size_t>(std::countr_zero(ready_warps_))];
      lanes = warp->ready;
    }
    lane = std::countr_zero(lanes);
  } else {
    const uint64_t random = next_random();
    if (lanes == 0 || (random >> 32) % 4 == 0) {
      const int by = static_cast<int>(random >> 40 & 31);
      warp = &warps_[static_cast<std::size_t>((std::countr_zero(std::rotr(ready_warps_, by)) + by) % 32)];
      lanes = warp->ready;
    }
    const int by = static_cast<int>(random & 31);
    lane = (std::countr_zero(std::rotr(lanes, by)) + by) % 32;
  }
  warp->ready &= ~(1u << lane);
  if (warp->ready == 0) ready_warps_ &= ~(1u << warp->index);
  return &threads_[static_cast<std::size_t>(warp->index * warp_size + lane)];
}

void Block::wake(Warp& warp, uint32_t lanes) {
  if (lanes == 0) return;
  warp.ready |= lanes;
  ready_warps_ |= 1u << warp.index;
}

void Block::wait(const Site& site) {
  Thread& self = *running_;
  self.waits_at = &site;
  if (Thread* const other = next()) {
    running_ = other;
    switch_context(&self.context, other->context);
    return;
  }
  stop_stuck();
  switch_context(&self.context, scheduler_);
}

void Block::stop(const std::string& what, Wrong wrong) {
  error_ = what + " (block " + std::to_string(index_.x) + ", " + std::to_string(index_.y) + ", " +
           std::to_string(index_.z) + ", thread " + std::to_string(running_->index) + ")";
  wrong_ = wrong;
}

void Block::fail(const std::string& what, Wrong wrong) {
  stop(what, wrong);
  // The fibers are left where they are: device code holds nothing that would have to be destroyed.
  switch_context(&running_->context, scheduler_);
  __builtin_unreachable();
}

void Block::stop_stuck() {
  std::string where;
  for (int i = 0; i < shape_->threads; ++i) {
    const Thread& each = threads_[static_cast<std::size_t>(i)];
    if ((each.warp->live >> each.lane & 1) == 0) continue;
    const std::string site = text_of(*each.waits_at);
    if (where.find(site) == std::string::npos) where += (where.empty() ? "" : ", ") + site;
  }
  stop("divergent barrier or collective: " + std::to_string(live_) + " threads wait for others that do not come, at " +
           where,
       Wrong::other);
}

void Block::barrier(const Site& site) {
  if (live_ != shape_->threads) {
    fail("divergent barrier: threads of the block have ended before sync_block() at " + text_of(site));
  }
  if (barrier_arrived_ > 0 && barrier_site_ != &site && !is_same(*barrier_site_, site)) {
    fail("divergent barrier: threads wait in sync_block() at " + text_of(*barrier_site_) + " and at " + text_of(site));
  }
  barrier_site_ = &site;
  if (++barrier_arrived_ < shape_->threads) return wait(site);
  barrier_arrived_ = 0;
  shared_.order_block();
  for (int w = 0; w < warp_count_; ++w) {
    Warp& each = warps_[static_cast<std::size_t>(w)];
    wake(each, &each == running_->warp ? each.live & ~(1u << lane()) : each.live);
  }
}

void Block::named_barrier(int id, int threads, const Site& site) {
  if (id < 0 || id >= 16) fail("named barrier " + std::to_string(id) + ": there are 0 to 15");
  if (threads <= 0 || threads % warp_size != 0) fail("named barrier: the number of threads is no multiple of 32");
  NamedBarrier& barrier = named_[id];
  if (barrier.arrived > 0 && barrier.expected != threads) fail("named barrier: threads disagree on how many they are");
  barrier.expected = threads;
  barrier.warps |= 1u << warp().index;
  if (++barrier.arrived < threads) {
    barrier.waiting[warp().index] |= 1u << lane();
    return wait(site);
  }
  shared_.order_warps(barrier.warps);
  for (int w = 0; w < warp_count_; ++w) wake(warps_[static_cast<std::size_t>(w)], barrier.waiting[w]);
  barrier = {};
}

// The group of lanes that named this mask, found or begun.
Warp::Group& Block::group_of(uint32_t mask, const Site& site) {
  Warp& warp = *running_->warp;
  const uint32_t self = 1u << running_->lane;
  if ((mask & self) == 0) fail("a lane takes part in a collective whose mask leaves it out, at " + text_of(site));
  for (uint32_t rest = warp.active; rest != 0; rest &= rest - 1) {
    Warp::Group& group = warp.groups[std::countr_zero(rest)];
    if (group.mask == mask) {
      if (!is_same(group.site, site)) {
        fail("divergent collective: lanes of a warp wait at " + text_of(group.site) + " and at " + text_of(site));
      }
      return group;
    }
    // Each would wait for the other.
    if ((group.mask & self) != 0 && (group.arrived & mask) != 0) {
      fail("lanes of one collective name different masks, at " + text_of(group.site) + " and at " + text_of(site));
    }
  }
  if ((mask & ~warp.live) != 0)
    fail("a collective waits for lanes that have ended or do not exist, at " + text_of(site));
  warp.active |= self;
  Warp::Group& group = warp.groups[running_->lane];
  group = {mask, 0, site};
  return group;
}

void Block::collective(uint32_t mask, Operation operation, const Site& site) {
  Warp& warp = *running_->warp;
  const uint32_t self = 1u << running_->lane;
  // Nearly always one group is under way, and this lane is expected in it.
  Warp::Group* group = &warp.groups[std::countr_zero(warp.active) % warp_size];
  const bool is_expected = std::has_single_bit(warp.active) && group->mask == mask && (mask & self) != 0;
  if (!is_expected || !is_identical(group->site, site)) group = &group_of(mask, site);
  group->arrived |= self;
  if (group->arrived != mask) return wait(site);
  warp.active &= ~(1u << (group - warp.groups));
  if (operation != nullptr) {
    if (const char* const wrong = operation(warp, mask)) fail(wrong + (", at " + text_of(site)));
  }
  shared_.order_warp(warp.index);
  wake(warp, mask & ~self);
}

void Block::finish_copies(int pending) {
  Thread& self = *running_;
  const int last = self.copy_groups - pending;
  auto copy = self.copies.begin();
  for (; copy != self.copies.end() && copy->group < last; ++copy) {
    unsigned char* const to = shared_.data() + copy->to;
    const auto bytes = static_cast<std::size_t>(copy->bytes);
    copy->from != nullptr ? std::memcpy(to, copy->from, bytes) : std::memset(to, 0, bytes);
    shared_.end_copy(copy->to, bytes, self.index);
  }
  self.copies.erase(self.copies.begin(), copy);
}

}  // namespace simt
