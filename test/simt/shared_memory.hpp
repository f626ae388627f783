// Shared memory of a block with a shadow: which bytes were written, and by whom since the last barrier.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace simt {

// An access conflicts with an earlier one of another thread to the same bytes, if one of them writes and nothing orders
// them: no barrier of the block, and, inside a warp, no collective of the warp. Clocks tell: `block` counts
// barriers, `warps[w]` those and the collectives of warp w.
class SharedMemory {
 public:
  // Poisoned: every byte unwritten.
  void reset(std::size_t bytes, int warps);

  unsigned char* data() { return data_.data(); }
  std::size_t bytes() const { return bytes_; }

  // Of thread `thread`; return what is wrong with the access, or nullptr.
  const char* read(std::size_t at, std::size_t bytes, int thread);
  const char* write(std::size_t at, std::size_t bytes, int thread);
  // Atomic accesses are ordered among themselves.
  const char* update(std::size_t at, std::size_t bytes, int thread);

  void order_block();
  void order_warp(int warp) { ++clocks_[static_cast<std::size_t>(warp)]; }
  void order_warps(uint64_t warps);

 private:
  // The last write and the last read of two bytes. `also` : reads by more than one thread since.
  struct Shadow {
    uint32_t write_clock = 0, read_clock = 0;
    int16_t writer = -1, reader = -1;
    bool is_written = false, has_more_readers = false, is_atomic = false;
  };
  static constexpr std::size_t grain = 2;

  bool is_ordered(int16_t thread, uint32_t clock, int now) const;

  std::vector<unsigned char> data_;
  std::vector<Shadow> shadow_;
  std::size_t bytes_ = 0;
  std::vector<uint32_t> clocks_;        // per warp: barriers and collectives so far
  std::vector<uint32_t> block_clocks_;  // per warp: its clock at the last barrier of the block
};

}  // namespace simt
