// Number formats and the instructions of the matrix unit, emulated lane by lane.
#pragma once

#include "device.hpp"

namespace kronroot::cuda {

// IEEE binary16.
struct Half {
  uint16_t bits;
};
// The upper half of a binary32.
struct Bfloat16 {
  uint16_t bits;
};

// cvt.rn.f16.f32 and back.
inline Half to_half(float value) {
  const auto half = static_cast<_Float16>(value);
  Half result;
  std::memcpy(&result, &half, sizeof half);
  return result;
}
inline float to_float(Half value) {
  _Float16 half;
  std::memcpy(&half, &value, sizeof half);
  return static_cast<float>(half);
}
// cvt.rn.bf16.f32 and back.
inline Bfloat16 to_bfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (value != value) return {0x7fff};
  bits += 0x7fff + (bits >> 16 & 1);
  return {static_cast<uint16_t>(bits >> 16)};
}
inline float to_float(Bfloat16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}
// cvt.rna.tf32.f32: 10 bits of mantissa, ties away from zero; the bits of a float.
inline uint32_t to_tf32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7f800000) == 0x7f800000) return bits;
  return (bits + 0x1000) & ~0x1fffu;
}

// Two 16-bit elements in one register, the first in the low half.
template <typename H>
inline uint32_t pack(H low, H high) {
  return static_cast<uint32_t>(low.bits) | static_cast<uint32_t>(high.bits) << 16;
}
template <typename H>
inline H unpack(uint32_t pair, int i) {
  return {static_cast<uint16_t>(pair >> (16 * i))};
}

namespace emulated {

// The registers of all lanes of a warp for one operand.
template <typename R, int N>
struct Registers {
  R values[N];
};
template <typename R, int N>
[[gnu::always_inline]] inline int share(const R (&registers)[N]) {
  static_assert(sizeof registers <= 64);
  return simt::collective(full_warp, registers, sizeof registers, false);
}
template <typename R>
inline R of_lane(int bank, int lane, int i) {
  R value;
  std::memcpy(&value, simt::value_of(bank, lane) + static_cast<std::size_t>(i) * sizeof(R), sizeof value);
  return value;
}

}  // namespace emulated

// mma.sync.m16n8k16 with 16-bit operands and f32 accumulators, D += A B; A 16 x 16 by rows, B 16 x 8 by columns. With
// g = lane / 4 and t = lane % 4 (PTX ISA, "Matrix Fragments for mma.m16n8k16"):
//   a[0] (g, 2t..2t+1), a[1] (g + 8, 2t..), a[2] (g, 2t + 8..), a[3] (g + 8, 2t + 8..);
//   b[0] (2t..2t+1, g), b[1] (2t + 8.., g);   d[0..1] (g, 2t..2t+1), d[2..3] (g + 8, 2t..2t+1).
template <typename H>
[[gnu::always_inline]] inline void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const uint32_t operands[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  const int bank = emulated::share(operands);
  const int g = lane_index() / 4, t = lane_index() % 4;
  for (int i = 0; i < 4; ++i) {
    const int row = g + 8 * (i / 2), col = 2 * t + i % 2;
    double sum = d[i];
    for (int k = 0; k < 16; ++k) {
      const int pair = k % 8 / 2, a_register = row / 8 + 2 * (k / 8);
      const float x = to_float(unpack<H>(emulated::of_lane<uint32_t>(bank, row % 8 * 4 + pair, a_register), k % 2));
      const float y = to_float(unpack<H>(emulated::of_lane<uint32_t>(bank, col * 4 + pair, 4 + k / 8), k % 2));
      sum += static_cast<double>(x) * static_cast<double>(y);
    }
    d[i] = static_cast<float>(sum);
  }
}

// mma.sync.m16n8k8 with tf32 operands: a[0] (g, t), a[1] (g + 8, t), a[2] (g, t + 4), a[3] (g + 8, t + 4); b[0] (t, g),
// b[1] (t + 4, g); d as above. The low 13 bits of operands are not read.
[[gnu::always_inline]] inline void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const uint32_t operands[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  const int bank = emulated::share(operands);
  const int g = lane_index() / 4, t = lane_index() % 4;
  const auto value = [&](int lane, int i) {
    const uint32_t bits = emulated::of_lane<uint32_t>(bank, lane, i) & ~0x1fffu;
    float result;
    std::memcpy(&result, &bits, sizeof result);
    return static_cast<double>(result);
  };
  for (int i = 0; i < 4; ++i) {
    const int row = g + 8 * (i / 2), col = 2 * t + i % 2;
    double sum = d[i];
    for (int k = 0; k < 8; ++k) {
      sum += value(row % 8 * 4 + k % 4, row / 8 + 2 * (k / 4)) * value(col * 4 + k % 4, 4 + k / 4);
    }
    d[i] = static_cast<float>(sum);
  }
}

// mma.sync.m8n8k4 in f64: a (g, t), b (t, g), d[0..1] (g, 2t..2t+1).
[[gnu::always_inline]] inline void mma_m8n8k4_f64(double (&d)[2], double a, double b) {
  const double operands[2] = {a, b};
  const int bank = emulated::share(operands);
  const int g = lane_index() / 4, t = lane_index() % 4;
  for (int i = 0; i < 2; ++i) {
    for (int k = 0; k < 4; ++k) {
      d[i] = std::fma(emulated::of_lane<double>(bank, g * 4 + k, 0),
                      emulated::of_lane<double>(bank, (2 * t + i) * 4 + k, 1), d[i]);
    }
  }
}

// ldmatrix.sync.m8n8.xN(.trans).b16: matrix j has its rows of 8 elements (16 bytes) at the index that lane 8 j + row
// passes; register j of lane l gets elements (l / 4, 2 (l % 4)..) of matrix j, transposed (2 (l % 4).., l / 4).
template <int N, bool is_transposed = false, typename H>
[[gnu::always_inline]] inline void load_matrices(uint32_t (&registers)[N], Shared<H> from, int i) {
  static_assert((N == 1 || N == 2 || N == 4) && sizeof(H) == 2);
  uint16_t row[1][8] = {};
  if (lane_index() < 8 * N) {
    std::memcpy(row, from.address(i, 8, 16, &simt::SharedMemory::read), sizeof row);
  }
  const int bank = simt::collective(full_warp, row, sizeof row, false);
  const int g = lane_index() / 4, t = lane_index() % 4;
  for (int j = 0; j < N; ++j) {
    const auto element = [&](int r, int c) { return Half{emulated::of_lane<uint16_t>(bank, 8 * j + r, c)}; };
    registers[j] = is_transposed ? pack(element(2 * t, g), element(2 * t + 1, g)) : pack(element(g, 2 * t), element(g, 2 * t + 1));
  }
}

// cp.async.ca / .cg: 4, 8 or 16 bytes from global to shared memory; `is_present` false: zeros, nothing is read. It is done
// after wait_for_copies. The emulator copies at once.
template <int Bytes, typename T, typename U>
inline void copy_async(Shared<T> to, int i, Global<U> from, int64_t j, bool is_present = true) {
  static_assert(std::is_same_v<T, std::remove_const_t<U>> && (Bytes == 4 || Bytes == 8 || Bytes == 16));
  constexpr int count = Bytes / static_cast<int>(sizeof(T));
  unsigned char* const at = to.address(i, count, Bytes, &simt::SharedMemory::write);
  if (is_present) {
    std::memcpy(at, from.span(j, count, Bytes), Bytes);
  } else {
    std::memset(at, 0, Bytes);
  }
}
// cp.async.commit_group; cp.async.wait_group N: all but the last N groups are done.
inline void commit_copies() {}
template <int N>
inline void wait_for_copies() {}

}  // namespace kronroot::cuda
