// Memory of the emulated device. Its addresses are tagged: host code that reads one crashes, and kernels reach it only
// through Global<T>, which asks here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>

namespace simt {

// A tag makes an address non-canonical.
inline constexpr std::uintptr_t device_tag = std::uintptr_t{0x5a} << 56;

inline bool is_device_address(const void* address) {
  return (reinterpret_cast<std::uintptr_t>(address) & (std::uintptr_t{0xff} << 56)) == device_tag;
}

class Memory {
 public:
  static Memory& instance();

  // nullptr where the capacity does not reach. Filled with 0xff bytes: NaN.
  void* allocate(std::size_t bytes);
  // False for an address that allocate() did not give, or that was released before.
  bool release(void* address);

  // The host's address of [address, address + bytes), or nullptr where that is not inside one live allocation.
  unsigned char* resolve(const void* address, std::size_t bytes);

  std::size_t capacity() const { return capacity_.load(); }
  void set_capacity(std::size_t bytes) { capacity_ = bytes; }
  std::size_t used() const { return used_.load(); }
  std::size_t live() const;

 private:
  struct Allocation {
    std::unique_ptr<unsigned char[]> memory;
    unsigned char* data;
    std::size_t bytes;
  };
  mutable std::shared_mutex mutex_;
  std::map<std::uintptr_t, Allocation> allocations_;  // by untagged address
  std::atomic<uint64_t> generation_{1};
  std::atomic<std::size_t> capacity_{std::size_t{4} << 30};
  std::atomic<std::size_t> used_{0};
};

}  // namespace simt
