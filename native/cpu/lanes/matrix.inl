// A matrix in lanes: products in tiles, and products with vectors in f64.
#pragma once

#include "../gemm/vector_operations.inl"
#include "wide.inl"

namespace kronroot::cpu {
namespace {

// Element (i, j) is the vector at data[(i * row_step + j * col_step) * kWidth<T>]. A transpose is the same memory with
// steps exchanged.
template <typename T>
struct LaneMatrix {
  T* data;
  int64_t rows, cols;
  int64_t row_step, col_step;
  T* at(int64_t i, int64_t j) const { return data + (i * row_step + j * col_step) * kWidth<T>; }
};

template <typename T>
inline LaneMatrix<T> transposed(const LaneMatrix<T>& a) {
  return {a.data, a.cols, a.rows, a.col_step, a.row_step};
}

// sums[x][y] += sum over k of a(i + x, k) b(k, j + y), k < a.cols
template <int Rows, int Cols, typename T>
[[gnu::always_inline]] inline void multiply_tile(const LaneMatrix<T>& a, const LaneMatrix<T>& b, int64_t i, int64_t j,
                                                 Vec<T> (&sums)[Rows][Cols]) {
  const T* left = a.at(i, 0);
  const T* right = b.at(0, j);
  const int64_t left_row = a.row_step * kWidth<T>, right_col = b.col_step * kWidth<T>;
  for (int64_t k = 0; k < a.cols; ++k, left += a.col_step * kWidth<T>, right += b.row_step * kWidth<T>) {
    Vec<T> row[Cols];
#pragma GCC unroll 4
    for (int y = 0; y < Cols; ++y) row[y] = load(right + y * right_col);
#pragma GCC unroll 4
    for (int x = 0; x < Rows; ++x) {
      const Vec<T> element = load(left + x * left_row);
#pragma GCC unroll 4
      for (int y = 0; y < Cols; ++y) sums[x][y] = fma(element, row[y], sums[x][y]);
    }
  }
}

// y = A x, vectors of a.cols and a.rows numbers a lane.
template <typename T>
void multiply_wide(const LaneMatrix<T>& a, const double* x, double* y) {
  constexpr int W = kWidth<T>;
  for (int64_t i = 0; i < a.rows; ++i) {
    Wide<T> sum{};
    for (int64_t j = 0; j < a.cols; ++j) sum = wide_fma<T>(widen<T>(load(a.at(i, j))), load_wide<T>(x + j * W), sum);
    store_wide<T>(y + i * W, sum);
  }
}

// The same numbers in every lane.
template <typename T>
void broadcast_wide(int64_t n, const double* from, double* to) {
  for (int64_t i = 0; i < n; ++i) {
    for (int part = 0; part < kParts<T>; ++part) {
      store(to + i * kWidth<T> + part * kWidth<double>, broadcast(from[i]));
    }
  }
}

// sum of (x_i - y_i)^2 in every lane; y null stands for zeros.
template <typename T>
Wide<T> squared_distance(int64_t n, const double* x, const double* y) {
  Wide<T> sum{};
  for (int64_t i = 0; i < n; ++i) {
    Wide<T> difference = load_wide<T>(x + i * kWidth<T>);
    if (y != nullptr) difference = add_signed<T>(difference, -1, load_wide<T>(y + i * kWidth<T>));
    sum = wide_fma<T>(difference, difference, sum);
  }
  return sum;
}

// sum of the squares of all elements.
template <typename T>
Wide<T> squares_of(const LaneMatrix<T>& a) {
  Wide<T> sum{};
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.cols; ++j) {
      const Wide<T> element = widen<T>(load(a.at(i, j)));
      sum = wide_fma<T>(element, element, sum);
    }
  }
  return sum;
}

// Rounded to T.
template <typename T>
inline Vec<T> narrow(const Wide<T>& wide) {
  Vec<T> lanes{};
  for (int part = 0; part < kParts<T>; ++part) {
    store_double(reinterpret_cast<T*>(&lanes) + part * kWidth<double>, wide.part[part]);
  }
  return lanes;
}

// |Q^T Q y - y|_2 / |y|_2 of the columns of Q; memory: q.rows + 2 q.cols lanes of double. signs: q.cols numbers +1, -1.
template <typename T>
void orthonormality(const LaneMatrix<T>& q, const double* signs, double* memory, double* out) {
  constexpr int W = kWidth<T>;
  double* y = memory;
  double* image = y + q.cols * W;
  double* back = image + q.rows * W;
  broadcast_wide<T>(q.cols, signs, y);
  multiply_wide(q, y, image);
  multiply_wide(transposed(q), image, back);
  store_wide<T>(out, squared_distance<T>(q.cols, back, y));
  for (int l = 0; l < W; ++l) out[l] = __builtin_sqrt(out[l] / static_cast<double>(q.cols));
}

}  // namespace
}  // namespace kronroot::cpu
