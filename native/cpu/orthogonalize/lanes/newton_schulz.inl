// X <- (a I + b G + c G^2) X, G = X X^T, in every lane (../newton_schulz.hpp), from A / (safety |A|_F).
#pragma once

#include "../../kernels.hpp"
#include "../../lanes/matrix.inl"
#include "../../lanes/read.inl"
#include "../../lanes/write.inl"
#include "../../spd/lanes/triangle.inl"
#include "../lanes.hpp"

namespace kronroot::cpu {
namespace {
namespace orthogonal {

using spd::kSide;
using spd::with_constant;

// One tile of C.
template <bool Symmetric, int Rows, int Cols, typename T, typename F>
inline void compute_tile(const LaneMatrix<T>& a, const LaneMatrix<T>& b, const LaneMatrix<T>& c, int64_t i, int64_t j,
                         const F& finish) {
  Vec<T> sums[Rows][Cols] = {};
  multiply_tile<Rows, Cols>(a, b, i, j, sums);
#pragma GCC unroll 4
  for (int x = 0; x < Rows; ++x) {
#pragma GCC unroll 4
    for (int y = 0; y < Cols; ++y) {
      if (Symmetric && j + y > i + x) continue;
      const Vec<T> element = finish(sums[x][y], i + x, j + y);
      store(c.at(i + x, j + y), element);
      if (Symmetric) store(c.at(j + y, i + x), element);
    }
  }
}

// C = A B, every element made by finish(sum, i, j); with Symmetric the lower triangle of tiles is computed and
// mirrored.
template <bool Symmetric, typename T, typename F>
void multiply_lanes(const LaneMatrix<T>& a, const LaneMatrix<T>& b, const LaneMatrix<T>& c, const F& finish) {
  for (int64_t i = 0; i < c.rows; i += kSide) {
    with_constant<kSide>(c.rows - i, [&](auto rows) {
      const int64_t end = Symmetric ? i + rows : c.cols;
      for (int64_t j = 0; j < end; j += kSide) {
        with_constant<kSide>(end - j, [&](auto cols) {
          compute_tile<Symmetric, decltype(rows)::value, decltype(cols)::value>(a, b, c, i, j, finish);
        });
      }
    });
  }
}

template <typename T>
int64_t newton_schulz_lanes_workspace(int64_t rows, int64_t cols) {
  const int64_t shorter = rows < cols ? rows : cols;
  return (2 * rows * cols + 2 * shorter * shorter) * kWidth<T> + 2 * (rows + cols) * kWidth<T> * kParts<T>;
}

// X <- X / (safety |X|_F), X first scaled by 2^-exponent so that no square over- or underflows; lanes that are not
// finite or zero become zero. Their bits are in `good` and `zero`.
template <typename T>
void scale_to_start(const LaneMatrix<T>& x, IntVec<T> largest, double safety, Mask<T>* good, Mask<T>* zero) {
  using Word = typename Bits<T>::type;
  constexpr Word kInfinity = (Word{2} * Bits<T>::kBias + 1) << Bits<T>::kMantissa;
  const int64_t count = x.rows * x.cols;
  *good = largest < (IntVec<T>{} + kInfinity);
  *zero = largest == IntVec<T>{};
  const IntVec<T> exponent = binary_exponent<T>(largest & *good), half = exponent >> 1;
  const Vec<T> first = power_of_two<T>(-half), second = power_of_two<T>(half - exponent);
  Wide<T> squares{};
  for (int64_t at = 0; at < count; ++at) {
    T* place = x.data + at * kWidth<T>;
    const Vec<T> element = from_bits<T>(bits_of<T>(load(place)) & *good) * first * second;
    store(place, element);
    const Wide<T> wide = widen<T>(element);
    squares = wide_fma<T>(wide, wide, squares);
  }
  double sums[kWidth<T>];
  T factors[kWidth<T>];
  store_wide<T>(sums, squares);
  for (int l = 0; l < kWidth<T>; ++l)
    factors[l] = static_cast<T>(sums[l] > 0 ? 1 / (safety * __builtin_sqrt(sums[l])) : 0);
  const Vec<T> factor = load(factors);
  for (int64_t at = 0; at < count; ++at) store(x.data + at * kWidth<T>, load(x.data + at * kWidth<T>) * factor);
}

// |G^2 z - G z| / |z|, G = X X^T. memory: 2 (rows + cols) lanes of double.
template <typename T>
void isometry_residuals(const LaneMatrix<T>& x, const double* signs, double* memory, double* out) {
  constexpr int W = kWidth<T>;
  double* once = memory;
  double* twice = once + x.rows * W;
  double* row = twice + x.rows * W;
  const auto apply_gram = [&](const double* z, double* y) {
    multiply_wide(transposed(x), z, row);
    multiply_wide(x, row, y);
  };
  broadcast_wide<T>(x.rows, signs, twice);
  apply_gram(twice, once);
  apply_gram(once, twice);
  for (int l = 0; l < W; ++l) {
    double squares = 0;
    for (int64_t i = 0; i < x.rows; ++i) {
      const double difference = twice[i * W + l] - once[i * W + l];
      squares += difference * difference;
    }
    out[l] = __builtin_sqrt(squares / static_cast<double>(x.rows));
  }
}

template <typename T>
Mask<T> finite_lanes(int64_t count, const T* x) {
  Mask<T> finite = ~Mask<T>{};
  for (int64_t at = 0; at < count; ++at) {
    const Vec<T> element = load(x + at * kWidth<T>);
    finite &= element - element == Vec<T>{};
  }
  return finite;
}

// As Kernels<T>::newton_schulz_lanes. A tall matrix is read as its wide transpose.
template <typename T>
void newton_schulz_lanes(NewtonSchulzLanes<T>& op, T* workspace) {
  const int64_t rows = op.a.rows, cols = op.a.cols, count = rows * cols;
  const bool tall = rows > cols;
  const int64_t m = tall ? cols : rows, n = tall ? rows : cols;
  const auto rectangle = [&](T* data) { return LaneMatrix<T>{data, m, n, tall ? 1 : cols, tall ? cols : 1}; };
  LaneMatrix<T> x = rectangle(workspace), next = rectangle(workspace + count * kWidth<T>);
  const LaneMatrix<T> g{next.data + count * kWidth<T>, m, m, m, 1}, w{g.data + m * m * kWidth<T>, m, m, m, 1};
  auto* memory = reinterpret_cast<double*>(w.data + m * m * kWidth<T>);

  const IntVec<T> largest = read_lanes(op.a, cols, x.data);
  Mask<T> good, zero;
  scale_to_start(x, largest, op.safety, &good, &zero);
  for (int step = 0; step < op.step_count; ++step) {
    const Quintic& p = op.steps[step];
    const Vec<T> a = broadcast(static_cast<T>(p.a)), b = broadcast(static_cast<T>(p.b)),
                 c = broadcast(static_cast<T>(p.c)), none{};
    multiply_lanes<true>(x, transposed(x), g, [](Vec<T> sum, int64_t, int64_t) { return sum; });
    const auto linear = [&](int64_t i, int64_t j) { return fma(b, load(g.at(i, j)), i == j ? a : none); };
    if (p.c != 0) {
      multiply_lanes<true>(g, g, w, [&](Vec<T> sum, int64_t i, int64_t j) { return fma(c, sum, linear(i, j)); });
    } else {
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < m; ++j) store(w.at(i, j), linear(i, j));
      }
    }
    multiply_lanes<false>(w, x, next, [](Vec<T> sum, int64_t, int64_t) { return sum; });
    const LaneMatrix<T> last = x;
    x = next;
    next = last;
  }
  const Mask<T> finite = finite_lanes(count, x.data);
  isometry_residuals(x, op.signs, memory, op.residual);
  bool wanted[kMostLanes] = {};
  for (int l = 0; l < kWidth<T>; ++l) {
    op.status[l] = good[l] == 0     ? KR_STATUS_NON_FINITE_INPUT
                   : zero[l] != 0   ? KR_STATUS_RANK_DEFICIENT
                   : finite[l] == 0 ? KR_STATUS_OVERFLOW
                                    : KR_STATUS_OK;
    wanted[l] = op.status[l] < KR_FIRST_FAILURE;
  }
  write_lanes<T>(x.data, cols, op.x, wanted);
}

}  // namespace orthogonal
}  // namespace
}  // namespace kronroot::cpu
