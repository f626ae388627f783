// Memory of the device as kernels reach it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "block.hpp"
#include "memory.hpp"

namespace kronroot::cuda {

// Every access is inside one live allocation and aligned, or the launch fails.
template <typename T>
class Global {
 public:
  Global() = default;
  explicit Global(T* address) : address_(address) {}
  template <typename U>
  requires std::is_same_v<const U, T> Global(const Global<U>& other) : address_(other.address()) {}

  T& operator[](int64_t i) const { return *resolve(address_ + i, sizeof(T), alignof(T)); }
  Global operator+(int64_t by) const { return Global(address_ + by); }
  T* address() const { return address_; }
  explicit operator bool() const { return address_ != nullptr; }
  // [i, i + count) as the host sees it.
  T* span(int64_t i, int64_t count, std::size_t alignment) const {
    return resolve(address_ + i, static_cast<std::size_t>(count) * sizeof(T), alignment);
  }

 private:
  T* resolve(T* at, std::size_t bytes, std::size_t alignment) const {
    unsigned char* const data = simt::Memory::resolve(at, bytes);
    if (data == nullptr) simt::Block::current().fail("access outside of device memory", simt::Wrong::address);
    if (reinterpret_cast<std::uintptr_t>(data) % alignment != 0) {
      simt::Block::current().fail("misaligned global access", simt::Wrong::alignment);
    }
    return reinterpret_cast<T*>(data);
  }
  T* address_ = nullptr;
};

}  // namespace kronroot::cuda
