// Square matrices in lanes, both triangles, row by row.
#pragma once

#include "../../isa/lanes.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// Element (i, j) of a square matrix in lanes of T is one vector at data[(i * stride + j) * kWidth<T>].
struct LaneSquare {
  int64_t n, stride;
};

template <typename T>
inline int64_t place_of(const LaneSquare& shape, int64_t i, int64_t j) {
  return (i * shape.stride + j) * kWidth<T>;
}

// Between rows a gap, so that a column does not fall into few cache sets.
inline LaneSquare lane_square(int64_t n) { return {n, n % 8 == 0 ? n + 2 : n}; }

template <typename T>
inline int64_t elements_of(const LaneSquare& shape) {
  return shape.n * shape.stride * kWidth<T>;
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
