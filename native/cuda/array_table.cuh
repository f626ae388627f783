// Many arrays in one launch: their entries travel with the parameters of the kernel, cut into chunks of which every
// block takes one. Nothing is uploaded and no memory is needed.
#pragma once

#include <algorithm>
#include <cstdint>

#include "device.cuh"
#include "launch.hpp"

namespace kronroot::cuda {

// Elements of a chunk.
inline constexpr int64_t chunk_elements = 4096;
inline constexpr int chunk_threads = 256;

// Elements that one 16-byte access moves.
template <typename T>
inline constexpr int elements_of_vector = 16 / static_cast<int>(sizeof(T));

// Array a has chunks first_chunk[a] .. first_chunk[a + 1] of the launch. An Entry has a member `count`, its elements.
template <typename Entry>
struct ArrayTable {
  // What 4 KiB of parameters hold beside the kernel's own.
  static constexpr int capacity = static_cast<int>((4096 - 64) / (sizeof(Entry) + sizeof(int64_t)));

  Entry entries[capacity];
  int64_t first_chunk[capacity + 1];
  int count;

  __host__ __device__ int64_t chunks() const { return first_chunk[count]; }

  // The array that a chunk belongs to: the last one that begins at or before it.
  __device__ __forceinline__ int array_of(int64_t chunk) const {
    int low = 0, high = count;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (first_chunk[middle] <= chunk ? low : high) = middle;
    }
    return low;
  }
};

// Calls enqueue(table, first) for as many arrays at a time as a table holds; entry_of(i) makes the entry of array i.
// Each array has at least `least_chunks` of them.
template <typename Entry, typename EntryOf, typename Enqueue>
void for_each_table(int64_t count, int64_t least_chunks, const EntryOf& entry_of, const Enqueue& enqueue) {
  for (int64_t first = 0; first < count; first += ArrayTable<Entry>::capacity) {
    ArrayTable<Entry> table{};
    table.count = static_cast<int>(std::min<int64_t>(count - first, ArrayTable<Entry>::capacity));
    for (int i = 0; i < table.count; ++i) {
      table.entries[i] = entry_of(first + i);
      const int64_t chunks = (table.entries[i].count + chunk_elements - 1) / chunk_elements;
      table.first_chunk[i + 1] = table.first_chunk[i] + std::max(chunks, least_chunks);
    }
    enqueue(table, first);
  }
}

// Whether 16-byte accesses reach every vector of an array; NULL counts as one.
inline bool is_vector_aligned(const void* data) { return reinterpret_cast<std::uintptr_t>(data) % 16 == 0; }

}  // namespace kronroot::cuda
