// Shared memory as kernels reach it.
#pragma once

#include <cstddef>
#include <cstring>

#include "block.hpp"

namespace kronroot::cuda {

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
  static_assert(sizeof(T) >= 2, "the emulator tells races apart by two bytes");

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
    std::memcpy(&value, to_read(i, 1, alignof(T)), sizeof value);
    return value;
  }
  void store(int i, T value) const { std::memcpy(to_write(i, 1, alignof(T)), &value, sizeof value); }

  // [i, i + count), checked as one access of the running thread.
  const unsigned char* to_read(int i, int count, std::size_t alignment) const {
    return access(i, count, alignment, &simt::SharedMemory::read);
  }
  unsigned char* to_write(int i, int count, std::size_t alignment) const {
    return access(i, count, alignment, &simt::SharedMemory::write);
  }
  unsigned char* to_update(int i) const { return access(i, 1, alignof(T), &simt::SharedMemory::update); }
  // Its place in the shared memory of the block.
  std::size_t to_copy(int i, int count, std::size_t alignment) const {
    const unsigned char* const at = access(i, count, alignment, &simt::SharedMemory::begin_copy);
    return static_cast<std::size_t>(at - simt::Block::current().shared().data());
  }

 private:
  using Access = const char* (simt::SharedMemory::*)(std::size_t, std::size_t, int);
  [[gnu::always_inline]] unsigned char* access(int i, int count, std::size_t alignment, Access check) const {
    simt::Block& block = simt::Block::current();
    simt::SharedMemory& memory = block.shared();
    if (i < 0 || count > count_ - i) block.fail("access outside of an array in shared memory");
    const std::size_t at = offset_ + static_cast<std::size_t>(i) * sizeof(T);
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    if (at % alignment != 0) block.fail("misaligned shared access", simt::Wrong::alignment);
    if (at + bytes > memory.bytes()) block.fail("access outside of the shared memory of the launch");
    if (const char* wrong = (memory.*check)(at, bytes, block.thread().index)) block.fail(wrong);
    return memory.data() + at;
  }

  std::size_t offset_ = 0;
  int count_ = 0;
};

// Hands out the dynamic shared memory of a launch, every array aligned to 16 bytes. The host runs the same code to
// learn how much a launch needs.
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

}  // namespace kronroot::cuda
