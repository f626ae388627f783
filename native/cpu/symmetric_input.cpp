#include "symmetric_input.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

namespace kronroot::cpu {
namespace {

// Magnitudes are compared as integers, where the order of IEEE formats is the same, infinities and NaN lie above all
// numbers, and the loops vectorise (a floating-point maximum does not: it has to care for NaN).
template <typename T>
using Bits = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

template <typename T>
Bits<T> magnitude(T x) {
  return std::bit_cast<Bits<T>>(x) & std::numeric_limits<Bits<T>>::max();
}

// Calls block(i0, i1, j0, j1) for the square blocks that cover the lower triangle: small enough that the block and its
// mirror image stay in the L1 cache while one is read by rows and the other by columns.
template <typename F>
void for_each_block(int64_t n, const F& block) {
  constexpr int64_t kSide = 32;
  for (int64_t i = 0; i < n; i += kSide) {
    for (int64_t j = 0; j <= i; j += kSide) block(i, std::min(n, i + kSide), j, std::min(n, j + kSide));
  }
}

// Copies A; returns the largest magnitude.
template <typename T>
Bits<T> copy(const Matrix<T>& a, T* out) {
  Bits<T> largest = 0;
  for (int64_t i = 0; i < a.rows; ++i) {
    const T* row = &a(i, 0);
    T* out_row = out + i * a.rows;
    for (int64_t j = 0; j < a.rows; ++j) {
      largest = std::max(largest, magnitude(row[j]));
      out_row[j] = row[j];
    }
  }
  return largest;
}

// Whether A = A^T bit by bit: the usual case, which needs no mean.
template <typename T>
bool is_exactly_symmetric(const Matrix<T>& a) {
  Bits<T> difference = 0;
  for_each_block(a.rows, [&](int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
    Bits<T> in_block = 0;
    for (int64_t i = i0; i < i1; ++i) {
      for (int64_t j = j0; j < std::min(i, j1); ++j) {
        in_block |= std::bit_cast<Bits<T>>(a(i, j)) ^ std::bit_cast<Bits<T>>(a(j, i));
      }
    }
    difference |= in_block;
  });
  return difference == 0;
}

// Replaces the elements off the diagonal by the means of A and A^T; returns max |a_ij - a_ji| / 2, which cannot
// overflow where A is symmetric enough.
template <typename T>
T symmetrise(const Matrix<T>& a, T* out) {
  T largest = 0;
  for_each_block(a.rows, [&](int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
    for (int64_t i = i0; i < i1; ++i) {
      for (int64_t j = j0; j < std::min(i, j1); ++j) {
        const T half = (a(j, i) - a(i, j)) / 2;
        largest = std::max(largest, std::abs(half));
        out[i * a.rows + j] = out[j * a.rows + i] = a(i, j) + half;
      }
    }
  });
  return largest;
}

}  // namespace

template <typename T>
SymmetricInput read_symmetric(const Matrix<T>& a, T* symmetric) {
  SymmetricInput input;
  const Bits<T> largest = copy(a, symmetric);
  if (largest >= magnitude(std::numeric_limits<T>::infinity())) {
    input.status = KR_STATUS_NON_FINITE_INPUT;
    return input;
  }
  input.largest = std::bit_cast<T>(largest);
  if (!is_exactly_symmetric(a)) {
    const double half = symmetrise(a, symmetric);
    if (half > std::sqrt(ulp_of<T>) / 2 * input.largest) {
      input.status = KR_STATUS_NOT_SYMMETRIC;
      return input;
    }
    const Matrix<T> mean{symmetric, a.rows, a.rows, a.rows};
    input.largest = std::bit_cast<T>(copy(mean, symmetric));
  }
  if (input.largest > 0) std::frexp(input.largest, &input.exponent);
  return input;
}

template <typename T>
void scale_by_power_of_two(int64_t count, T* x, int exponent) {
  if (exponent == 0) return;
  constexpr int kReach = std::numeric_limits<T>::max_exponent - 2;
  while (exponent != 0) {
    const int step = std::clamp(exponent, -kReach, kReach);
    const T factor = std::ldexp(T{1}, step);
    for (int64_t i = 0; i < count; ++i) x[i] *= factor;
    exponent -= step;
  }
}

template SymmetricInput read_symmetric<float>(const Matrix<float>&, float*);
template SymmetricInput read_symmetric<double>(const Matrix<double>&, double*);
template void scale_by_power_of_two<float>(int64_t, float*, int);
template void scale_by_power_of_two<double>(int64_t, double*, int);

}  // namespace kronroot::cpu
