// Writes lanes back into row-major matrices.
#pragma once

#include "tiles.inl"

namespace kronroot::cpu {
namespace {

// Matrix l of the group gets lane l times that of `factor`, element (i, j) from lanes[(i * stride + j) * kWidth<T> +
// l]; matrices whose wanted[l] is false are left as they are.
template <typename T>
void write_lanes(const T* lanes, int64_t stride, const LaneGroup<T>& group, const bool* wanted,
                 Vec<T> factor = broadcast(T{1})) {
  for_each_tile<T>(group.rows, group.cols, group.row_stride, [&](int64_t to, int count, int64_t row, int64_t col) {
    Vec<T> tile[kWidth<T>] = {};
    LanePlace<const T> place(lanes, stride, group.cols, row, col);
    for (int e = 0; e < count; ++e, place.next()) tile[e] = load(place.get()) * factor;
    transpose<T>(tile);
    T* matrix = group.data + to;
    for (int l = 0; l < group.count; ++l, matrix += group.matrix_stride) {
      if (!wanted[l]) continue;
      if (count == kWidth<T>) {
        store(matrix, tile[l]);
      } else {
        store_first(matrix, tile[l], count);
      }
    }
  });
}

}  // namespace
}  // namespace kronroot::cpu
