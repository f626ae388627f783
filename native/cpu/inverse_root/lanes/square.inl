// Square matrices in lanes, both triangles, row by row.
#pragma once

#include "../../isa/lanes.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// Between rows a gap, so that a column does not fall into few cache sets.
constexpr int64_t row_stride(int64_t n) { return n % 8 == 0 ? n + 2 : n; }

constexpr int64_t kAnyOrder = 0;

// Element (i, j) of a square matrix in lanes of T is one vector at data[(i * stride + j) * kWidth<T>]. The commonest
// small orders are known to the compiler, which unrolls their loops: these are so short that their ends cost as much
// as what they do.
template <int64_t Order = kAnyOrder>
struct LaneSquare {
  static constexpr int64_t kOrder = Order, n = Order, stride = row_stride(Order);
};
template <>
struct LaneSquare<kAnyOrder> {
  static constexpr int64_t kOrder = kAnyOrder;
  int64_t n, stride;
};

// Calls body(LaneSquare) with the shape for order n.
template <typename F>
inline void with_lane_square(int64_t n, const F& body) {
  if (n == 4) return body(LaneSquare<4>{});
  if (n == 8) return body(LaneSquare<8>{});
  body(LaneSquare<>{n, row_stride(n)});
}

template <typename F, int64_t... I>
[[gnu::always_inline]] inline void for_each_of(const F& body, std::integer_sequence<int64_t, I...>) {
  (body(std::integral_constant<int64_t, I>{}), ...);
}

// body(0), ..., body(n - 1), each with a constant where n is one.
template <int64_t Order, typename F>
[[gnu::always_inline]] inline void for_each_row(const LaneSquare<Order>& shape, const F& body) {
  if constexpr (Order != kAnyOrder) {
    for_each_of(body, std::make_integer_sequence<int64_t, Order>{});
  } else {
    for (int64_t i = 0; i < shape.n; ++i) body(i);
  }
}

template <typename T, int64_t Order>
inline int64_t place_of(const LaneSquare<Order>& shape, int64_t i, int64_t j) {
  return (i * shape.stride + j) * kWidth<T>;
}

// Elements of T in a matrix.
template <typename T>
inline int64_t matrix_elements(int64_t n) {
  return n * row_stride(n) * kWidth<T>;
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
