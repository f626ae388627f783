// Host memory on 64-byte boundaries, from plain malloc.
//
// Not by aligned operator new: glibc's memalign(64, n) takes free chunks of at least n + 64 bytes only, so a freed
// chunk never serves the next request of its own size, and a program that keeps making and dropping tensors of one size
// grows without bound as soon as small live allocations lie between them. Measured with glibc 2.36: 4,000 dropped
// tensors of 256 KB, at most 120 MB of them alive, left 1 GB resident; 180 MB this way.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace kronroot {

inline constexpr std::uintptr_t host_alignment = 64;

// bytes >= 0; null when there is no memory. Uninitialised.
inline void* allocate_aligned(int64_t bytes) {
  void* const block = std::malloc(static_cast<std::size_t>(bytes) + host_alignment);
  if (block == nullptr) return nullptr;
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
