// Host memory on 64-byte boundaries, from plain malloc.
//
// Not by aligned operator new: glibc's memalign(64, n) takes free chunks of at least n + 64 bytes only, so a freed
// chunk never serves the next request of its own size, and a program that keeps making and dropping tensors of one size
// grows without bound as soon as small live allocations lie between them. Measured with glibc 2.36: 4,000 dropped
// tensors of 256 KB, at most 120 MB of them alive, left 1 GB resident; 180 MB this way.
//
// malloc maps blocks above 32 MB anew each time, whatever was freed before, and a fault for each 4 KB of them can cost
// more than the op that writes them (eigh of 256 f64 matrices of order 128: three times as much, on a virtual machine).
// So large blocks ask for huge pages.
#pragma once

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace kronroot {

inline constexpr std::uintptr_t host_alignment = 64;

// A wish, which the kernel may ignore.
inline void ask_for_huge_pages([[maybe_unused]] void* block, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__)
  constexpr std::size_t smallest = std::size_t{8} << 20;
  constexpr std::uintptr_t page = 4096;
  if (bytes < smallest) return;
  const auto begin = (reinterpret_cast<std::uintptr_t>(block) + page - 1) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(block) + bytes) / page * page;
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

// bytes >= 0; null when there is no memory. Uninitialised.
inline void* allocate_aligned(int64_t bytes) {
  const std::size_t bytes_of_block = static_cast<std::size_t>(bytes) + host_alignment;
  void* const block = std::malloc(bytes_of_block);
  if (block == nullptr) return nullptr;
  ask_for_huge_pages(block, bytes_of_block);
  // malloc aligns to 16, so the room below the boundary always holds the pointer that release_aligned needs.
  const auto boundary = (reinterpret_cast<std::uintptr_t>(block) / host_alignment + 1) * host_alignment;
  auto* const memory = reinterpret_cast<char*>(boundary);
  std::memcpy(memory - sizeof block, &block, sizeof block);
  return memory;
}

inline void release_aligned(void* memory) {
  if (memory == nullptr) return;
  void* block = nullptr;
  std::memcpy(&block, static_cast<char*>(memory) - sizeof block, sizeof block);
  std::free(block);
}

}  // namespace kronroot
