// Substitution in every lane. All eight systems are one: X op(T) = B is op(T)^T X^T = B^T, and an upper triangle read
// from its last row and column on is a lower one, so that views of T and B make everything a lower triangle L, and
//   x_i = (b_i - sum_{k<i} l_ik x_k) / l_ii
// for tiles of rows and right-hand sides: first what lies left of the tile, then the triangle on the diagonal.
#pragma once

#include "../../kernels.hpp"
#include "../../lanes/matrix.inl"
#include "../../lanes/read.inl"
#include "../../lanes/write.inl"
#include "../../spd/lanes/triangle.inl"
#include "../lanes.hpp"

namespace kronroot::cpu {
namespace {
namespace triangular {

using spd::kSide;
using spd::with_constant;

template <typename T>
int64_t triangular_solve_lanes_workspace(int64_t n, int64_t columns) {
  return (n * n + n * columns + n) * kWidth<T> + (4 * n + 2 * columns) * kWidth<T> * kParts<T> +
         n * columns * kWidth<T>;
}

// Rows from the last to the first; both ways where `columns` too.
template <typename T>
inline LaneMatrix<T> reversed(const LaneMatrix<T>& a, bool columns) {
  return {a.at(a.rows - 1, columns ? a.cols - 1 : 0), a.rows, a.cols, -a.row_step, columns ? -a.col_step : a.col_step};
}

// Rows i .. i + Rows - 1 of columns j .. j + Columns - 1 of X in place of those of B, once the rows above are there.
template <int Rows, int Columns, typename T>
inline void solve_tile(const LaneMatrix<T>& l, const T* reciprocals, const LaneMatrix<T>& x, int64_t i, int64_t j) {
  Vec<T> sums[Rows][Columns] = {};
  LaneMatrix<T> left = l;
  left.cols = i;
  multiply_tile<Rows, Columns>(left, x, i, j, sums);
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < Columns; ++c) {
      Vec<T> sum = sums[r][c];
#pragma GCC unroll 4
      for (int k = 0; k < r; ++k) sum = fma(load(l.at(i + r, i + k)), sums[k][c], sum);
      sums[r][c] = (load(x.at(i + r, j + c)) - sum) * load(reciprocals + (i + r) * kWidth<T>);
      store(x.at(i + r, j + c), sums[r][c]);
    }
  }
}

template <typename T>
void solve_lower(const LaneMatrix<T>& l, const T* reciprocals, const LaneMatrix<T>& x) {
  for (int64_t j = 0; j < x.cols; j += kSide) {
    with_constant<kSide>(x.cols - j, [&](auto columns) {
      for (int64_t i = 0; i < x.rows; i += kSide) {
        with_constant<kSide>(x.rows - i, [&](auto rows) {
          solve_tile<decltype(rows)::value, decltype(columns)::value>(l, reciprocals, x, i, j);
        });
      }
    });
  }
}

// What the triangle says of each lane.
template <typename T>
struct TriangleFacts {
  IntVec<T> largest{};  // magnitude of the elements that count, as bits
  IntVec<T> zero;       // index of a zero on the diagonal, or -1
  Wide<T> squares{};    // |T|_F^2
};

// Reads the triangle once: reciprocals of the diagonal, condition, and what may be wrong with it. index(i) is the row
// of T behind row i of L.
template <typename T, typename F>
TriangleFacts<T> inspect(const LaneMatrix<T>& l, bool unit, T* reciprocals, double* condition, const F& index) {
  const Vec<T> one = broadcast(T{1});
  TriangleFacts<T> facts;
  facts.zero = IntVec<T>{} - 1;
  Vec<T> most{}, least{};
  for (int64_t i = 0; i < l.rows; ++i) {
    for (int64_t k = 0; k < i + (unit ? 0 : 1); ++k) {
      const Vec<T> element = load(l.at(i, k));
      const IntVec<T> size = magnitude_bits<T>(element);
      facts.largest = size > facts.largest ? size : facts.largest;
      const Wide<T> wide = widen<T>(element);
      facts.squares = wide_fma<T>(wide, wide, facts.squares);
    }
    const Vec<T> diagonal = unit ? one : load(l.at(i, i)), size = absolute<T>(diagonal);
    if (unit) facts.squares = wide_fma<T>(widen<T>(one), widen<T>(one), facts.squares);
    const Mask<T> is_zero = diagonal == Vec<T>{};
    const IntVec<T> at = IntVec<T>{} + static_cast<typename Bits<T>::type>(index(i));
    facts.zero = (is_zero & ((facts.zero < IntVec<T>{}) | (at < facts.zero))) ? at : facts.zero;
    store(reciprocals + i * kWidth<T>, one / select<T>(is_zero, one, diagonal));
    most = i == 0 ? size : maximum<T>(size, most);
    least = i == 0 ? size : minimum<T>(size, least);
  }
  for (int lane = 0; lane < kWidth<T>; ++lane) {
    condition[lane] = static_cast<double>(most[lane]) / static_cast<double>(least[lane]);
  }
  return facts;
}

// Weights +-1 / (|T|_F |x_j| + |b_j|), 0 for two zeros, one for each right-hand side.
template <typename T>
void weigh_columns(const LaneMatrix<T>& x, const LaneMatrix<T>& b, const Wide<T>& squares, const double* signs,
                   double* weights) {
  const Wide<T> of_t = square_root_wide<T>(squares);
  const Vec<double> zero{};
  for (int64_t j = 0; j < x.cols; ++j) {
    const Wide<T> of_x = square_root_wide<T>(squares_of(LaneMatrix<T>{x.at(0, j), x.rows, 1, x.row_step, x.col_step}));
    const Wide<T> of_b = square_root_wide<T>(squares_of(LaneMatrix<T>{b.at(0, j), b.rows, 1, b.row_step, b.col_step}));
    Wide<T> weight = wide_fma<T>(of_t, of_x, of_b);  // for now, the size
    for (Vec<double>& part : weight.part) part = part > zero ? broadcast(signs[j]) / part : zero;
    store_wide<T>(weights + j * kWidth<T>, weight);
  }
}

// |L X w - B w|_2. memory: 3 n lanes of double.
template <typename T>
void residual_of(const LaneMatrix<T>& l, bool unit, const LaneMatrix<T>& x, const LaneMatrix<T>& b,
                 const double* weights, double* memory, double* out) {
  constexpr int W = kWidth<T>;
  double* solution = memory;
  double* image = solution + l.rows * W;
  double* right = image + l.rows * W;
  multiply_wide(x, weights, solution);
  multiply_wide(b, weights, right);
  for (int64_t i = 0; i < l.rows; ++i) {
    Wide<T> sum = unit ? load_wide<T>(solution + i * W) : Wide<T>{};
    for (int64_t k = 0; k < i + (unit ? 0 : 1); ++k) {
      sum = wide_fma<T>(widen<T>(load(l.at(i, k))), load_wide<T>(solution + k * W), sum);
    }
    store_wide<T>(image + i * W, sum);
  }
  store_wide<T>(out, square_root_wide<T>(squared_distance<T>(l.rows, image, right)));
}

// As Kernels<T>::triangular_solve_lanes.
template <typename T>
void triangular_solve_lanes(TriangularLanes<T>& op, T* workspace) {
  using Word = typename Bits<T>::type;
  constexpr int W = kWidth<T>;
  constexpr Word kInfinity = (Word{2} * Bits<T>::kBias + 1) << Bits<T>::kMantissa;
  const kr_triangular_solve_options& options = op.options;
  const bool right = options.side == KR_SIDE_RIGHT, unit = options.unit_diagonal != 0;
  const int64_t n = op.t.rows, k = right ? op.b.rows : op.b.cols, count = n * k;
  T* const of_b = workspace + n * n * W;
  T* const of_x = of_b + count * W;
  T* const reciprocals = of_x + count * W;
  auto* weights = reinterpret_cast<double*>(reciprocals + n * W);
  double* memory = weights + k * W;

  const auto view = [&](T* data) {
    const LaneMatrix<T> natural{data, op.b.rows, op.b.cols, op.b.cols, 1};
    return right ? transposed(natural) : natural;
  };
  LaneMatrix<T> l{workspace, n, n, n, 1}, b = view(of_b), x = view(of_x);
  // op(T), or its transpose on the right side, which exchanges the triangles.
  const bool flipped = (options.transpose != 0) != right;
  const bool from_the_end = (options.upper != 0) != flipped;
  read_lanes(op.t, n, l.data);
  const IntVec<T> largest = read_lanes(op.b, op.b.cols, of_b);
  if (flipped) l = transposed(l);
  if (from_the_end) {
    l = reversed(l, true);
    b = reversed(b, false);
    x = reversed(x, false);
  }
  const TriangleFacts<T> facts =
      inspect(l, unit, reciprocals, op.condition, [&](int64_t i) { return from_the_end ? n - 1 - i : i; });
  const Vec<T> alpha = broadcast(static_cast<T>(op.alpha));
  for (int64_t at = 0; at < count * W; at += W) {
    const Vec<T> element = alpha * load(of_b + at);
    store(of_b + at, element);
    store(of_x + at, element);
  }
  solve_lower(l, reciprocals, x);
  weigh_columns(x, b, facts.squares, op.signs, weights);
  residual_of(l, unit, x, b, weights, memory, op.residual);
  Mask<T> finite = ~Mask<T>{};
  for (int64_t at = 0; at < count * W; at += W) {
    const Vec<T> element = load(of_x + at);
    finite &= element - element == Vec<T>{};
  }
  bool wanted[kMostLanes] = {};
  for (int lane = 0; lane < W; ++lane) {
    op.zero[lane] = static_cast<int32_t>(facts.zero[lane]);
    op.status[lane] = facts.largest[lane] >= kInfinity || largest[lane] >= kInfinity ? KR_STATUS_NON_FINITE_INPUT
                      : facts.zero[lane] >= 0                                        ? KR_STATUS_SINGULAR
                      : finite[lane] == 0                                            ? KR_STATUS_OVERFLOW
                                                                                     : KR_STATUS_OK;
    wanted[lane] = op.status[lane] == KR_STATUS_OK;
  }
  write_lanes<T>(of_x, op.b.cols, op.x, wanted);
}

}  // namespace triangular
}  // namespace
}  // namespace kronroot::cpu
