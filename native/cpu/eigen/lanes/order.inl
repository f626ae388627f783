// Eigenvalues and eigenvectors of every lane in ascending order, signs fixed.
#pragma once

#include "panels.inl"

namespace kronroot::cpu {
namespace {
namespace eigen_lanes {

// from[q]: which eigenvalue comes at place q, equal ones in their own order. Ranks are counted. rank: n vectors.
template <typename T>
void sort_lanes(int64_t n, const T* d, IntVec<T>* rank, IntVec<T>* from) {
  for (int64_t j = 0; j < n; ++j) rank[j] = IntVec<T>{};
  for (int64_t j = 1; j < n; ++j) {
    const Vec<T> dj = load(d + j * kWidth<T>);
    IntVec<T> below{};
    for (int64_t i = 0; i < j; ++i) {
      const Mask<T> before = dj < load(d + i * kWidth<T>);
      rank[i] -= before;  // a set lane is -1
      below -= ~before;
    }
    rank[j] += below;
  }
  for (int64_t j = 0; j < n; ++j) {
    for (int l = 0; l < kWidth<T>; ++l) {
      reinterpret_cast<typename Bits<T>::type*>(from + rank[j][l])[l] = static_cast<typename Bits<T>::type>(j);
    }
  }
}

// +1 or -1 for every eigenvector: its component of largest magnitude, the first of equals, becomes positive.
template <typename Shape, typename T>
void signs_of(const LanePanels<Shape, T>& panels, T* signs) {
  for (int64_t j = 0; j < panels.order; ++j) {
    Vec<T> largest{};
    for (int64_t i = 0; i < panels.order; ++i) {
      const Vec<T> each = load(panels.at(i, j));
      largest = select<T>(absolute<T>(each) > absolute<T>(largest), each, largest);
    }
    store(signs + j * kWidth<T>, copy_sign<T>(broadcast(T{1}), largest));
  }
}

// out[(i * stride + q) * width]: component i of the eigenvector at place q. Zeros become positive: the identity, which
// a lane rotates by while others turn, makes +0 of -0.
template <typename Shape, typename T>
void order_vectors(const LanePanels<Shape, T>& panels, const T* signs, const IntVec<T>* from, T* out, int64_t stride) {
  constexpr typename Bits<T>::type W = kWidth<T>;
  const IntVec<T> lane = lane_numbers<T>(std::make_integer_sequence<int, kWidth<T>>{});
  for (int64_t q = 0; q < panels.order; ++q) {
    const Vec<T> sign = gather(signs, from[q] * W + lane);
    const IntVec<T> column = from[q] * (Shape::kRows * W) + lane;
    for (int64_t i = 0; i < panels.order; ++i) {
      store(out + (i * stride + q) * W, sign * gather(panels.at(i, 0), column) + Vec<T>{});
    }
  }
}

}  // namespace eigen_lanes
}  // namespace
}  // namespace kronroot::cpu
