// Lists of arrays cut into chunks, the unit of work that threads share: where a chunk begins depends on the sizes
// alone, so results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace kronroot::cpu {

// Elements: 64 KiB of each f32 array, so that a chunk of an update fits the L2 cache and is worth a turn of a thread.
inline constexpr int64_t kChunk = 16384;

struct Chunk {
  int64_t array;  // number of the list's entry
  int64_t first;  // elements
  int64_t count;
};

class Chunks {
 public:
  // Entries have a member `count`. Throws std::bad_alloc.
  template <typename Array>
  Chunks(const Array* arrays, int64_t count) : ends_(static_cast<size_t>(count)), sizes_(static_cast<size_t>(count)) {
    int64_t end = 0;
    for (int64_t i = 0; i < count; ++i) {
      const auto entry = static_cast<size_t>(i);
      sizes_[entry] = arrays[i].count;
      end += (arrays[i].count + kChunk - 1) / kChunk;
      ends_[entry] = end;
    }
  }

  int64_t count() const { return ends_.empty() ? 0 : ends_.back(); }
  // Chunks of the arrays up to this one.
  int64_t end_of(int64_t array) const { return ends_[static_cast<size_t>(array)]; }

  Chunk operator[](int64_t index) const {
    const int64_t array = std::upper_bound(ends_.begin(), ends_.end(), index) - ends_.begin();
    const int64_t first = (index - (array == 0 ? 0 : end_of(array - 1))) * kChunk;
    return {array, first, std::min(kChunk, sizes_[static_cast<size_t>(array)] - first)};
  }

 private:
  std::vector<int64_t> ends_;
  std::vector<int64_t> sizes_;
};

}  // namespace kronroot::cpu
