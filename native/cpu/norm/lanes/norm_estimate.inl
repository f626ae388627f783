// Norms of a matrix in every lane, scaled so that its largest magnitude is in [1/2, 1): see ../../norm_estimate.cpp.
#pragma once

#include "../../kernels.hpp"
#include "../../lanes/matrix.inl"
#include "../../lanes/read.inl"
#include "../../spd/lanes/lambda_max.inl"
#include "../lanes.hpp"

namespace kronroot::cpu {
namespace {
namespace norms {

using spd::kSide;
using spd::with_constant;

template <typename T>
int64_t norm_lanes_workspace(int64_t m, int64_t n, int32_t kind) {
  const int64_t s = m < n ? m : n;
  const int64_t spectral = kind == KR_NORM_SPECTRAL ? spd::triangle_size<T>(s) + 2 * s * s * kWidth<T> : 0;
  return m * n * kWidth<T> + spectral + (m + n) * kWidth<T> * kParts<T>;
}

// The lower triangle of B B^T, row after row.
template <typename T>
void gram_triangle(const LaneMatrix<T>& b, T* gram) {
  const LaneMatrix<T> other = transposed(b);
  for (int64_t i = 0; i < b.rows; i += kSide) {
    with_constant<kSide>(b.rows - i, [&](auto rows) {
      constexpr int kRows = decltype(rows)::value;
      for (int64_t j = 0; j <= i; j += kSide) {
        with_constant<kSide>(b.rows - j, [&](auto columns) {
          constexpr int kColumns = decltype(columns)::value;
          Vec<T> sums[kRows][kColumns] = {};
          multiply_tile<kRows, kColumns>(b, other, i, j, sums);
          for (int r = 0; r < kRows; ++r) {
            for (int c = 0; c < kColumns && j + c <= i + r; ++c) {
              store(spd::row_of(gram, i + r) + (j + c) * kWidth<T>, sums[r][c]);
            }
          }
        });
      }
    });
  }
}

// sigma_max^2 is the largest eigenvalue of the Gram matrix of the short side.
template <typename T>
void spectral(const LaneMatrix<T>& a, T* memory, double (&norm)[kMostLanes]) {
  constexpr double kUlp = sizeof(T) == 4 ? 0x1p-23 : 0x1p-52;
  const LaneMatrix<T> b = a.rows > a.cols ? transposed(a) : a;
  const int64_t s = b.rows;
  T* const gram = memory;
  T* const powers = gram + spd::triangle_size<T>(s);
  gram_triangle(b, gram);
  spd::lambda_max_bounds(gram, s, powers, powers + s * s * kWidth<T>, norm);
  for (int l = 0; l < kWidth<T>; ++l) norm[l] = __builtin_sqrt(norm[l]) * (1 + static_cast<double>(b.cols) * kUlp);
}

// x <- A^T (A x) / |..|, the largest |A x| / |x|, from the longest row. memory: m + n lanes of double.
template <typename T>
void spectral_lower(const LaneMatrix<T>& a, int iterations, double* memory, double (&norm)[kMostLanes]) {
  constexpr int W = kWidth<T>;
  const Vec<double> zero{};
  double* x = memory;
  double* y = x + a.cols * W;
  Wide<T> longest{}, found{};
  for (int64_t j = 0; j < a.cols * W; j += kWidth<double>) store(x + j, zero);
  for (int64_t i = 0; i < a.rows; ++i) {
    const Wide<T> squares = squares_of(LaneMatrix<T>{a.at(i, 0), 1, a.cols, a.row_step, a.col_step});
    for (int64_t j = 0; j < a.cols; ++j) {
      const Wide<T> element = widen<T>(load(a.at(i, j)));
      Wide<T> chosen = load_wide<T>(x + j * W);
      for (int p = 0; p < kParts<T>; ++p) {
        chosen.part[p] = squares.part[p] > longest.part[p] ? element.part[p] : chosen.part[p];
      }
      store_wide<T>(x + j * W, chosen);
    }
    for (int p = 0; p < kParts<T>; ++p) longest.part[p] = maximum<double>(squares.part[p], longest.part[p]);
  }
  for (int step = 0;; ++step) {
    const Wide<T> length = square_root_wide<T>(squared_distance<T>(a.cols, x, nullptr));
    multiply_wide(a, x, y);
    const Wide<T> image = square_root_wide<T>(squared_distance<T>(a.rows, y, nullptr));
    Wide<T> inverse;  // 0 for A = 0
    for (int p = 0; p < kParts<T>; ++p) {
      inverse.part[p] = length.part[p] > zero ? 1 / length.part[p] : zero;
      found.part[p] = maximum<double>(image.part[p] * inverse.part[p], found.part[p]);
    }
    if (step == iterations) break;
    multiply_wide(transposed(a), y, x);
    for (int64_t j = 0; j < a.cols; ++j) {
      Wide<T> each = load_wide<T>(x + j * W);
      for (int p = 0; p < kParts<T>; ++p) each.part[p] *= inverse.part[p];
      store_wide<T>(x + j * W, each);
    }
  }
  store_wide<T>(norm, found);
}

// max_i sum_j |a_ij|
template <typename T>
void largest_row_sum(const LaneMatrix<T>& a, double (&norm)[kMostLanes]) {
  Wide<T> largest{};
  for (int64_t i = 0; i < a.rows; ++i) {
    Wide<T> sum{};
    for (int64_t j = 0; j < a.cols; ++j) sum = add_signed<T>(sum, 1, widen<T>(absolute<T>(load(a.at(i, j)))));
    for (int p = 0; p < kParts<T>; ++p) largest.part[p] = maximum<double>(sum.part[p], largest.part[p]);
  }
  store_wide<T>(norm, largest);
}

template <typename T>
void largest_element(const LaneMatrix<T>& a, double (&norm)[kMostLanes]) {
  Vec<T> largest{};
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.cols; ++j) largest = maximum<T>(absolute<T>(load(a.at(i, j))), largest);
  }
  store_wide<T>(norm, widen<T>(largest));
}

// As Kernels<T>::norm_lanes.
template <typename T>
void norm_lanes(NormLanes<T>& op, T* workspace) {
  const int64_t m = op.a.rows, n = op.a.cols;
  const LaneScale<T> scale = read_scaled_lanes(op.a, n, workspace);
  const LaneMatrix<T> a{workspace, m, n, n, 1};
  T* const memory = workspace + m * n * kWidth<T>;
  switch (op.kind) {
    case KR_NORM_FROBENIUS:
      store_wide<T>(op.norm, square_root_wide<T>(squares_of(a)));
      break;
    case KR_NORM_ONE:
      largest_row_sum(transposed(a), op.norm);
      break;
    case KR_NORM_INFINITY:
      largest_row_sum(a, op.norm);
      break;
    case KR_NORM_MAX:
      largest_element(a, op.norm);
      break;
    case KR_NORM_SPECTRAL_LOWER:
      spectral_lower(a, op.iterations, reinterpret_cast<double*>(memory), op.norm);
      break;
    default:
      spectral(a, memory, op.norm);
  }
  for (int l = 0; l < kWidth<T>; ++l) {
    op.status[l] = scale.is_finite[l] != 0 ? KR_STATUS_OK : KR_STATUS_NON_FINITE_INPUT;
    op.norm[l] = __builtin_ldexp(op.norm[l], static_cast<int>(scale.exponent[l]));
  }
}

}  // namespace norms
}  // namespace
}  // namespace kronroot::cpu
