// How the eigenvector matrices of a lane group are kept: in panels of a few rows, eigenvector after eigenvector, so
// that a panel stays in the L1 cache while plane rotations, which mix neighbouring eigenvectors, pass over it.
#pragma once

#include "../../isa/lanes.inl"
#include "../../lanes.hpp"

namespace kronroot::cpu {
namespace {
namespace eigen_lanes {

// Rows to a panel, and sweeps whose rotations are applied together (rotations.inl): more rows hide the latency of the
// rotations, more sweeps save loads and stores, but cost idle rotations at their ragged ends.
template <int Rows, int Sweeps>
struct LaneShape {
  static constexpr int kRows = Rows;
  static constexpr int kSweeps = Sweeps;
  // Eigenvectors before and after those of a panel, which the ragged ends pass through unchanged.
  static constexpr int64_t kMargin = Sweeps - 1;
};

// Calls body(LaneShape) with the shape for order n.
template <typename F>
inline void with_lane_shape(int64_t n, const F& body) {
  if constexpr (kVectorBytes == 64) {
    if (n <= 12) return body(LaneShape<8, 1>());
    return body(LaneShape<4, 4>());
  } else {
    if (n <= 12) return body(LaneShape<4, 1>());
    return body(LaneShape<4, 2>());
  }
}

template <typename Shape, typename T>
struct LanePanels {
  static constexpr int kRows = Shape::kRows;

  T* data;
  int64_t order;

  int64_t count() const { return (order + kRows - 1) / kRows; }
  static constexpr int64_t vectors(int64_t order) {
    return (order + kRows - 1) / kRows * (order + 2 * Shape::kMargin) * kRows;
  }
  // The kRows components of eigenvector j in panel p.
  T* column(int64_t p, int64_t j) const {
    return data + ((p * (order + 2 * Shape::kMargin) + j + Shape::kMargin) * kRows) * kWidth<T>;
  }
  // Component i of eigenvector j.
  T* at(int64_t i, int64_t j) const { return column(i / kRows, j) + i % kRows * kWidth<T>; }
};

}  // namespace eigen_lanes
}  // namespace
}  // namespace kronroot::cpu
