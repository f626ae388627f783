// Groups of matrices to and from lanes without gaps between rows: element (i, j) of matrix l is
// lanes[(i * cols + j) * kWidth<T> + l].
#pragma once

#include "tiles.inl"

namespace kronroot::cpu {
namespace {

// Empty lanes become zero.
template <typename T>
void read_dense_lanes(const LaneGroup<const T>& group, T* lanes) {
  constexpr int W = kWidth<T>;
  const auto read_tile = [&](int64_t from, int count, int64_t, int64_t) {
    const T* matrix = group.data + from;
    Vec<T> tile[W];
    if (group.count == W && count == W) {
#pragma GCC unroll 16
      for (int l = 0; l < W; ++l, matrix += group.matrix_stride) tile[l] = load(matrix);
    } else {
      for (int l = 0; l < W; ++l, matrix += group.matrix_stride) {
        tile[l] = l < group.count ? load_first(matrix, count) : Vec<T>{};
      }
    }
    transpose<T>(tile);
#pragma GCC unroll 16
    for (int e = 0; e < W; ++e) {
      if (e < count) store(lanes + e * W, tile[e]);
    }
    lanes += count * W;
  };
  for_each_tile<T>(group.rows, group.cols, group.row_stride, read_tile);
}

template <typename T>
void write_dense_lanes(const T* lanes, const LaneGroup<T>& group) {
  constexpr int W = kWidth<T>;
  const auto write_tile = [&](int64_t to, int count, int64_t, int64_t) {
    T* matrix = group.data + to;
    Vec<T> tile[W];
#pragma GCC unroll 16
    for (int e = 0; e < W; ++e) tile[e] = e < count ? load(lanes + e * W) : Vec<T>{};
    transpose<T>(tile);
    if (group.count == W && count == W) {
#pragma GCC unroll 16
      for (int l = 0; l < W; ++l, matrix += group.matrix_stride) store(matrix, tile[l]);
    } else {
      for (int l = 0; l < group.count; ++l, matrix += group.matrix_stride) store_first(matrix, tile[l], count);
    }
    lanes += count * W;
  };
  for_each_tile<T>(group.rows, group.cols, group.row_stride, write_tile);
}

}  // namespace
}  // namespace kronroot::cpu
