// Reads the lower triangles of a group of matrices into lanes. Nothing above the diagonals is looked at.
#pragma once

#include "../../lanes/read.inl"
#include "triangle.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// `count` elements of each matrix of the group from element `from` on, one vector an element.
template <typename T>
inline void load_tile(const LaneGroup<const T>& group, int64_t from, int count, Vec<T> (&tile)[kWidth<T>]) {
  const T* matrix = group.data + from;
  const int64_t matrix_stride = group.matrix_stride;
  if (group.count == kWidth<T> && count == kWidth<T>) {
#pragma GCC unroll 16
    for (int l = 0; l < kWidth<T>; ++l, matrix += matrix_stride) tile[l] = load(matrix);
  } else {
#pragma GCC unroll 16
    for (int l = 0; l < kWidth<T>; ++l, matrix += matrix_stride) {
      tile[l] = l < group.count ? load_first(matrix, count) : Vec<T>{};
    }
  }
  transpose<T>(tile);
}

// Matrices without gaps between rows that are shorter than a vector: one long row fills its tiles.
template <typename T>
inline bool reads_as_one_row(int64_t n, int64_t row_stride) {
  return row_stride == n && n < kWidth<T>;
}

// Returns the largest magnitude of each lane as bits (lanes.inl). Empty lanes become zero.
template <typename T>
IntVec<T> read_lower_lanes(const LaneGroup<const T>& group, T* triangle) {
  const int64_t n = group.rows;
  IntVec<T> largest{};
  const auto keep = [&](int64_t place, Vec<T> element) {
    const IntVec<T> size = magnitude_bits<T>(element);
    largest = size > largest ? size : largest;
    store(triangle + place * kWidth<T>, element);
  };
  Vec<T> tile[kWidth<T>];
  if (reads_as_one_row<T>(n, group.row_stride)) {
    int64_t row = 0, column = 0, place = 0;
    for (int64_t from = 0; from < n * n; from += kWidth<T>) {
      const int count = static_cast<int>(n * n - from < kWidth<T> ? n * n - from : kWidth<T>);
      load_tile(group, from, count, tile);
      for (int e = 0; e < count; ++e) {
        if (column <= row) keep(place++, tile[e]);
        if (++column == n) ++row, column = 0;
      }
    }
    return largest;
  }
  int64_t place = 0;
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t column = 0; column <= row; column += kWidth<T>) {
      const int count = static_cast<int>(row + 1 - column < kWidth<T> ? row + 1 - column : kWidth<T>);
      load_tile(group, row * group.row_stride + column, count, tile);
      if (count == kWidth<T>) {
#pragma GCC unroll 16
        for (int e = 0; e < kWidth<T>; ++e) keep(place++, tile[e]);
      } else {
        for (int e = 0; e < count; ++e) keep(place++, tile[e]);
      }
    }
  }
  return largest;
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
