// Reads a group for inverse_root and finds what decides about each of its matrices.
#pragma once

#include "../../gemm/vector_operations.inl"
#include "../../lanes/read.inl"
#include "../lanes.hpp"
#include "extreme_eigenvalues.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// Lanes of T are taken kWidth<double> at a time where the arithmetic is f64.
template <typename T>
constexpr int kHalves = int{sizeof(double) / sizeof(T)};

// Elements of T in a matrix of the workspaces below.
template <typename T>
inline int64_t matrix_elements(int64_t n) {
  return elements_of<T>(lane_square(n));
}

template <typename T>
inline double ulp_in_lanes() {
  return sizeof(T) == 4 ? 0x1p-23 : 0x1p-52;
}

// Lanes first .. first + kWidth<double> of S.
template <typename T>
void examine_half(const LaneSquare& shape, const T* s, int first, double* memory, LaneSpectra& found) {
  const int64_t n = shape.n;
  double* const a = memory;
  auto* const v = reinterpret_cast<Vec<double>*>(a + elements_of<double>(shape));
  const LaneTridiagonal t = {n, v + 2 * n, v + 3 * n};
  Vec<double> trace{}, off_diagonal{};
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      const Vec<double> element = load_as_double(s + place_of<T>(shape, i, j) + first);
      store(a + place_of<double>(shape, i, j), element);
      if (i == j) {
        trace += element;
      } else {
        off_diagonal = maximum<double>(absolute<double>(element), off_diagonal);
      }
    }
  }
  tridiagonalize_lanes(shape, a, v, v + n, t);
  const LaneEnds ends = extreme_eigenvalues(t, sizeof(T) == 4 ? 1e-8 : 1e-13);
  const Vec<double> null = maximum<double>(ends.largest, Vec<double>{}) * (static_cast<double>(n) * ulp_in_lanes<T>());
  IntVec<double> rank = IntVec<double>{} + n;
  if (any<double>(ends.smallest <= null)) rank = count_above_lanes(t, null);
  for (int l = 0; l < kWidth<double>; ++l) {
    found.trace[first + l] = trace[l];
    found.is_diagonal[first + l] = off_diagonal[l] == 0;
    found.lambda_min[first + l] = ends.smallest[l];
    found.lambda_max[first + l] = ends.largest[l];
    found.is_found[first + l] = ends.converged[l] != 0;
    found.rank[first + l] = static_cast<int32_t>(rank[l]);
  }
}

// s: one matrix; workspace: as minimax_root_lanes has.
template <typename T>
void examine_root_lanes(const LaneGroup<const T>& a, T* s, T* workspace, LaneSpectra& found) {
  const LaneSquare shape = lane_square(a.rows);
  read_symmetric_lanes(a, shape.stride, s, found.input);
  for (int half = 0; half < kHalves<T>; ++half) {
    examine_half(shape, s, half * kWidth<double>, reinterpret_cast<double*>(workspace), found);
  }
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
