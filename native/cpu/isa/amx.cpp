// The kernels of gemm/bf16.hpp for AMX tiles and AVX-512.
#include <immintrin.h>

#include <cstdint>

namespace kronroot::cpu {
namespace {
constexpr int kVectorBytes = 64;
}  // namespace
}  // namespace kronroot::cpu

#include "../gemm/amx/multiply.inl"
#include "../gemm/amx/pack.inl"
#include "../gemm/amx/store.inl"
#include "amx.hpp"
#include "vector.inl"

namespace kronroot::cpu {
namespace {

// What is done to the numbers of a source on their way.
class Reading {
 public:
  explicit Reading(const Bf16Source& source)
      : is_scaled_(source.factor != 1 || source.exponent != 0),
        may_have_nan_(source.may_have_nan),
        factor_(_mm512_set1_ps(source.factor)),
        exponent_(_mm512_set1_ps(static_cast<float>(source.exponent))) {}

  // Elements of `from` by the mask, 0 for the others.
  Vec<float> read(const float* from, __mmask16 mask) const {
    Vec<float> v = _mm512_maskz_loadu_ps(mask, from);
    if (may_have_nan_) v = v == v ? v : broadcast(__builtin_nanf(""));
    // With a mask, since the plain intrinsic of g++ 12 warns of an uninitialised variable of its own.
    if (is_scaled_) v = factor_ * _mm512_maskz_scalef_ps(0xffff, v, exponent_);
    return v;
  }

 private:
  bool is_scaled_, may_have_nan_;
  __m512 factor_, exponent_;
};

// The 32 x 32 block of op(S) at (row, column), into tiles of its forms.
template <int Parts>
void pack_rows(const Bf16Source& source, const Reading& reading, int64_t row, int64_t column, Bf16* const (&rows)[2],
               Bf16* const (&columns)[2]) {
  const __mmask16 left = first(source.cols - column), right = first(source.cols - column - kSide);
  const float* upper = source.s + row * source.stride + column;
  const float* lower = upper + kSide * source.stride;
  for (int64_t i = 0; i < kSide; ++i, upper += source.stride, lower += source.stride) {
    const bool has_upper = row + i < source.rows, has_lower = row + kSide + i < source.rows;
    const __mmask16 none = 0;
    pack_pair<Parts>(
        {reading.read(upper, has_upper ? left : none), reading.read(upper + kSide, has_upper ? right : none),
         reading.read(lower, has_lower ? left : none), reading.read(lower + kSide, has_lower ? right : none)},
        i, rows, columns);
  }
}

// The same of S^T, by way of 16 x 16 quarters.
template <int Parts>
void pack_transposed(const Bf16Source& source, const Reading& reading, int64_t row, int64_t column,
                     Bf16* const (&rows)[2], Bf16* const (&columns)[2]) {
  alignas(64) float block[kBlock * kBlock];
  for (int64_t i = 0; i < kBlock; i += kSide) {
    const __mmask16 mask = first(source.rows - row - i);
    for (int64_t j = 0; j < kBlock; j += kSide) {
      const float* from = source.s + (column + j) * source.stride + row + i;
      Vec<float> quarter[kSide];
      for (int64_t r = 0; r < kSide; ++r, from += source.stride) {
        quarter[r] = reading.read(from, column + j + r < source.cols ? mask : __mmask16{0});
      }
      transpose<float>(quarter);
      for (int64_t r = 0; r < kSide; ++r) store(block + (i + r) * kBlock + j, quarter[r]);
    }
  }
  for (int64_t i = 0; i < kSide; ++i) {
    const float* const upper = block + i * kBlock;
    const float* const lower = upper + kSide * kBlock;
    pack_pair<Parts>({load(upper), load(upper + kSide), load(lower), load(lower + kSide)}, i, rows, columns);
  }
}

template <int Parts>
void pack(const Bf16Source& source, const Bf16Forms& forms) {
  const Reading reading(source);
  for (int64_t row = 0; row < source.rows; row += kBlock) {
    for (int64_t column = 0; column < source.cols; column += kBlock) {
      Bf16* rows[2] = {};
      Bf16* columns[2] = {};
      for (int half = 0; half < 2; ++half) {
        const int64_t behind = half * kSide;
        if (forms.left != nullptr) rows[half] = tile<Parts>(forms.left, source.cols, row + behind, column);
        if (forms.right != nullptr) columns[half] = tile<Parts>(forms.right, source.rows, column + behind, row);
      }
      if (source.transpose) {
        pack_transposed<Parts>(source, reading, row, column, rows, columns);
      } else {
        pack_rows<Parts>(source, reading, row, column, rows, columns);
      }
    }
  }
}

template <int Parts>
void multiply(const Bf16Product& product) {
  if (product.c != nullptr) {
    multiply<Store, Parts>(product);
  } else if (product.beta != 0) {
    multiply<Pack<Parts, true>, Parts>(product);
  } else {
    multiply<Pack<Parts, false>, Parts>(product);
  }
}

}  // namespace

void amx_pack(const Bf16Source& source, int parts, const Bf16Forms& forms) {
  if (parts == 1) return pack<1>(source, forms);
  parts == 2 ? pack<2>(source, forms) : pack<3>(source, forms);
}

void amx_multiply(const Bf16Product& product) {
  if (product.parts == 1) return multiply<1>(product);
  product.parts == 2 ? multiply<2>(product) : multiply<3>(product);
}

// Magnitudes in the order of integers, where infinity and NaN come last.
void amx_row_magnitudes(const Bf16Source& source, float* of_strips) {
  // A strip is 32 rows of S, or 32 of its columns.
  const int64_t step = source.transpose ? 1 : source.stride;
  for (int64_t row = 0; row < source.rows; row += kBlock, ++of_strips) {
    const int64_t left = smaller(kBlock, source.rows - row);
    const int64_t height = source.transpose ? source.cols : left, width = source.transpose ? left : source.cols;
    const int64_t whole = width / (2 * kSide) * (2 * kSide);
    const float* s = source.s + row * step;
    __m512i largest[2] = {};
    const auto take = [&](int which, Vec<float> v) {
      const auto magnitudes = reinterpret_cast<__m512i>(bits_of(v) & 0x7fffffffu);
      largest[which] = _mm512_maskz_max_epi32(0xffff, largest[which], magnitudes);
    };
    for (int64_t i = 0; i < height; ++i, s += source.stride) {
      for (int64_t j = 0; j < whole; j += 2 * kSide) {
        take(0, load(s + j));
        take(1, load(s + j + kSide));
      }
      if (whole < width) {
        take(0, _mm512_maskz_loadu_ps(first(width - whole), s + whole));
        take(1, _mm512_maskz_loadu_ps(first(width - whole - kSide), s + whole + kSide));
      }
    }
    const auto lanes = reinterpret_cast<Vec<int32_t>>(_mm512_maskz_max_epi32(0xffff, largest[0], largest[1]));
    int32_t most = 0;
    for (int i = 0; i < kSide; ++i) most = lanes[i] > most ? lanes[i] : most;
    *of_strips = __builtin_bit_cast(float, most);
  }
}

float amx_largest_magnitude(int64_t rows, int64_t cols, const Bf16* form) {
  const __m512i magnitude = _mm512_set1_epi16(0x7fff);
  Vec<Bf16> largest[2] = {};
  for (int64_t i = 0; i < bf16_form_size(rows, cols); i += 2 * kDepth) {
    for (int half = 0; half < 2; ++half) {
      const __m512i each = _mm512_and_si512(magnitude, _mm512_load_si512(form + i + half * kDepth));
      const auto number = reinterpret_cast<Vec<Bf16>>(each);
      largest[half] = number > largest[half] ? number : largest[half];
    }
  }
  uint32_t most = 0;
  for (int i = 0; i < kWidth<Bf16>; ++i) {
    for (int half = 0; half < 2; ++half) most = largest[half][i] > most ? largest[half][i] : most;
  }
  return __builtin_bit_cast(float, most << 16);
}

}  // namespace kronroot::cpu
