// Memory of the emulated device. Its addresses are tagged: host code that reads one crashes, and kernels reach it only
// through Global<T>, which asks here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>

namespace simt {

// A tag makes an address non-canonical.
inline constexpr std::uintptr_t device_tag = std::uintptr_t{0x5a} << 56;

inline bool is_device_address(const void* address) {
  return (reinterpret_cast<std::uintptr_t>(address) & (std::uintptr_t{0xff} << 56)) == device_tag;
}

// One range of the host's addresses, handed out in grains; for each grain, how many of its bytes are valid. Between
// allocations lie grains that are not, and what was freed is used again only after much else was.
class Memory {
 public:
  static Memory& instance();

  // nullptr where the capacity does not reach. Filled with 0xff bytes: NaN.
  void* allocate(std::size_t bytes);
  // False for an address that allocate() did not give, or that was released before.
  bool release(void* address);

  // The two halves of each, for allocations in the order of a stream: the address and the account at the time of the
  // call, the validity when the stream comes to it.
  void* reserve(std::size_t bytes);
  void make_valid(void* address);
  bool give_back(void* address);
  void make_invalid(void* address);

  // A new context: nothing is allocated any more.
  void forget_all();

  // The host's address of [address, address + bytes), or nullptr where that is not inside one live allocation.
  static unsigned char* resolve(const void* address, std::size_t bytes) {
    const std::uintptr_t offset =
        (reinterpret_cast<std::uintptr_t>(address) ^ device_tag) - reinterpret_cast<std::uintptr_t>(range_);
    if (offset >= range_bytes) return nullptr;
    const std::size_t at = offset % grain;
    if (at + bytes <= valid_[offset / grain].load(std::memory_order_relaxed)) return range_ + offset;
    return bytes > grain - at ? resolve_long(offset, bytes) : nullptr;
  }
  // Whether the range was handed out and not given back, whatever the streams have come to.
  bool is_allocated(const void* address, std::size_t bytes) const;

  std::size_t capacity() const { return capacity_.load(); }
  void set_capacity(std::size_t bytes) { capacity_ = bytes; }
  std::size_t used() const { return used_.load(); }
  // Allocations not yet released.
  std::size_t live() const;

 private:
  static constexpr std::size_t grain = 256;  // the alignment of cudaMalloc
  static constexpr std::size_t range_bytes = std::size_t{16} << 30;
  static constexpr std::size_t gap = 4 * grain;
  // Freed bytes that wait before they are handed out again.
  static constexpr std::size_t most_waiting = std::size_t{32} << 20;

  struct Allocation {
    std::size_t bytes;
    std::size_t extent;  // with the gap behind
    bool is_given_back = false;
  };

  Memory();
  static std::size_t offset_of(const void* address) {
    return (reinterpret_cast<std::uintptr_t>(address) ^ device_tag) - reinterpret_cast<std::uintptr_t>(range_);
  }
  static unsigned char* resolve_long(std::size_t offset, std::size_t bytes);
  void set_valid(std::size_t offset, std::size_t bytes, bool is_valid);
  void free_extent(std::size_t offset, std::size_t extent);

  static inline unsigned char* range_ = nullptr;
  static inline std::atomic<uint16_t>* valid_ = nullptr;

  mutable std::mutex mutex_;
  std::map<std::size_t, Allocation> allocations_;            // by offset
  std::map<std::size_t, std::size_t> free_;                  // offset, bytes
  std::deque<std::pair<std::size_t, std::size_t>> waiting_;  // offset, extent
  std::size_t waiting_bytes_ = 0;
  std::atomic<std::size_t> capacity_{std::size_t{4} << 30};
  std::atomic<std::size_t> used_{0};
};

}  // namespace simt
