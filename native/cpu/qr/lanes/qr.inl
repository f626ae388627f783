// QR of a lane group, whole: reading, reflectors, R, Q, residuals, writing.
#pragma once

#include "../../kernels.hpp"
#include "../../lanes/read.inl"
#include "../../lanes/write.inl"
#include "../lanes.hpp"
#include "reflectors.inl"

namespace kronroot::cpu {
namespace {
namespace qr {

template <typename T>
int64_t qr_lanes_workspace(int64_t m, int64_t n) {
  const int64_t longer = m > n ? m : n;
  return (m * n + m * m) * kWidth<T> + LaneReflectors<T>::workspace(m, n) + 5 * longer * kWidth<T> * kParts<T>;
}

// x <- x times 2^exponent; the lanes in which an element is not finite then.
template <typename T>
Mask<T> scale_lanes(const LaneMatrix<T>& x, IntVec<T> exponent) {
  const IntVec<T> half = exponent >> 1;  // 2^exponent alone may not be representable
  const Vec<T> first = power_of_two<T>(half), second = power_of_two<T>(exponent - half);
  Mask<T> overflown{};
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t j = 0; j < x.cols; ++j) {
      const Vec<T> element = load(x.at(i, j)) * first * second;
      overflown |= ~(element - element == Vec<T>{});
      store(x.at(i, j), element);
    }
  }
  return overflown;
}

// max r_ii / min r_ii
template <typename T>
void condition_of(const LaneMatrix<T>& r, double* out) {
  Vec<T> largest{}, smallest = load(r.at(0, 0));
  for (int64_t i = 0; i < r.rows && i < r.cols; ++i) {
    largest = maximum<T>(load(r.at(i, i)), largest);
    smallest = minimum<T>(load(r.at(i, i)), smallest);
  }
  for (int l = 0; l < kWidth<T>; ++l) out[l] = static_cast<double>(largest[l]) / static_cast<double>(smallest[l]);
}

// |A z - Q R z|_2 / (|A|_F |z|_2), 0 for A = 0; product = A z, squares = |A|_F^2. memory: q.cols + q.rows lanes.
template <typename T>
void factor_residual(const LaneMatrix<T>& q, const LaneMatrix<T>& r, const double* z, const double* product,
                     const Wide<T>& squares, double* memory, double* out) {
  constexpr int W = kWidth<T>;
  double* of_r = memory;
  double* of_q = of_r + q.cols * W;
  double size[W];
  multiply_wide(r, z, of_r);
  multiply_wide(q, of_r, of_q);
  store_wide<T>(out, squared_distance<T>(q.rows, of_q, product));
  store_wide<T>(size, squares);
  for (int l = 0; l < W; ++l) {
    out[l] = size[l] > 0 ? __builtin_sqrt(out[l] / (size[l] * static_cast<double>(r.cols))) : 0;
  }
}

// As Kernels<T>::qr_lanes.
template <typename T>
void qr_lanes(QrLanes<T>& op, T* workspace) {
  constexpr int W = kWidth<T>;
  const int64_t m = op.a.rows, n = op.a.cols, l = m < n ? m : n;
  const bool wants_q = op.q.data != nullptr, wants_r = op.r.data != nullptr;
  const LaneMatrix<T> a{workspace, m, n, n, 1};
  const int64_t q_cols = wants_q ? op.q.cols : l;
  const LaneMatrix<T> q{workspace + m * n * W, m, q_cols, q_cols, 1};
  T* reflectors = q.data + m * m * W;
  auto* z = reinterpret_cast<double*>(reflectors + LaneReflectors<T>::workspace(m, n));
  double* product = z + n * W;
  double* memory = product + m * W;

  const LaneScale<T> scale = read_scaled_lanes(op.a, n, a.data);
  broadcast_wide<T>(n, op.signs, z);
  multiply_wide(a, z, product);
  const Wide<T> squares = squares_of(a);
  LaneReflectors<T> factorization(a, reflectors);
  factorization.factor();
  if (wants_q) factorization.form(q);
  factorization.leave_r();
  const LaneMatrix<T> r{a.data, q_cols < m ? q_cols : m, n, n, 1};
  condition_of(r, op.condition);
  double of_factors[kMostLanes] = {}, of_q[kMostLanes];
  if (wants_q) orthonormality(q, op.signs, memory, of_q);
  if (wants_q && wants_r) factor_residual(q, r, z, product, squares, memory, of_factors);
  const Mask<T> overflown = wants_r ? scale_lanes(r, scale.exponent) : Mask<T>{};
  bool wanted[kMostLanes] = {};
  for (int lane = 0; lane < W; ++lane) {
    op.status[lane] = scale.is_finite[lane] == 0 ? KR_STATUS_NON_FINITE_INPUT
                      : overflown[lane] != 0     ? KR_STATUS_OVERFLOW
                                                 : KR_STATUS_OK;
    wanted[lane] = op.status[lane] == KR_STATUS_OK;
    if (wants_q) op.residual[lane] = of_factors[lane] > of_q[lane] ? of_factors[lane] : of_q[lane];
  }
  if (wants_q) write_lanes<T>(q.data, q_cols, op.q, wanted);
  if (wants_r) write_lanes<T>(r.data, n, op.r, wanted);
}

}  // namespace qr
}  // namespace
}  // namespace kronroot::cpu
