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
    T* const matrix = group.data + to;
    LanePlace<const T> place(lanes, stride, group.cols, row, col);
    with_tile<T>(group.count, count, [&](auto matrices, auto elements) {
      Vec<T> tile[kWidth<T>] = {};
      for (int e = 0; e < elements; ++e, place.next()) tile[e] = load(place.get()) * factor;
      transpose<T>(tile);
      for (int l = 0; l < matrices; ++l) {
        if (!wanted[l]) continue;
        T* const piece = matrix + l * group.matrix_stride;
        if (elements == kWidth<T>) {
          store(piece, tile[l]);
        } else {
          store_first(piece, tile[l], elements);
        }
      }
    });
  });
}

}  // namespace
}  // namespace kronroot::cpu
