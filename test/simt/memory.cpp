#include "memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace simt {
namespace {

void* map_lazily(std::size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

}  // namespace

Memory& Memory::instance() {
  static Memory& memory = *new Memory;  // NOLINT: kernels may run until the process ends
  return memory;
}

Memory::Memory() {
  valid_ = static_cast<std::atomic<uint16_t>*>(map_lazily(range_bytes / grain * sizeof(uint16_t)));
  range_ = static_cast<unsigned char*>(map_lazily(range_bytes));
  free_.emplace(0, range_bytes);
}

void* Memory::reserve(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > capacity_ || used_ > capacity_ - bytes) return nullptr;
  const std::size_t extent = (bytes + grain - 1) / grain * grain + gap;
  const auto found = std::find_if(free_.begin(), free_.end(), [&](const auto& each) { return each.second >= extent; });
  if (found == free_.end()) return nullptr;
  const auto [offset, size] = *found;
  free_.erase(found);
  if (size > extent) free_.emplace(offset + extent, size - extent);
  allocations_.emplace(offset, Allocation{bytes, extent});
  used_ += bytes;
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(range_ + offset) ^ device_tag);
}

void Memory::make_valid(void* address) {
  const std::size_t offset = offset_of(address);
  std::size_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    bytes = allocations_.at(offset).bytes;
    set_valid(offset, bytes, true);
  }
  std::memset(range_ + offset, 0xff, bytes);
}

bool Memory::give_back(void* address) {
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.find(offset_of(address));
  if (!is_device_address(address) || found == allocations_.end() || found->second.is_given_back) return false;
  found->second.is_given_back = true;
  used_ -= found->second.bytes;
  return true;
}

void Memory::make_invalid(void* address) {
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.find(offset_of(address));
  if (found == allocations_.end()) return;  // of a context that is gone
  const auto [offset, allocation] = *found;
  set_valid(offset, allocation.bytes, false);
  allocations_.erase(found);
  waiting_.emplace_back(offset, allocation.extent);
  waiting_bytes_ += allocation.extent;
  while (waiting_bytes_ > most_waiting) {
    const auto [oldest, extent] = waiting_.front();
    waiting_.pop_front();
    waiting_bytes_ -= extent;
    free_extent(oldest, extent);
  }
}

void Memory::forget_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& [offset, allocation] : allocations_) {
    set_valid(offset, allocation.bytes, false);
    free_extent(offset, allocation.extent);
  }
  allocations_.clear();
  used_ = 0;
}

void Memory::free_extent(std::size_t offset, std::size_t extent) {
  auto next = free_.upper_bound(offset);
  if (next != free_.end() && next->first == offset + extent) {
    extent += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      before->second += extent;
      return;
    }
  }
  free_.emplace(offset, extent);
}

void Memory::set_valid(std::size_t offset, std::size_t bytes, bool is_valid) {
  for (std::size_t at = 0; at < bytes; at += grain) {
    const auto count = static_cast<uint16_t>(is_valid ? std::min(grain, bytes - at) : 0);
    valid_[(offset + at) / grain].store(count, std::memory_order_relaxed);
  }
}

void* Memory::allocate(std::size_t bytes) {
  void* const address = reserve(bytes);
  if (address != nullptr) make_valid(address);
  return address;
}

bool Memory::release(void* address) {
  if (!give_back(address)) return false;
  make_invalid(address);
  return true;
}

unsigned char* Memory::resolve_long(std::size_t offset, std::size_t bytes) {
  if (bytes > range_bytes - offset) return nullptr;
  const std::size_t end = offset + bytes;
  for (std::size_t at = offset / grain; at <= (end - 1) / grain; ++at) {
    if (valid_[at].load(std::memory_order_relaxed) < std::min(end - at * grain, grain)) return nullptr;
  }
  return range_ + offset;
}

bool Memory::is_allocated(const void* address, std::size_t bytes) const {
  const std::lock_guard lock(mutex_);
  const std::size_t offset = offset_of(address);
  auto next = allocations_.upper_bound(offset);
  if (!is_device_address(address) || next == allocations_.begin()) return false;
  --next;
  return !next->second.is_given_back && offset + bytes <= next->first + next->second.bytes;
}

std::size_t Memory::live() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(allocations_.begin(), allocations_.end(),
                                                [](const auto& each) { return !each.second.is_given_back; }));
}

}  // namespace simt
