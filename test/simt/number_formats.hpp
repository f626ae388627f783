// binary16, bfloat16 and tf32: the conversions of cvt, by bits, so that they are the same on every host.
#pragma once

#include <bit>
#include <cstdint>

namespace kronroot::cuda {

// IEEE binary16.
struct Half {
  uint16_t bits;
};
// The upper half of a binary32.
struct Bfloat16 {
  uint16_t bits;
};

// cvt.rn.f16.f32: to the nearest, ties to even; NaN becomes 0x7fff.
inline Half to_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {0x7fff};
  if (magnitude >= 0x477ff000) return {static_cast<uint16_t>(sign | 0x7c00)};  // 65520 and more
  uint32_t rounded = 0;
  if (magnitude < 0x38800000) {
    // Below 2^-14 the last bit of a binary16 is 2^-24, that of a float between 0.5 and 1: the addition rounds.
    rounded = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - std::bit_cast<uint32_t>(0.5f);
  } else {
    rounded = (magnitude - (uint32_t{112} << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  }
  return {static_cast<uint16_t>(sign | rounded)};
}
// cvt.f32.f16. The exponent moves by 112 through a product, which makes denormals right too.
inline float to_float(Half value) {
  const uint32_t magnitude = static_cast<uint32_t>(value.bits & 0x7fff) << 13;
  const float scaled = std::bit_cast<float>(magnitude) * 0x1p112f;
  const uint32_t special = magnitude >= uint32_t{0x7c00} << 13 ? 0x7f800000 : 0;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(scaled) | special |
                              static_cast<uint32_t>(value.bits & 0x8000) << 16);
}
// cvt.rn.bf16.f32 and back.
inline Bfloat16 to_bfloat16(float value) {
  auto bits = std::bit_cast<uint32_t>(value);
  if (value != value) return {0x7fff};
  bits += 0x7fff + (bits >> 16 & 1);
  return {static_cast<uint16_t>(bits >> 16)};
}
inline float to_float(Bfloat16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }
// cvt.rna.tf32.f32: 10 bits of mantissa, ties away from zero; the bits of a float.
inline uint32_t to_tf32(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (value != value) return 0x7fffffff;
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

}  // namespace kronroot::cuda
