// The device language of native/cuda/device.cuh, emulated. Each function does what the PTX ISA says of the instruction in
// its comment, and checks what hardware leaves undefined.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "block.hpp"
#include "memory.hpp"

#define KRONROOT_SITE __builtin_return_address(0)

namespace simt {

// Out of line, so that the return address is the place in the kernel.
[[gnu::noinline]] void barrier();
[[gnu::noinline]] void named_barrier(int id, int threads);
[[gnu::noinline]] int collective(uint32_t mask, const void* value, std::size_t bytes, bool predicate);

inline const unsigned char* value_of(int bank, int lane) { return Block::current().warp().values[bank][lane]; }

}  // namespace simt

namespace kronroot::cuda {

inline constexpr int warp_size = 32;
inline constexpr uint32_t full_warp = ~0u;

// %tid.x, %ntid.x, %ctaid, %nctaid.
inline int thread_index() { return simt::Block::current().thread().index; }
inline int block_threads() { return simt::Block::current().shape().threads; }
inline int64_t block_index() { return simt::Block::current().index().x; }
inline int block_index_y() { return static_cast<int>(simt::Block::current().index().y); }
inline int block_index_z() { return static_cast<int>(simt::Block::current().index().z); }
inline int64_t block_count() { return simt::Block::current().shape().blocks.x; }
inline int lane_index() { return simt::Block::current().lane(); }
inline int warp_index() { return thread_index() / warp_size; }
inline int warp_count() { return block_threads() / warp_size; }

// bar.sync 0; bar.warp.sync; bar.sync id, threads.
[[gnu::always_inline]] inline void sync_block() { simt::barrier(); }
[[gnu::always_inline]] inline void sync_warp(uint32_t mask = full_warp) { simt::collective(mask, nullptr, 0, false); }
[[gnu::always_inline]] inline void sync_threads_of(int barrier, int threads) { simt::named_barrier(barrier, threads); }

// shfl.sync.idx: the value of lane `from` of the caller's group of `width` lanes (a power of two).
template <typename T>
[[gnu::always_inline]] inline T shuffle(T value, int from, int width = warp_size, uint32_t mask = full_warp) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 16);
  const int bank = simt::collective(mask, &value, sizeof value, false);
  const int lane = lane_index();
  const int source = (lane & ~(width - 1)) + (from & (width - 1));
  if ((mask >> source & 1) == 0) simt::Block::current().fail("shuffle from a lane outside the mask");
  T result;
  std::memcpy(&result, simt::value_of(bank, source), sizeof result);
  return result;
}
// shfl.sync.bfly.
template <typename T>
[[gnu::always_inline]] inline T shuffle_xor(T value, int flip, int width = warp_size, uint32_t mask = full_warp) {
  return shuffle(value, (lane_index() & (width - 1)) ^ flip, width, mask);
}
// shfl.sync.down and .up: where there is no such lane in the group, the caller's own value.
template <typename T>
[[gnu::always_inline]] inline T shuffle_down(T value, int by, int width = warp_size, uint32_t mask = full_warp) {
  const int at = lane_index() & (width - 1);
  return shuffle(value, at + by < width ? at + by : at, width, mask);
}
template <typename T>
[[gnu::always_inline]] inline T shuffle_up(T value, int by, int width = warp_size, uint32_t mask = full_warp) {
  const int at = lane_index() & (width - 1);
  return shuffle(value, at >= by ? at - by : at, width, mask);
}
// vote.sync.ballot, .any, .all.
[[gnu::always_inline]] inline uint32_t ballot(bool predicate, uint32_t mask = full_warp) {
  const int bank = simt::collective(mask, nullptr, 0, predicate);
  return simt::Block::current().warp().predicates[bank];
}
[[gnu::always_inline]] inline bool any_of_warp(bool predicate, uint32_t mask = full_warp) {
  return ballot(predicate, mask) != 0;
}
[[gnu::always_inline]] inline bool all_of_warp(bool predicate, uint32_t mask = full_warp) {
  return ballot(predicate, mask) == mask;
}

// Memory of the device. Every access is inside one live allocation and aligned, or the launch fails.
template <typename T>
class Global {
 public:
  Global() = default;
  explicit Global(T* address) : address_(address) {}
  template <typename U>
    requires std::is_same_v<const U, T>
  Global(const Global<U>& other) : address_(other.address()) {}

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
    unsigned char* const data = simt::Memory::instance().resolve(at, bytes);
    if (data == nullptr) simt::Block::current().fail("access outside of device memory");
    if (reinterpret_cast<std::uintptr_t>(data) % alignment != 0) simt::Block::current().fail("misaligned global access");
    return reinterpret_cast<T*>(data);
  }
  T* address_ = nullptr;
};

template <typename T>
class Shared;

// What s[i] gives: it knows a read from a write. Read it into a variable of type T, never into `auto`.
template <typename T>
class SharedElement {
 public:
  SharedElement(const Shared<T>& array, int i) : array_(array), i_(i) {}
  SharedElement(const SharedElement&) = default;
  operator T() const { return array_.load(i_); }
  const SharedElement& operator=(T value) const {
    array_.store(i_, value);
    return *this;
  }
  const SharedElement& operator=(const SharedElement& other) const { return *this = static_cast<T>(other); }
  const SharedElement& operator+=(T value) const { return *this = static_cast<T>(array_.load(i_) + value); }
  const SharedElement& operator-=(T value) const { return *this = static_cast<T>(array_.load(i_) - value); }
  const SharedElement& operator*=(T value) const { return *this = static_cast<T>(array_.load(i_) * value); }
  const SharedElement& operator/=(T value) const { return *this = static_cast<T>(array_.load(i_) / value); }

 private:
  const Shared<T>& array_;
  int i_;
};

// An array in shared memory.
template <typename T>
class Shared {
 public:
  Shared() = default;
  Shared(std::size_t offset, int count) : offset_(offset), count_(count) {}

  SharedElement<T> operator[](int i) const { return {*this, i}; }
  Shared operator+(int by) const { return Shared(offset_ + static_cast<std::size_t>(by) * sizeof(T), count_ - by); }
  int count() const { return count_; }
  // The same bytes as elements of another type.
  template <typename U>
  Shared<U> as() const {
    return Shared<U>(offset_, static_cast<int>(static_cast<std::size_t>(count_) * sizeof(T) / sizeof(U)));
  }

  T load(int i) const {
    T value;
    std::memcpy(&value, address(i, 1, alignof(T), &simt::SharedMemory::read), sizeof value);
    return value;
  }
  void store(int i, T value) const {
    std::memcpy(address(i, 1, alignof(T), &simt::SharedMemory::write), &value, sizeof value);
  }
  // [i, i + count), checked as one access.
  unsigned char* address(int i, int count, std::size_t alignment,
                         const char* (simt::SharedMemory::*access)(std::size_t, std::size_t, int)) const {
    simt::Block& block = simt::Block::current();
    if (i < 0 || count > count_ - i) block.fail("access outside of an array in shared memory");
    const std::size_t at = offset_ + static_cast<std::size_t>(i) * sizeof(T);
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    if (at % alignment != 0) block.fail("misaligned shared access");
    if (at + bytes > block.shared().bytes()) block.fail("access outside of the shared memory of the launch");
    if (const char* wrong = (block.shared().*access)(at, bytes, block.thread().index)) block.fail(wrong);
    return block.shared().data() + at;
  }

 private:
  std::size_t offset_ = 0;
  int count_ = 0;
};

// Hands out the dynamic shared memory of a launch, every array aligned to 16 bytes. The host runs the same code to learn
// how much a launch needs.
class SharedArena {
 public:
  template <typename T>
  Shared<T> take(int count) {
    const Shared<T> array(bytes_, count);
    bytes_ += (static_cast<std::size_t>(count) * sizeof(T) + 15) / 16 * 16;
    return array;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

// N elements moved by one instruction; their place is aligned to their size.
template <typename T, int N>
struct alignas(sizeof(T) * N) Vector {
  T values[N];
  T& operator[](int i) { return values[i]; }
  const T& operator[](int i) const { return values[i]; }
};

template <int N, typename T>
inline Vector<std::remove_const_t<T>, N> load_vector(Global<T> from, int64_t i) {
  Vector<std::remove_const_t<T>, N> value;
  std::memcpy(&value, from.span(i, N, sizeof value), sizeof value);
  return value;
}
template <int N, typename T>
inline void store_vector(Global<T> to, int64_t i, const Vector<T, N>& value) {
  std::memcpy(to.span(i, N, sizeof value), &value, sizeof value);
}
template <int N, typename T>
inline Vector<T, N> load_vector(Shared<T> from, int i) {
  Vector<T, N> value;
  std::memcpy(&value, from.address(i, N, sizeof value, &simt::SharedMemory::read), sizeof value);
  return value;
}
template <int N, typename T>
inline void store_vector(Shared<T> to, int i, const Vector<T, N>& value) {
  std::memcpy(to.address(i, N, sizeof value, &simt::SharedMemory::write), &value, sizeof value);
}

// red / atom: relaxed, the result is the value before.
template <typename T>
inline T atomic_add(Global<T> to, int64_t i, T value) {
  T* const at = &to[i];
  if constexpr (std::is_integral_v<T>) {
    return __atomic_fetch_add(at, value, __ATOMIC_RELAXED);
  } else {
    T before = *at, after;
    do {
      after = before + value;
    } while (!__atomic_compare_exchange(at, &before, &after, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return before;
  }
}
template <typename T>
inline T atomic_max(Global<T> to, int64_t i, T value) {
  static_assert(std::is_integral_v<T>);
  T* const at = &to[i];
  T before = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (before < value && !__atomic_compare_exchange_n(at, &before, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return before;
}
template <typename T>
inline T atomic_add(Shared<T> to, int i, T value) {
  T before;
  unsigned char* const at = to.address(i, 1, alignof(T), &simt::SharedMemory::update);
  std::memcpy(&before, at, sizeof before);
  const T after = static_cast<T>(before + value);
  std::memcpy(at, &after, sizeof after);
  return before;
}
template <typename T>
inline T atomic_max(Shared<T> to, int i, T value) {
  static_assert(std::is_integral_v<T>);
  T before;
  unsigned char* const at = to.address(i, 1, alignof(T), &simt::SharedMemory::update);
  std::memcpy(&before, at, sizeof before);
  if (before < value) std::memcpy(at, &value, sizeof value);
  return before;
}

}  // namespace kronroot::cuda

#include "instructions.hpp"
