// Between row-major matrices and lanes: a square tile of kWidth elements of each of kWidth matrices is transposed in
// registers. Matrices without gaps between their rows are treated as one long row, so small ones fill their tiles.
#pragma once

#include "../isa/lanes.inl"
#include "../lanes.hpp"

namespace kronroot::cpu {
namespace {

// Calls tile(from, count, row, col) for pieces of at most kWidth<T> elements that lie side by side in memory, in order;
// (row, col) is where the piece begins, `from` its offset in the matrix. A piece may run over the ends of rows.
template <typename T, typename F>
inline void for_each_tile(int64_t rows, int64_t cols, int64_t row_stride, const F& tile) {
  const bool gapless = row_stride == cols || rows == 1;
  const int64_t lines = gapless ? 1 : rows, length = gapless ? rows * cols : cols;
  int64_t row = 0, col = 0;
  for (int64_t line = 0; line < lines; ++line) {
    for (int64_t begin = 0; begin < length; begin += kWidth<T>) {
      const int count = static_cast<int>(length - begin < kWidth<T> ? length - begin : kWidth<T>);
      tile(line * row_stride + begin, count, row, col);
      for (col += count; col >= cols; col -= cols) ++row;
    }
  }
}

// Calls body(lanes, elements) for a tile of so many matrices and elements; where it is full they are constants, so that
// the tile stays in registers.
template <typename T, typename F>
inline void with_tile(int lanes, int elements, const F& body) {
  constexpr std::integral_constant<int, kWidth<T>> kFull;
  if (lanes == kFull && elements == kFull) return body(kFull, kFull);
  body(lanes, elements);
}

// The place of element (row, col) among lanes; next() goes to the element after it, row by row.
template <typename T>
class LanePlace {
 public:
  LanePlace(T* lanes, int64_t stride, int64_t cols, int64_t row, int64_t col)
      : place_(lanes + (row * stride + col) * kWidth<T>), left_(cols - col), cols_(cols), gap_(stride - cols) {}

  T* get() const { return place_; }
  void next() {
    place_ += kWidth<T>;
    if (--left_ > 0) return;
    place_ += gap_ * kWidth<T>;
    left_ = cols_;
  }

 private:
  T* place_;
  int64_t left_, cols_, gap_;
};

}  // namespace
}  // namespace kronroot::cpu
