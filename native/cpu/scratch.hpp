// Per-thread scratch memory: grows to the largest request and is reused by the next matrix.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kronroot::cpu {

// A stack of 64-byte aligned allocations in the calling thread's arena; all are given back when the object dies.
// Nest freely: an inner Scratch lives on top of the outer one. Throws std::bad_alloc.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // Uninitialised storage for count elements of T; count may be 0.
  template <typename T>
  T* take(int64_t count) {
    return static_cast<T*>(take_bytes(count, sizeof(T)));
  }

  // Bytes of the deepest stack that this thread has had since forget_deepest().
  static std::size_t deepest();
  static void forget_deepest();

 private:
  void* take_bytes(int64_t count, std::size_t size);
  std::size_t mark_;
};

}  // namespace kronroot::cpu
