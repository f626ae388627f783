// Reads a group of matrices into lanes: element (i, j) of matrix l becomes out[(i * stride + j) * kWidth<T> + l].
#pragma once

#include "tiles.inl"

namespace kronroot::cpu {
namespace {

// Copies the group; empty lanes become zero. Returns the largest magnitude of each lane as bits (lanes.inl).
template <typename T>
IntVec<T> read_lanes(const LaneGroup<const T>& group, int64_t stride, T* out) {
  IntVec<T> largest{};
  for_each_tile<T>(group.rows, group.cols, group.row_stride, [&](int64_t from, int count, int64_t row, int64_t col) {
    const T* const matrix = group.data + from;
    LanePlace<T> place(out, stride, group.cols, row, col);
    with_tile<T>(group.count, count, [&](auto lanes, auto elements) {
      Vec<T> tile[kWidth<T>] = {};
      for (int l = 0; l < lanes; ++l) {
        const T* const piece = matrix + l * group.matrix_stride;
        tile[l] = elements == kWidth<T> ? load(piece) : load_first(piece, elements);
      }
      transpose<T>(tile);
      for (int e = 0; e < elements; ++e, place.next()) {
        const IntVec<T> size = magnitude_bits<T>(tile[e]);
        largest = size > largest ? size : largest;
        store(place.get(), tile[e]);
      }
    });
  });
  return largest;
}

// The exponent that brings a magnitude into [1/2, 1), as frexp's; `bits` belong to a finite number.
template <typename T>
inline IntVec<T> binary_exponent(IntVec<T> bits) {
  using Word = typename Bits<T>::type;
  constexpr Word kFirstNormal = Word{1} << Bits<T>::kMantissa;
  // Denormal numbers are scaled into the normal range first.
  const Mask<T> denormal = bits < (IntVec<T>{} + kFirstNormal);
  const Vec<T> lifted = from_bits<T>(bits) * power_of_two<T>(IntVec<T>{} + Word{Bits<T>::kMantissa + 1});
  const IntVec<T> normal = denormal ? bits_of<T>(lifted) : bits;
  const IntVec<T> exponent = (normal >> Bits<T>::kMantissa) - (Bits<T>::kBias - 1);
  const IntVec<T> lowered = exponent - (Bits<T>::kMantissa + 1);
  return bits == IntVec<T>{} ? IntVec<T>{} : (denormal ? lowered : exponent);
}

// What was done to each lane on reading: it holds A times 2^-exponent, whose largest magnitude is in [1/2, 1) (or 0); a
// matrix with a non-finite element becomes zero, so that it can neither poison nor hold up the other lanes.
template <typename T>
struct LaneScale {
  IntVec<T> exponent;
  Mask<T> is_finite;
};

template <typename T>
LaneScale<T> read_scaled_lanes(const LaneGroup<const T>& group, int64_t stride, T* out) {
  using Word = typename Bits<T>::type;
  constexpr Word kInfinity = (Word{2} * Bits<T>::kBias + 1) << Bits<T>::kMantissa;
  const IntVec<T> bits = read_lanes(group, stride, out);
  LaneScale<T> scale;
  scale.is_finite = bits < (IntVec<T>{} + kInfinity);
  scale.exponent = binary_exponent<T>(bits & scale.is_finite);
  // 2^-exponent itself may not be representable.
  const IntVec<T> half = scale.exponent >> 1;
  const Vec<T> first = power_of_two<T>(-half), second = power_of_two<T>(half - scale.exponent);
  for (int64_t i = 0; i < group.rows; ++i) {
    for (int64_t j = 0; j < group.cols; ++j) {
      T* place = out + (i * stride + j) * kWidth<T>;
      store(place, from_bits<T>(bits_of<T>(load(place)) & scale.is_finite) * first * second);
    }
  }
  return scale;
}

// Reads n x n matrices as read_symmetric (symmetric_input.hpp) does, lane by lane: both triangles of (A + A^T) / 2,
// scaled by 2^-exponent. A matrix with a non-finite element becomes zero, so that it can neither poison nor hold up
// the other lanes.
template <typename T>
void read_symmetric_lanes(const LaneGroup<const T>& group, int64_t stride, T* out, LaneInput& input) {
  using Word = typename Bits<T>::type;
  constexpr Word kInfinity = (Word{2} * Bits<T>::kBias + 1) << Bits<T>::kMantissa;
  constexpr T kAsymmetry = sizeof(T) == 4 ? T(0x1.6a09e6p-12) : T(0x1p-26);  // sqrt(ulp)
  const int64_t n = group.rows;
  const IntVec<T> bits = read_lanes(group, stride, out);
  const Mask<T> finite = bits < (IntVec<T>{} + kInfinity);
  const IntVec<T> exponent = binary_exponent<T>(bits & finite);
  // 2^-exponent itself may not be representable.
  const IntVec<T> half = exponent >> 1;
  const Vec<T> first = power_of_two<T>(-half), second = power_of_two<T>(half - exponent);
  Vec<T> asymmetry{}, largest{};
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      T* below = out + (i * stride + j) * kWidth<T>;
      T* above = out + (j * stride + i) * kWidth<T>;
      const Vec<T> a = from_bits<T>(bits_of<T>(load(below)) & finite) * first * second;
      const Vec<T> b = from_bits<T>(bits_of<T>(load(above)) & finite) * first * second;
      const Vec<T> difference = (b - a) * T(0.5), mean = a + difference;
      asymmetry = maximum<T>(absolute<T>(difference), asymmetry);
      largest = maximum<T>(absolute<T>(mean), largest);
      store(below, mean);
      store(above, mean);
    }
  }
  const Vec<T> size = from_bits<T>(bits & finite) * first * second;
  const Mask<T> symmetric = asymmetry <= size * (kAsymmetry / 2);
  const IntVec<T> answerable =
      symmetric ? IntVec<T>{} + Word{KR_STATUS_OK} : IntVec<T>{} + Word{KR_STATUS_NOT_SYMMETRIC};
  const IntVec<T> status = finite ? answerable : IntVec<T>{} + Word{KR_STATUS_NON_FINITE_INPUT};
  store_as<T>(reinterpret_cast<int32_t*>(input.status), status);
  store_as<T>(input.exponent, exponent);
  store_as<T>(input.largest, largest);
}

}  // namespace
}  // namespace kronroot::cpu
