#include "shared_memory.hpp"

#include <algorithm>
#include <cstring>

namespace simt {

void SharedMemory::reset(std::size_t bytes, int warps) {
  bytes_ = bytes;
  data_.resize(bytes + 128);
  std::memset(data_.data(), 0xff, data_.size());
  shadow_.assign((bytes + grain - 1) / grain, {});
  clocks_.assign(static_cast<std::size_t>(warps), 1);
  block_clocks_.assign(static_cast<std::size_t>(warps), 0);
}

void SharedMemory::order_block() {
  for (std::size_t w = 0; w < clocks_.size(); ++w) block_clocks_[w] = clocks_[w]++;
}

// Threads of the warps of a named barrier are ordered among themselves. Approximated: their accesses before it count as
// ordered for everybody, so that a race with a warp that was not there is missed.
void SharedMemory::order_warps(uint64_t warps) {
  for (std::size_t w = 0; w < clocks_.size(); ++w) {
    if ((warps >> w & 1) != 0) block_clocks_[w] = clocks_[w]++;
  }
}

// Whether an access of `thread` at its warp's `clock` happened before what thread `now` does.
bool SharedMemory::is_ordered(int16_t thread, uint32_t clock, int now) const {
  const auto warp = static_cast<std::size_t>(thread / 32);
  if (thread == now) return true;
  if (warp == static_cast<std::size_t>(now / 32)) return clock < clocks_[warp];
  return clock <= block_clocks_[warp];
}

const char* SharedMemory::read(std::size_t at, std::size_t bytes, int thread) {
  const uint32_t clock = clocks_[static_cast<std::size_t>(thread / 32)];
  for (std::size_t i = at / grain; i <= (at + bytes - 1) / grain; ++i) {
    Shadow& shadow = shadow_[i];
    if (!shadow.is_written) return "read of uninitialised shared memory";
    if (!is_ordered(shadow.writer, shadow.write_clock, thread)) return "race: read of what another thread wrote, no barrier between";
    if (shadow.reader >= 0 && shadow.reader != thread && !is_ordered(shadow.reader, shadow.read_clock, thread)) {
      shadow.has_more_readers = true;
    } else if (shadow.reader != thread) {
      shadow.has_more_readers = false;
    }
    shadow.reader = static_cast<int16_t>(thread);
    shadow.read_clock = clock;
  }
  return nullptr;
}

const char* SharedMemory::write(std::size_t at, std::size_t bytes, int thread) {
  const uint32_t clock = clocks_[static_cast<std::size_t>(thread / 32)];
  for (std::size_t i = at / grain; i <= (at + bytes - 1) / grain; ++i) {
    Shadow& shadow = shadow_[i];
    if (shadow.is_written && !is_ordered(shadow.writer, shadow.write_clock, thread)) {
      return "race: two threads write, no barrier between";
    }
    if (shadow.reader >= 0 && !is_ordered(shadow.reader, shadow.read_clock, thread)) {
      return "race: write of what another thread read, no barrier between";
    }
    // Of several readers the last alone is known; those of its own clock have the same order to a writer of another warp.
    if (shadow.has_more_readers && shadow.reader == thread && clock == shadow.read_clock) {
      return "race: write of what another thread read, no barrier between";
    }
    shadow.writer = static_cast<int16_t>(thread);
    shadow.write_clock = clock;
    shadow.is_written = true;
    shadow.is_atomic = false;
    shadow.reader = -1;
    shadow.has_more_readers = false;
  }
  return nullptr;
}

const char* SharedMemory::update(std::size_t at, std::size_t bytes, int thread) {
  const uint32_t clock = clocks_[static_cast<std::size_t>(thread / 32)];
  for (std::size_t i = at / grain; i <= (at + bytes - 1) / grain; ++i) {
    Shadow& shadow = shadow_[i];
    if (!shadow.is_written) return "atomic on uninitialised shared memory";
    if (!shadow.is_atomic && !is_ordered(shadow.writer, shadow.write_clock, thread)) {
      return "race: atomic and plain write, no barrier between";
    }
    if (shadow.reader >= 0 && !is_ordered(shadow.reader, shadow.read_clock, thread)) {
      return "race: atomic and plain read, no barrier between";
    }
    shadow.writer = static_cast<int16_t>(thread);
    shadow.write_clock = clock;
    shadow.is_atomic = true;
  }
  return nullptr;
}

}  // namespace simt
