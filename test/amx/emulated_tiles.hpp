// The tile instructions of AMX-BF16 in plain C++, so that native/cpu/isa/amx.cpp runs on machines that have AVX-512 but
// not the unit. To be included before that file: it takes the place of the intrinsics.
// Source: Intel Architecture Instruction Set Extensions Programming Reference, chapter 3.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace kronroot::test {

struct EmulatedTile {
  alignas(64) unsigned char rows[16][64];
};

// Tiles of 16 rows of 64 bytes, as the only configuration in use has them. Registers of the thread.
inline thread_local EmulatedTile emulated_tiles[8];

inline void emulate_load(int tile, const void* from, int64_t stride) {
  for (int i = 0; i < 16; ++i) {
    std::memcpy(emulated_tiles[tile].rows[i], static_cast<const unsigned char*>(from) + i * stride, 64);
  }
}

inline void emulate_store(int tile, void* to, int64_t stride) {
  for (int i = 0; i < 16; ++i) {
    std::memcpy(static_cast<unsigned char*>(to) + i * stride, emulated_tiles[tile].rows[i], 64);
  }
}

// Denormals are zeros, as operands and as results.
inline float flushed(float x) { return __builtin_fabsf(x) < 0x1p-126f ? 0.0f : x; }
inline float widened(uint16_t bf16) { return flushed(__builtin_bit_cast(float, uint32_t{bf16} << 16)); }

inline void emulate_dpbf16ps(int sums, int a, int b) {
  for (int i = 0; i < 16; ++i) {
    float row[16];
    std::memcpy(row, emulated_tiles[sums].rows[i], 64);
    for (int q = 0; q < 16; ++q) {
      uint16_t left[2], right[32];
      std::memcpy(left, emulated_tiles[a].rows[i] + 4 * q, sizeof left);
      std::memcpy(right, emulated_tiles[b].rows[q], sizeof right);
      for (int j = 0; j < 16; ++j) {
        row[j] = flushed(row[j] + flushed(widened(left[0]) * widened(right[2 * j])));
        row[j] = flushed(row[j] + flushed(widened(left[1]) * widened(right[2 * j + 1])));
      }
    }
    std::memcpy(emulated_tiles[sums].rows[i], row, 64);
  }
}

}  // namespace kronroot::test

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig(shapes) static_cast<void>(shapes)
#define _tile_release()
#define _tile_zero(tile) (kronroot::test::emulated_tiles[tile] = {})
#define _tile_loadd(tile, from, stride) kronroot::test::emulate_load(tile, from, stride)
#define _tile_stored(tile, to, stride) kronroot::test::emulate_store(tile, to, stride)
#define _tile_dpbf16ps(sums, a, b) kronroot::test::emulate_dpbf16ps(sums, a, b)
