// Writes a triangle in lanes to row-major matrices: as it is with zeros above the diagonal, or mirrored.
#pragma once

#include "read.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

enum class Above { zero, mirrored };

// Element (row, column) of the whole matrix.
template <Above Upper, typename T>
inline Vec<T> element_at(const T* triangle, int64_t row, int64_t column) {
  if (column <= row) return load(row_of(triangle, row) + column * kWidth<T>);
  return Upper == Above::zero ? Vec<T>{} : load(row_of(triangle, column) + row * kWidth<T>);
}

// kWidth<T> elements of a row of the whole matrix from `column` on.
template <Above Upper, typename T>
inline void gather_tile(const T* triangle, int64_t row, int64_t column, Vec<T> (&tile)[kWidth<T>]) {
  if (column + kWidth<T> <= row + 1) {
    const T* from = row_of(triangle, row) + column * kWidth<T>;
#pragma GCC unroll 16
    for (int e = 0; e < kWidth<T>; ++e) tile[e] = load(from + e * kWidth<T>);
  } else if (column > row) {
    const T* from = row_of(triangle, column) + row * kWidth<T>;
#pragma GCC unroll 16
    for (int e = 0; e < kWidth<T>; from += (column + ++e) * kWidth<T>) {
      tile[e] = Upper == Above::zero ? Vec<T>{} : load(from);
    }
  } else {
#pragma GCC unroll 16
    for (int e = 0; e < kWidth<T>; ++e) tile[e] = element_at<Upper>(triangle, row, column + e);
  }
}

// Transposes the tile and gives each wanted matrix its `count` elements from element `to` on.
template <typename T>
inline void store_tile(Vec<T> (&tile)[kWidth<T>], const LaneGroup<T>& group, int64_t to, int count,
                       const bool* wanted) {
  T* matrix = group.data + to;
  const int64_t matrix_stride = group.matrix_stride;
  transpose<T>(tile);
  if (wanted == nullptr && count == kWidth<T>) {
#pragma GCC unroll 16
    for (int l = 0; l < kWidth<T>; ++l, matrix += matrix_stride) store(matrix, tile[l]);
  } else {
#pragma GCC unroll 16
    for (int l = 0; l < kWidth<T>; ++l, matrix += matrix_stride) {
      if (l < group.count && (wanted == nullptr || wanted[l])) store_first(matrix, tile[l], count);
    }
  }
}

// Matrices whose wanted[l] is false are left as they are.
template <Above Upper, typename T>
void write_triangle_lanes(const T* triangle, const LaneGroup<T>& group, const bool* wanted) {
  const int64_t n = group.rows;
  bool all_wanted = group.count == kWidth<T>;
  for (int l = 0; l < group.count; ++l) all_wanted &= wanted[l];
  if (all_wanted) wanted = nullptr;
  Vec<T> tile[kWidth<T>] = {};
  if (reads_as_one_row<T>(n, group.row_stride)) {
    int64_t row = 0, column = 0;
    for (int64_t to = 0; to < n * n; to += kWidth<T>) {
      const int count = static_cast<int>(n * n - to < kWidth<T> ? n * n - to : kWidth<T>);
      for (int e = 0; e < count; ++e) {
        tile[e] = element_at<Upper>(triangle, row, column);
        if (++column == n) ++row, column = 0;
      }
      store_tile(tile, group, to, count, wanted);
    }
    return;
  }
  for (int64_t row = 0; row < n; ++row) {
    int64_t column = 0;
    for (; column + kWidth<T> <= n; column += kWidth<T>) {
      gather_tile<Upper>(triangle, row, column, tile);
      store_tile(tile, group, row * group.row_stride + column, kWidth<T>, wanted);
    }
    if (column == n) continue;
    const int count = static_cast<int>(n - column);
    for (int e = 0; e < count; ++e) tile[e] = element_at<Upper>(triangle, row, column + e);
    store_tile(tile, group, row * group.row_stride + column, count, wanted);
  }
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
