// cvt.rn.f16.f32, cvt.rn.bf16.f32, cvt.rna.tf32.f32 and their ways back, over ties, denormals, overflow and NaN.
#include <bit>
#include <cstdint>

#include "test/native/simt/kernel.hpp"

namespace kronroot::test {
namespace {

using namespace cuda;

float of_bits(uint32_t bits) { return std::bit_cast<float>(bits); }

// The value of binary16 `bits` by its definition.
double value_of_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (bits >> 15) != 0 ? -magnitude : magnitude;
}

TEST("simt: every finite binary16 has its value as a float, and goes back to the same bits") {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const Half half{static_cast<uint16_t>(bits)};
    if ((bits & 0x7c00) == 0x7c00) continue;
    EXPECT(to_float(half) == value_of_half(half.bits));
    EXPECT(std::signbit(to_float(half)) == ((bits >> 15) != 0));
    EXPECT(to_half(to_float(half)).bits == bits);
  }
  EXPECT(to_float(Half{0x7c00}) == INFINITY && to_float(Half{0xfc00}) == -INFINITY);
  EXPECT(std::isnan(to_float(Half{0x7e00})) && std::isnan(to_float(Half{0x7c01})) &&
         std::isnan(to_float(Half{0xffff})));
}

TEST("simt: to_half rounds to the nearest, ties to even, between all neighbours") {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const double low = value_of_half(static_cast<uint16_t>(bits)),
                 high = value_of_half(static_cast<uint16_t>(bits + 1));
    const auto tie = static_cast<float>((low + high) / 2);
    const auto even = static_cast<uint16_t>(bits % 2 == 0 ? bits : bits + 1);
    EXPECT(to_half(tie).bits == even);
    EXPECT(to_half(-tie).bits == (even | 0x8000));
    EXPECT(to_half(std::nextafterf(tie, 0)).bits == bits);
    EXPECT(to_half(std::nextafterf(tie, 1e9f)).bits == bits + 1);
  }
}

TEST("simt: to_half overflows to infinity from 65520 on, underflows to zero, makes NaN canonical") {
  EXPECT(to_half(65519.996f).bits == 0x7bff);
  EXPECT(to_half(65520.0f).bits == 0x7c00);
  EXPECT(to_half(-65520.0f).bits == 0xfc00);
  EXPECT(to_half(3e38f).bits == 0x7c00);
  EXPECT(to_half(INFINITY).bits == 0x7c00 && to_half(-INFINITY).bits == 0xfc00);
  EXPECT(to_half(std::ldexp(1.0f, -25)).bits == 0);
  EXPECT(to_half(std::ldexp(1.0f, -149)).bits == 0 && to_half(-std::ldexp(1.0f, -149)).bits == 0x8000);
  EXPECT(to_half(NAN).bits == 0x7fff && to_half(-NAN).bits == 0x7fff);
}

TEST("simt: to_bfloat16 rounds to the nearest, ties to even; denormals stay, NaN is canonical") {
  EXPECT(to_bfloat16(1.0f).bits == 0x3f80);
  EXPECT(to_bfloat16(of_bits(0x3f808000)).bits == 0x3f80);  // a tie, even below
  EXPECT(to_bfloat16(of_bits(0x3f818000)).bits == 0x3f82);  // a tie, even above
  EXPECT(to_bfloat16(of_bits(0x3f808001)).bits == 0x3f81);
  EXPECT(to_bfloat16(of_bits(0x3f807fff)).bits == 0x3f80);
  EXPECT(to_bfloat16(of_bits(0x7f7f7fff)).bits == 0x7f7f);
  EXPECT(to_bfloat16(of_bits(0x7f7f8000)).bits == 0x7f80);  // overflow
  EXPECT(to_bfloat16(of_bits(0xff7fffff)).bits == 0xff80);
  EXPECT(to_bfloat16(of_bits(0x00000001)).bits == 0);
  EXPECT(to_bfloat16(of_bits(0x00018000)).bits == 2);
  EXPECT(to_bfloat16(-0.0f).bits == 0x8000);
  EXPECT(to_bfloat16(NAN).bits == 0x7fff && to_bfloat16(of_bits(0xff800001)).bits == 0x7fff);
  EXPECT(to_float(Bfloat16{0x3f82}) == 1.015625f && to_float(Bfloat16{0xff80}) == -INFINITY);
  EXPECT(to_float(Bfloat16{0x0001}) == of_bits(0x00010000));
}

TEST("simt: to_tf32 keeps 10 bits, ties away from zero") {
  EXPECT(to_tf32(1.0f) == 0x3f800000);
  EXPECT(to_tf32(of_bits(0x3f801000)) == 0x3f802000);
  EXPECT(to_tf32(of_bits(0xbf801000)) == 0xbf802000);
  EXPECT(to_tf32(of_bits(0x3f800fff)) == 0x3f800000);
  EXPECT(to_tf32(of_bits(0x3f803000)) == 0x3f804000);
  EXPECT(to_tf32(of_bits(0x7f7fffff)) == 0x7f800000);
  EXPECT(to_tf32(INFINITY) == 0x7f800000 && to_tf32(-INFINITY) == 0xff800000);
  EXPECT(std::isnan(of_bits(to_tf32(NAN))));
  EXPECT(to_tf32(of_bits(0x00001000)) == 0x00002000);
}

TEST("simt: pack and unpack, the first element in the low half") {
  EXPECT(pack(Half{0x1234}, Half{0xabcd}) == 0xabcd1234);
  EXPECT(unpack<Half>(0xabcd1234, 0).bits == 0x1234 && unpack<Bfloat16>(0xabcd1234, 1).bits == 0xabcd);
}

}  // namespace
}  // namespace kronroot::test
