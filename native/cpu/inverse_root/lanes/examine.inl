// Reads a group for inverse_root and finds what decides about each of its matrices.
#pragma once

#include "../../lanes/read.inl"
#include "../lanes.hpp"
#include "extreme_eigenvalues.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

template <typename T>
inline double ulp_in_lanes() {
  return sizeof(T) == 4 ? 0x1p-23 : 0x1p-52;
}

// A = Q T Q^T of a group, as the examination leaves it at the head of the workspace for the root that is made of it.
template <typename T, int64_t Order>
struct LaneForm {
  LaneReflectors<T, Order> reflectors;
  Vec<double>* diagonals;  // of T, for each half of the lanes
  Vec<double>* couplings;
  T* rest;  // of the workspace

  LaneForm(const LaneSquare<Order>& shape, T* workspace) : reflectors{shape, workspace, nullptr} {
    const int64_t n = shape.n;
    auto* next = reinterpret_cast<Vec<T>*>(workspace + matrix_elements<T>(n));
    reflectors.scales = next;
    diagonals = reinterpret_cast<Vec<double>*>(next + n);
    couplings = diagonals + kHalves<T> * n;
    rest = reinterpret_cast<T*>(couplings + kHalves<T> * n);
  }
};

template <typename T>
int64_t form_elements(int64_t n) {
  return matrix_elements<T>(n) + (1 + 2 * kHalves<T>)*n * kWidth<T>;
}

// A half of the lanes: a square matrix and four vectors in f64; and a vector of every half.
template <typename T>
int64_t examination_elements(int64_t n) {
  return matrix_elements<T>(n) + (4 + kHalves<T>)*n * kWidth<T>;
}

// T of half number `half` of S, its trace and whether it is diagonal.
template <typename T, int64_t Order>
LaneTridiagonal<Order> tridiagonalize_half(const LaneForm<T, Order>& form, const T* s, int half, LaneSpectra& found) {
  const LaneSquare<Order>& shape = form.reflectors.shape;
  const int64_t n = shape.n;
  const int first = half * kWidth<double>;
  auto* const a = reinterpret_cast<double*>(form.rest);
  auto* const memory = reinterpret_cast<Vec<double>*>(a + matrix_elements<double>(n));
  const LaneTridiagonal<Order> t = {shape, form.diagonals + half * n, form.couplings + half * n,
                                    memory + (4 + half) * n};
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
  tridiagonalize_lanes(a, memory, t, form.reflectors, first);
  store(found.trace + first, trace);
  store_as<double>(found.is_diagonal + first, off_diagonal == Vec<double>{});
  return t;
}

// What the ends of the spectrum say.
template <typename T, int64_t Order>
void judge_half(const LaneTridiagonal<Order>& t, const LaneEnds& ends, int half, LaneSpectra& found) {
  const int64_t n = t.shape.n;
  const int first = half * kWidth<double>;
  const Vec<double> null = maximum<double>(ends.largest, Vec<double>{}) * (static_cast<double>(n) * ulp_in_lanes<T>());
  IntVec<double> rank = IntVec<double>{} + n;
  if (any<double>(ends.smallest <= null)) rank = count_above_lanes(t, null);
  store(found.lambda_min + first, ends.smallest);
  store(found.lambda_max + first, ends.largest);
  store_as<double>(found.is_found + first, ends.converged);
  store_as<double>(found.rank + first, rank);
}

// s: one square matrix, S; the workspace begins with the LaneForm of S afterwards.
template <typename T>
void examine_root_lanes(const LaneGroup<const T>& a, T* s, T* workspace, LaneSpectra& found) {
  read_symmetric_lanes(a, row_stride(a.rows), s, found.input);
  with_lane_square(a.rows, [&](auto shape) {
    const LaneForm form(shape, workspace);
    LaneTridiagonal<decltype(shape)::kOrder> t[kHalves<T>];
    LaneEnds ends[kHalves<T>];
    for (int half = 0; half < kHalves<T>; ++half) t[half] = tridiagonalize_half(form, s, half, found);
    extreme_eigenvalues<T>(t, sizeof(T) == 4 ? 1e-8 : 1e-13, ends);
    for (int half = 0; half < kHalves<T>; ++half) judge_half<T>(t[half], ends[half], half, found);
  });
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
