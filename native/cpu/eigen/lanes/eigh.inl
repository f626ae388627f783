// Symmetric eigendecomposition of a lane group, whole: reading, A = Q T Q^T (tridiagonal.inl), T = G diag(d) G^T
// (ql.inl), V = Q G (reflectors.inl, rotations.inl), order, signs, residual, writing.
#pragma once

#include "../../kernels.hpp"
#include "../../lanes/read.inl"
#include "../../lanes/write.inl"
#include "../lanes.hpp"
#include "order.inl"
#include "probe.inl"
#include "ql.inl"
#include "reflectors.inl"
#include "tridiagonal.inl"

namespace kronroot::cpu {
namespace {
namespace eigen_lanes {

// Rows that lie a multiple of 4 KiB apart share the sets of the L1 cache.
template <typename T>
constexpr int64_t lane_stride(int64_t n) {
  return n * kVectorBytes % 4096 == 0 ? n + 1 : n;
}

// Where a group's arrays lie, in vectors.
template <typename T>
struct EighLanesSpace {
  T* a;
  T* d;
  T* e;
  T* tau;
  T* rows;     // workspace of tridiagonalise, then of form_q
  T* ranks;    // rank, then order
  T* ordered;  // eigenvalues
  T* panels = nullptr;
  T* table = nullptr;
  double* probe;
  int64_t size = 0;  // elements of T

  static constexpr int kMostRows = 8;  // of a lane shape

  EighLanesSpace(int64_t n, bool vectors, T* base) {
    const auto take = [&](int64_t count) {
      T* piece = base == nullptr ? nullptr : base + size;
      size += count;
      return piece;
    };
    constexpr int W = kWidth<T>;
    a = take(n * lane_stride<T>(n) * W);
    d = take(n * W);
    take(W);  // e[-1]
    e = take(n * W);
    tau = take(n * W);
    rows = take(kMostRows * n * W);
    ranks = take(2 * n * W);
    ordered = take(n * W);
    if (vectors) {
      with_lane_shape(n, [&](auto shape) {
        panels = take(LanePanels<decltype(shape), T>::vectors(n) * W);
        table = take(LaneRotations<decltype(shape), T>::table_size(n));
      });
    }
    probe = vectors ? reinterpret_cast<double*>(take(LaneProbe<T>::size(n) * kParts<T>)) : nullptr;
  }
};

template <typename T>
int64_t eigh_lanes_workspace(int64_t n, bool vectors) {
  return EighLanesSpace<T>(n, vectors, nullptr).size;
}

// Of QL without eigenvectors.
struct NoRotations {
  void open(int64_t) {}
  template <typename V>
  void record(int64_t, V, V) {}
};

// values[q] = d at place q times 2^exponent; gives the lanes in which one is not finite.
template <typename T>
Mask<T> order_values(int64_t n, const T* d, const IntVec<T>* from, const LaneInput& input, T* values) {
  constexpr typename Bits<T>::type W = kWidth<T>;
  const IntVec<T> lane = lane_numbers<T>(std::make_integer_sequence<int, kWidth<T>>{});
  IntVec<T> exponent{};
  for (int l = 0; l < kWidth<T>; ++l) exponent[l] = static_cast<typename Bits<T>::type>(input.exponent[l]);
  const IntVec<T> half = exponent >> 1;  // 2^exponent alone may not be representable
  const Vec<T> first = power_of_two<T>(half), second = power_of_two<T>(exponent - half);
  Mask<T> overflown{};
  for (int64_t q = 0; q < n; ++q) {
    const Vec<T> value = gather(d, from[q] * W + lane) * first * second + Vec<T>{};  // never -0
    overflown |= ~(value - value == Vec<T>{});
    store(values + q * W, value);
  }
  return overflown;
}

// max|d| / min|d| of every lane.
template <typename T>
void conditions_of(int64_t n, const T* d, double* out) {
  Vec<T> largest{}, smallest = absolute<T>(load(d));
  for (int64_t j = 0; j < n; ++j) {
    const Vec<T> size = absolute<T>(load(d + j * kWidth<T>));
    largest = maximum<T>(size, largest);
    smallest = minimum<T>(size, smallest);
  }
  for (int l = 0; l < kWidth<T>; ++l) out[l] = static_cast<double>(largest[l]) / static_cast<double>(smallest[l]);
}

// Order, values, condition and which lanes are answered; gives the order (sort_lanes).
template <typename T>
const IntVec<T>* finish_values(int64_t n, const EighLanesSpace<T>& space, EighLanes<T>& op) {
  auto* rank = reinterpret_cast<IntVec<T>*>(space.ranks);
  IntVec<T>* from = rank + n;
  sort_lanes(n, space.d, rank, from);
  const Mask<T> overflown = order_values(n, space.d, from, op.input, space.ordered);
  conditions_of(n, space.d, op.condition);
  for (int l = 0; l < kWidth<T>; ++l) {
    op.answered[l] = op.input.status[l] == KR_STATUS_OK && op.sweeps[l] >= 0 && overflown[l] == 0;
  }
  write_lanes<T>(space.ordered, 1, op.values, op.answered);
  return from;
}

// As Kernels<T>::eigh_lanes.
template <typename T>
void eigh_lanes(EighLanes<T>& op, T* workspace) {
  const int64_t n = op.a.rows;
  const bool vectors = op.vectors.data != nullptr;
  const EighLanesSpace<T> space(n, vectors, workspace);
  const int64_t stride = lane_stride<T>(n);
  read_symmetric_lanes(op.a, stride, space.a, op.input);
  LaneProbe<T> probe(vectors ? n : 0, space.a, stride, op.signs, space.probe);
  tridiagonalise(n, space.a, stride, space.d, space.e, space.tau, space.rows);
  if (!vectors) {
    NoRotations none;
    ql_lanes(n, space.d, space.e, none, op.sweeps);
    finish_values(n, space, op);
    return;
  }
  with_lane_shape(n, [&](auto shape) {
    using Shape = decltype(shape);
    const LanePanels<Shape, T> panels{space.panels, n};
    form_q<Shape>(n, space.a, stride, space.tau, panels, space.rows);
    LaneRotations<Shape, T> rotations(panels, space.table);
    ql_lanes(n, space.d, space.e, rotations, op.sweeps);
    rotations.apply();
    const IntVec<T>* from = finish_values(n, space, op);
    probe.residuals(space.d, panels, op.residual);
    signs_of(panels, space.rows);
    order_vectors(panels, space.rows, from, space.a, stride);
    write_lanes<T>(space.a, stride, op.vectors, op.answered);
  });
}

}  // namespace eigen_lanes
}  // namespace
}  // namespace kronroot::cpu
