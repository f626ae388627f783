// Shared memory of a block with a shadow: which bytes were written, by whom, and what orders the accesses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace simt {

// Two accesses of different threads to the same bytes are a race where one of them writes and nothing orders them. Each
// warp has a clock that its collectives and barriers advance; seen(w, v) is the clock of warp v up to which its
// accesses come before those of warp w now (vector clocks, as in FastTrack: Flanagan and Freund, PLDI 2009). Lanes of a
// warp are ordered by any of its collectives, whatever their masks: a race between lanes of different masks is missed,
// none is invented.
class SharedMemory {
 public:
  static constexpr int most_warps = 32;

  // Every byte unwritten.
  void reset(std::size_t bytes, int warps);

  unsigned char* data() { return data_.data(); }
  std::size_t bytes() const { return bytes_; }

  // Accesses of `thread`; they return what is wrong, or nullptr.
  const char* read(std::size_t at, std::size_t bytes, int thread) {
    if (at % 4 == 0 && bytes % 4 == 0) {
      const Row seen = row_of(thread);
      bool is_fast = true;
      for (std::size_t i = at / grain; is_fast && i < (at + bytes) / grain; i += 2) {
        const uint32_t written = writes_[i];
        if (written != writes_[i + 1] || !is_after(seen, written)) is_fast = false;
        mark_read(i, thread);
        mark_read(i + 1, thread);
      }
      if (is_fast) return nullptr;
    }
    return read_slowly(at, bytes, thread);
  }
  const char* write(std::size_t at, std::size_t bytes, int thread) {
    for (std::size_t i = at / grain; i <= (at + bytes - 1) / grain; ++i) {
      if (const char* wrong = check_write(i, thread)) return wrong;
      writes_[i] = epoch(thread);
      reads_[i] = 0;
    }
    return nullptr;
  }
  // Atomic accesses are ordered among themselves.
  const char* update(std::size_t at, std::size_t bytes, int thread);
  // An asynchronous copy: from its begin to its end the bytes may not be touched.
  const char* begin_copy(std::size_t at, std::size_t bytes, int thread);
  void end_copy(std::size_t at, std::size_t bytes, int thread);

  void order_warp(int warp);
  void order_block();
  // Among themselves: the warps that met at a named barrier.
  void order_warps(uint32_t warps);

 private:
  // Two bytes share a cell, so arrays of single bytes would share cells.
  static constexpr std::size_t grain = 2;
  // An epoch: thread, clock, and whether the write was atomic or a second lane of the warp read at this clock.
  static constexpr int thread_shift = 22;
  static constexpr uint32_t flag = 1, clock_mask = (uint32_t{1} << 21) - 1;
  static uint32_t clock_of(uint32_t epoch) { return epoch >> 1 & clock_mask; }
  static int thread_of(uint32_t epoch) { return static_cast<int>(epoch >> thread_shift); }
  static int warp_of(uint32_t epoch) { return static_cast<int>(epoch >> (thread_shift + 5)); }
  uint32_t epoch(int thread) const { return static_cast<uint32_t>(thread) << thread_shift | clocks_[thread / 32] << 1; }

  using Row = const uint32_t*;
  Row row_of(int thread) const { return seen_[thread / 32]; }
  // Clocks above `base_` are of this block; `base_` itself is that of a copy under way, below it nothing has happened.
  bool has_happened(uint32_t epoch) const { return clock_of(epoch) > base_; }
  bool is_after(Row seen, uint32_t epoch) const {
    return has_happened(epoch) && clock_of(epoch) <= seen[warp_of(epoch)];
  }
  bool is_ordered(uint32_t epoch, int now) const {
    return thread_of(epoch) == now || clock_of(epoch) <= row_of(now)[warp_of(epoch)];
  }
  // Of the last read, and of all warps that have read since the last barrier of the block.
  void mark_read(std::size_t i, int thread) {
    const uint32_t now = epoch(thread), last = reads_[i];
    if (last == now) return;
    const uint32_t self = uint32_t{1} << (thread / 32);
    const bool is_new = !has_happened(last) || clock_of(last) <= block_clocks_[warp_of(last)];
    readers_[i] = is_new ? self : readers_[i] | self;
    const bool is_second_lane = !is_new && warp_of(last) == thread / 32 && clock_of(last) == clock_of(now);
    reads_[i] = is_second_lane ? now | flag : now;
  }
  const char* check_write(std::size_t i, int thread) const;
  const char* read_slowly(std::size_t at, std::size_t bytes, int thread);
  void forget_times();

  std::vector<unsigned char> data_;
  std::vector<uint32_t> writes_, reads_, readers_;
  std::size_t bytes_ = 0;
  int warps_ = 0;
  uint32_t base_ = 1;
  bool has_named_order_ = false;
  uint32_t clocks_[most_warps] = {};
  uint32_t block_clocks_[most_warps] = {};  // at the last barrier of the block
  uint32_t seen_[most_warps][most_warps] = {};
};

}  // namespace simt
