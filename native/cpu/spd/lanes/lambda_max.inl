// An upper bound of the largest eigenvalue in lanes: the squarings and bounds of ../../lambda_max.cpp, all lanes
// together; a lane whose bounds are close enough keeps them while the others go on.
#pragma once

#include "../../lanes/wide.inl"
#include "triangle.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// Norms of a full matrix, rows without gaps.
struct LaneNorms {
  double frobenius[kMostLanes];
  double largest_row[kMostLanes];  // 2-norm
};

template <typename T>
void measure_norms(int64_t n, const T* full, LaneNorms& norms) {
  for (int p = 0; p < kParts<T>; ++p) {
    const T* element = full + p * kWidth<double>;
    Vec<double> squares{}, largest{};
    for (int64_t i = 0; i < n; ++i) {
      Vec<double> row{};
      for (int64_t j = 0; j < n; ++j, element += kWidth<T>) {
        const Vec<double> wide = load_as_double(element);
        row = fma(wide, wide, row);
      }
      squares += row;
      largest = maximum<double>(row, largest);
    }
    store(norms.frobenius + p * kWidth<double>, square_root(squares));
    store(norms.largest_row + p * kWidth<double>, square_root(largest));
  }
}

// max_i sum_j |a_ij|
template <typename T>
Vec<T> infinity_norm(int64_t n, const T* full) {
  Vec<T> largest{};
  for (int64_t i = 0; i < n; ++i) {
    Vec<T> sum{};
    for (int64_t j = 0; j < n; ++j, full += kWidth<T>) sum += absolute<T>(load(full));
    largest = maximum<T>(sum, largest);
  }
  return largest;
}

// Rows [i, i + Rows) and columns [j, j + Columns) of factor S^2 for symmetric S, and their mirror image.
template <int Rows, int Columns, typename T>
inline void square_tile(const T* s, int64_t n, Vec<T> factor, int64_t i, int64_t j, T* square) {
  Vec<T> sums[Rows][Columns] = {};
  const T* left = s + i * n * kWidth<T>;
  const T* right = s + j * n * kWidth<T>;
  const int64_t step = n * kWidth<T>;
  for (int64_t k = 0; k < n; ++k, left += kWidth<T>, right += kWidth<T>) {
    Vec<T> column[Columns];
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c) column[c] = load(right + c * step);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const Vec<T> element = load(left + r * step);
#pragma GCC unroll 8
      for (int c = 0; c < Columns; ++c) sums[r][c] = fma(element, column[c], sums[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < Columns; ++c) {
      const Vec<T> element = sums[r][c] * factor;
      store(square + ((i + r) * n + j + c) * kWidth<T>, element);
      store(square + ((j + c) * n + i + r) * kWidth<T>, element);
    }
  }
}

template <typename T>
void square_lanes(const T* s, int64_t n, Vec<T> factor, T* square) {
  for (int64_t i = 0; i < n; i += kSide) {
    with_constant<kSide>(n - i, [&](auto rows) {
      for (int64_t j = 0; j < i; j += kSide) square_tile<rows, kSide>(s, n, factor, i, j, square);
      square_tile<rows, rows>(s, n, factor, i, i, square);
    });
  }
}

// Both triangles from the lower one.
template <typename T>
void expand_triangle(const T* triangle, int64_t n, T* full) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j, triangle += kWidth<T>) {
      store(full + (i * n + j) * kWidth<T>, load(triangle));
      store(full + (j * n + i) * kWidth<T>, load(triangle));
    }
  }
}

// rho <= bound <= 1.05 rho for the largest magnitude rho of an eigenvalue. `power` and `square` are workspace of n^2
// vectors each.
template <typename T>
void lambda_max_bounds(const T* triangle, int64_t n, T* power, T* square, double (&bound)[kMostLanes]) {
  constexpr double kTolerance = 1.04;  // one point of the 5 % is left to rounding
  constexpr double kUlp = sizeof(T) == 4 ? 0x1p-23 : 0x1p-52;
  const auto order = static_cast<double>(n);
  expand_triangle(triangle, n, power);
  LaneNorms norms;
  measure_norms(n, power, norms);
  const Vec<T> of_rows = infinity_norm(n, power);
  double lower[kMostLanes], exponent[kMostLanes] = {};
  for (int l = 0; l < kWidth<T>; ++l) {
    const auto row_sum = static_cast<double>(of_rows[l]);
    bound[l] = norms.frobenius[l] < row_sum ? norms.frobenius[l] : row_sum;
    lower[l] = norms.largest_row[l];
  }
  for (double q = 1;; q *= 2) {
    bool is_open[kMostLanes], is_any = false;
    for (int l = 0; l < kWidth<T>; ++l) {
      is_open[l] = bound[l] > kTolerance * lower[l];
      is_any |= is_open[l];
    }
    if (!is_any || (q > 1 && __builtin_pow(order, 1 / (2 * q)) <= kTolerance)) break;
    double log_power[kMostLanes];
    Vec<T> factor{};
    for (int l = 0; l < kWidth<T>; ++l) {
      int shift = 0;
      __builtin_frexp(norms.frobenius[l], &shift);
      log_power[l] = is_open[l] ? __builtin_log2(norms.frobenius[l]) + exponent[l] : 0;
      factor[l] = static_cast<T>(__builtin_ldexp(1.0, -2 * shift));
      exponent[l] = 2 * (exponent[l] + shift);
    }
    square_lanes(power, n, factor, square);
    measure_norms(n, square, norms);
    for (int l = 0; l < kWidth<T>; ++l) {
      if (!is_open[l]) continue;
      const double log_square = __builtin_log2(norms.frobenius[l]) + exponent[l];
      const double log_row = __builtin_log2(norms.largest_row[l]) + exponent[l];
      const double by_norms = __builtin_exp2((log_square - log_power[l]) / q);
      const double by_row = __builtin_exp2(log_row / (2 * q)), above = __builtin_exp2(log_square / (2 * q));
      lower[l] = by_norms > lower[l] ? by_norms : lower[l];
      lower[l] = by_row > lower[l] ? by_row : lower[l];
      bound[l] = above < bound[l] ? above : bound[l];
    }
    T* const free = power;
    power = square;
    square = free;
  }
  for (int l = 0; l < kWidth<T>; ++l) bound[l] *= 1 + 4 * order * kUlp;
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
