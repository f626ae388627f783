#include "shared_memory.hpp"

#include <algorithm>

namespace simt {
namespace {

constexpr const char* unwritten = "read of uninitialised shared memory";
constexpr const char* in_flight = "access to shared memory that copy_async fills, before wait_for_copies";

}  // namespace

void SharedMemory::reset(std::size_t bytes, int warps) {
  uint32_t latest = base_;
  for (int w = 0; w < warps_; ++w) latest = std::max(latest, clocks_[w]);
  bytes_ = bytes;
  warps_ = warps;
  if (data_.size() < bytes + 128) data_.resize(bytes + 128);
  const std::size_t cells = (bytes + 3) / 4 * 2;
  if (writes_.size() < cells) {
    writes_.resize(cells);
    reads_.resize(cells);
    readers_.resize(cells);
  }
  // The cells of the block before are older than the base: no need to clear them.
  base_ = latest + 1;
  if (base_ > clock_mask / 2) {
    std::fill(writes_.begin(), writes_.end(), 0);
    std::fill(reads_.begin(), reads_.end(), 0);
    base_ = 1;
  }
  has_named_order_ = false;
  for (int w = 0; w < warps; ++w) {
    clocks_[w] = base_ + 1;
    block_clocks_[w] = base_;
    std::fill_n(seen_[w], warps, base_);
  }
}

// Clocks start anew where they would overflow: what has happened so far counts as ordered.
void SharedMemory::forget_times() {
  for (uint32_t& each : writes_) {
    const uint32_t clock = clock_of(each) > base_ ? 2 : clock_of(each) == base_ ? 1 : 0;
    each = (each & ~(clock_mask << 1)) | clock << 1;
  }
  std::fill(reads_.begin(), reads_.end(), 0);
  base_ = 1;
  for (int w = 0; w < warps_; ++w) {
    clocks_[w] = 3;
    block_clocks_[w] = 2;
    std::fill_n(seen_[w], warps_, 2);
  }
}

void SharedMemory::order_warp(int warp) {
  seen_[warp][warp] = clocks_[warp]++;
  if (clocks_[warp] == clock_mask) forget_times();
}

void SharedMemory::order_block() {
  for (int v = 0; v < warps_; ++v) block_clocks_[v] = clocks_[v]++;
  for (int w = 0; w < warps_; ++w) std::copy_n(block_clocks_, warps_, seen_[w]);
  has_named_order_ = false;
  if (*std::max_element(clocks_, clocks_ + warps_) >= clock_mask - 1) forget_times();
}

void SharedMemory::order_warps(uint32_t warps) {
  uint32_t joined[most_warps] = {};
  for (int w = 0; w < warps_; ++w) {
    if ((warps >> w & 1) == 0) continue;
    for (int v = 0; v < warps_; ++v) joined[v] = std::max(joined[v], seen_[w][v]);
  }
  for (int w = 0; w < warps_; ++w) {
    if ((warps >> w & 1) != 0) joined[w] = clocks_[w]++;
  }
  for (int w = 0; w < warps_; ++w) {
    if ((warps >> w & 1) != 0) std::copy_n(joined, warps_, seen_[w]);
  }
  has_named_order_ = true;
  if (*std::max_element(clocks_, clocks_ + warps_) >= clock_mask - 1) forget_times();
}

const char* SharedMemory::read_slowly(std::size_t at, std::size_t bytes, int thread) {
  for (std::size_t i = at / grain; i <= (at + bytes - 1) / grain; ++i) {
    const uint32_t written = writes_[i];
    if (!has_happened(written)) return clock_of(written) == base_ ? in_flight : unwritten;
    if (!is_ordered(written, thread)) return "race: read of what another thread wrote, no barrier between";
    mark_read(i, thread);
  }
  return nullptr;
}

const char* SharedMemory::check_write(std::size_t i, int thread) const {
  const uint32_t written = writes_[i], last_read = reads_[i];
  if (has_happened(written)) {
    if (!is_ordered(written, thread)) return "race: two threads write, no barrier between";
  } else if (clock_of(written) == base_) {
    return in_flight;
  }
  if (!has_happened(last_read)) return nullptr;
  constexpr const char* race = "race: write of what another thread read, no barrier between";
  if (!is_ordered(last_read, thread)) return race;
  const int warp = thread / 32;
  // Another lane read at the clock of the last one.
  if ((last_read & flag) != 0 && warp_of(last_read) == warp && clock_of(last_read) == clocks_[warp]) return race;
  // Other warps read since the last barrier of the block, and no other barrier can have ordered them.
  const bool is_recent = clock_of(last_read) > block_clocks_[warp_of(last_read)];
  return is_recent && !has_named_order_ && (readers_[i] & ~(uint32_t{1} << warp)) != 0 ? race : nullptr;
}

const char* SharedMemory::update(std::size_t at, std::size_t bytes, int thread) {
  for (std::size_t i = at / grain; i <= (at + bytes - 1) / grain; ++i) {
    const uint32_t written = writes_[i], last_read = reads_[i];
    if (!has_happened(written)) return clock_of(written) == base_ ? in_flight : "atomic on uninitialised shared memory";
    if ((written & flag) == 0 && !is_ordered(written, thread))
      return "race: atomic and plain write, no barrier between";
    if (has_happened(last_read) && !is_ordered(last_read, thread)) {
      return "race: atomic and plain read, no barrier between";
    }
    writes_[i] = epoch(thread) | flag;
    reads_[i] = 0;
  }
  return nullptr;
}

const char* SharedMemory::begin_copy(std::size_t at, std::size_t bytes, int thread) {
  for (std::size_t i = at / grain; i <= (at + bytes - 1) / grain; ++i) {
    if (const char* wrong = check_write(i, thread)) return wrong;
    writes_[i] = static_cast<uint32_t>(thread) << thread_shift | base_ << 1;
    reads_[i] = 0;
  }
  return nullptr;
}

void SharedMemory::end_copy(std::size_t at, std::size_t bytes, int thread) {
  for (std::size_t i = at / grain; i <= (at + bytes - 1) / grain; ++i) writes_[i] = epoch(thread);
}

}  // namespace simt
