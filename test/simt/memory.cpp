#include "memory.hpp"

#include <cstring>
#include <mutex>
#include <new>

namespace simt {
namespace {

// The allocation that this OS thread met last.
struct Recent {
  std::uintptr_t begin = 0, end = 0;
  uint64_t generation = 0;
};
thread_local Recent recent;

constexpr std::size_t alignment = 256;  // cudaMalloc's

std::uintptr_t untagged(const void* address) { return reinterpret_cast<std::uintptr_t>(address) ^ device_tag; }

}  // namespace

Memory& Memory::instance() {
  static Memory& memory = *std::make_unique<Memory>().release();
  return memory;
}

void* Memory::allocate(std::size_t bytes) {
  const std::unique_lock lock(mutex_);
  if (bytes > capacity_ || used_ > capacity_ - bytes) return nullptr;
  std::unique_ptr<unsigned char[]> memory(new (std::nothrow) unsigned char[bytes + alignment]);
  if (memory == nullptr) return nullptr;
  const auto raw = reinterpret_cast<std::uintptr_t>(memory.get());
  const std::uintptr_t begin = (raw + alignment - 1) / alignment * alignment;
  auto* const data = memory.get() + (begin - raw);
  std::memset(data, 0xff, bytes);
  allocations_.emplace(begin, Allocation{std::move(memory), data, bytes});
  used_ += bytes;
  ++generation_;
  return reinterpret_cast<void*>(begin ^ device_tag);
}

bool Memory::release(void* address) {
  const std::unique_lock lock(mutex_);
  const auto found = allocations_.find(untagged(address));
  if (!is_device_address(address) || found == allocations_.end()) return false;
  used_ -= found->second.bytes;
  allocations_.erase(found);
  ++generation_;
  return true;
}

unsigned char* Memory::resolve(const void* address, std::size_t bytes) {
  if (!is_device_address(address)) return nullptr;
  const std::uintptr_t at = untagged(address);
  if (recent.generation == generation_.load(std::memory_order_acquire) && at >= recent.begin && at + bytes <= recent.end) {
    return reinterpret_cast<unsigned char*>(at);
  }
  const std::shared_lock lock(mutex_);
  auto next = allocations_.upper_bound(at);
  if (next == allocations_.begin()) return nullptr;
  --next;
  const std::uintptr_t end = next->first + next->second.bytes;
  if (at + bytes > end) return nullptr;
  recent = {next->first, end, generation_.load()};
  return reinterpret_cast<unsigned char*>(at);
}

std::size_t Memory::live() const {
  const std::shared_lock lock(mutex_);
  return allocations_.size();
}

}  // namespace simt
