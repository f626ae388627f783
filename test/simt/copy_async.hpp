// Copies from global to shared memory that go on while the thread does: cp.async.
#pragma once

#include <cstdint>
#include <type_traits>

#include "global.hpp"
#include "shared.hpp"

namespace kronroot::cuda {

// cp.async.ca / .cg: 4, 8 or 16 bytes; `is_present` false: zeros, nothing is read. The emulator moves the bytes in
// wait_for_copies, and until then they may not be touched.
template <int Bytes, typename T, typename U>
inline void copy_async(Shared<T> to, int i, Global<U> from, int64_t j, bool is_present = true) {
  static_assert(std::is_same_v<T, std::remove_const_t<U>> && (Bytes == 4 || Bytes == 8 || Bytes == 16));
  constexpr int count = Bytes / static_cast<int>(sizeof(T));
  simt::Thread& thread = simt::Block::current().thread();
  const void* const source = is_present ? from.span(j, count, Bytes) : nullptr;
  thread.copies.push_back(
      {to.to_copy(i, count, Bytes), static_cast<const unsigned char*>(source), Bytes, thread.copy_groups});
}
// cp.async.commit_group.
inline void commit_copies() { ++simt::Block::current().thread().copy_groups; }
// cp.async.wait_group N: all but the last N groups that this thread committed are done.
template <int N>
inline void wait_for_copies() {
  simt::Block::current().finish_copies(N);
}

}  // namespace kronroot::cuda
