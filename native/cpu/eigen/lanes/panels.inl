// How the eigenvector matrices of a lane group are kept: in panels of a few rows, eigenvector after eigenvector, so
// that a panel stays in the L1 cache while plane rotations, which mix neighbouring eigenvectors, pass over it.
#pragma once

#include "../../isa/lanes.inl"
#include "../../lanes.hpp"

namespace kronroot::cpu {
namespace {
namespace eigen_lanes {

// Rows to a panel.
constexpr int kRows = 4;

// Sweeps whose rotations are applied together (rotations.inl).
constexpr int kSweeps = kVectorBytes == 64 ? 4 : 2;

// Eigenvectors before and after those of a panel, which the ragged ends of a wave pass through unchanged.
constexpr int64_t kMargin = kSweeps - 1;

template <typename T>
struct LanePanels {
  T* data;
  int64_t order;

  int64_t count() const { return (order + kRows - 1) / kRows; }
  static constexpr int64_t vectors(int64_t order) {
    return (order + kRows - 1) / kRows * (order + 2 * kMargin) * kRows;
  }
  // The kRows components of eigenvector j in panel p.
  T* column(int64_t p, int64_t j) const {
    return data + ((p * (order + 2 * kMargin) + j + kMargin) * kRows) * kWidth<T>;
  }
  // Component i of eigenvector j.
  T* at(int64_t i, int64_t j) const { return column(i / kRows, j) + i % kRows * kWidth<T>; }
};

}  // namespace eigen_lanes
}  // namespace
}  // namespace kronroot::cpu
