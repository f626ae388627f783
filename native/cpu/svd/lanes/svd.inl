// Singular value decomposition of a lane group, whole. B, the wide one of A and A^T, is read into rows; J B = W with
// orthogonal rows (jacobi.inl); sorted by length, W^T = U diag(s) by QR (qr/lanes/reflectors.inl), which also completes
// the columns of U that vanished rows leave open; B = J^T diag(s) U^T.
#pragma once

#include "../../eigen/lanes/order.inl"
#include "../../kernels.hpp"
#include "../../lanes/read.inl"
#include "../../lanes/write.inl"
#include "../../qr/lanes/qr.inl"
#include "../lanes.hpp"
#include "jacobi.inl"

namespace kronroot::cpu {
namespace {
namespace svd {

// Where a group's arrays lie; m <= n are the sides of B.
template <typename T>
struct SvdLanesSpace {
  T* input;    // A, later the columns of U
  T* rows;     // W and J side by side
  T* columns;  // W^T in order
  T* left;     // J^T in order
  T* values;   // s, later s once more in order
  T* ranks;    // rank, then order
  T* reflectors;
  double* probe;
  int64_t size = 0;  // elements of T

  SvdLanesSpace(int64_t m, int64_t n, bool vectors, T* base) {
    constexpr int W = kWidth<T>;
    const auto take = [&](int64_t count) {
      T* piece = base == nullptr ? nullptr : base + size;
      size += count;
      return piece;
    };
    input = take(m * n * W);
    rows = take(m * (vectors ? n + m : n) * W);
    values = take(2 * m * W);
    ranks = take(2 * m * W);
    columns = take(vectors ? m * n * W : 0);
    left = take(vectors ? m * m * W : 0);
    reflectors = take(vectors ? qr::LaneReflectors<T>::workspace(n, m) : 0);
    probe = reinterpret_cast<double*>(take(vectors ? (4 * n + 4 * m) * W * kParts<T> : 0));
  }
};

template <typename T>
int64_t svd_lanes_workspace(int64_t m, int64_t n, bool vectors) {
  return SvdLanesSpace<T>(m < n ? m : n, m < n ? n : m, vectors, nullptr).size;
}

// out(i, k) = component `first` + i of row from[k], for i < out.rows.
template <typename T>
void gather_rows(const T* rows, int64_t length, int64_t first, const IntVec<T>* from, const LaneMatrix<T>& out) {
  using Word = typename Bits<T>::type;
  constexpr Word W = kWidth<T>;
  const IntVec<T> lane = lane_numbers<T>(std::make_integer_sequence<int, kWidth<T>>{});
  for (int64_t k = 0; k < out.cols; ++k) {
    const IntVec<T> row = from[k] * (static_cast<Word>(length) * W) + lane;
    for (int64_t i = 0; i < out.rows; ++i) store(out.at(i, k), gather(rows + (first + i) * W, row));
  }
}

// Column k of both changes its sign where the component of largest magnitude of that of x, the first of equals, is
// negative.
template <typename T>
void fix_signs(const LaneMatrix<T>& x, const LaneMatrix<T>& y) {
  for (int64_t k = 0; k < x.cols; ++k) {
    Vec<T> largest{};
    for (int64_t i = 0; i < x.rows; ++i) {
      const Vec<T> each = load(x.at(i, k));
      largest = select<T>(absolute<T>(each) > absolute<T>(largest), each, largest);
    }
    const Vec<T> sign = copy_sign<T>(broadcast(T{1}), largest);
    for (int64_t i = 0; i < x.rows; ++i) store(x.at(i, k), load(x.at(i, k)) * sign + Vec<T>{});
    for (int64_t i = 0; i < y.rows; ++i) store(y.at(i, k), load(y.at(i, k)) * sign + Vec<T>{});
  }
}

// |B^T z - U diag(s) V^T z|_2 / (|B|_F |z|_2), 0 for B = 0. product = B^T z; memory: v.cols + u.rows lanes.
template <typename T>
void residual_of(const LaneMatrix<T>& u, const T* values, const LaneMatrix<T>& v, const double* z,
                 const double* product, const Wide<T>& squares, double* memory, double* out) {
  constexpr int W = kWidth<T>;
  double* coordinates = memory;
  double* image = coordinates + v.cols * W;
  const Wide<T> none{};
  multiply_wide(transposed(v), z, coordinates);
  for (int64_t k = 0; k < v.cols; ++k) {
    double* each = coordinates + k * W;
    store_wide<T>(each, wide_fma<T>(load_wide<T>(each), widen<T>(load(values + k * W)), none));
  }
  multiply_wide(u, coordinates, image);
  double size[W];
  store_wide<T>(size, squares);
  store_wide<T>(out, squared_distance<T>(u.rows, image, product));
  for (int l = 0; l < W; ++l) {
    out[l] = size[l] > 0 ? __builtin_sqrt(out[l] / (size[l] * static_cast<double>(v.rows))) : 0;
  }
}

// s from the diagonal of R or the lengths of the rows: rounding may disturb the order of equals, so none may exceed the
// one before it. Then scaled back; gives the lanes in which that is not finite.
template <typename T>
Mask<T> finish_values(int64_t m, const LaneScale<T>& scale, T* values, SvdLanes<T>& op) {
  constexpr int W = kWidth<T>;
  for (int64_t k = 1; k < m; ++k) {
    store(values + k * W, minimum<T>(load(values + k * W), load(values + (k - 1) * W)));
  }
  const Vec<T> last = load(values + (m - 1) * W);
  for (int l = 0; l < W; ++l) op.condition[l] = static_cast<double>(values[l]) / static_cast<double>(last[l]);
  return qr::scale_lanes(LaneMatrix<T>{values, m, 1, 1, 1}, scale.exponent);
}

template <typename T>
void set_status(const LaneScale<T>& scale, Mask<T> overflown, bool* wanted, SvdLanes<T>& op) {
  for (int l = 0; l < kWidth<T>; ++l) {
    op.status[l] = scale.is_finite[l] == 0 ? KR_STATUS_NON_FINITE_INPUT
                   : op.sweeps[l] < 0      ? KR_STATUS_NOT_CONVERGED
                   : overflown[l] != 0     ? KR_STATUS_OVERFLOW
                                           : KR_STATUS_OK;
    wanted[l] = op.status[l] == KR_STATUS_OK;
  }
}

// As Kernels<T>::svd_lanes.
template <typename T>
void svd_lanes(SvdLanes<T>& op, T* workspace) {
  constexpr int W = kWidth<T>;
  const bool tall = op.a.rows > op.a.cols, vectors = op.u.data != nullptr;
  const int64_t m = tall ? op.a.cols : op.a.rows, n = tall ? op.a.rows : op.a.cols, length = vectors ? n + m : n;
  const SvdLanesSpace<T> space(m, n, vectors, workspace);
  const LaneScale<T> scale = read_scaled_lanes(op.a, op.a.cols, space.input);
  const LaneMatrix<T> b{space.input, m, n, tall ? 1 : n, tall ? m : 1};
  for (int64_t i = 0; i < m; ++i) {
    T* row = space.rows + i * length * W;
    for (int64_t j = 0; j < n; ++j) store(row + j * W, load(b.at(i, j)));
    for (int64_t j = n; j < length; ++j) store(row + j * W, broadcast(T(j - n == i)));
  }
  double* z = space.probe;
  double* product = z + m * W;
  double* memory = product + n * W;
  Wide<T> squares{};
  if (vectors) {
    broadcast_wide<T>(m, op.signs, z);
    multiply_wide(transposed(b), z, product);
    squares = squares_of(b);
  }

  orthogonalize_rows(m, n, length, space.rows, space.values, op.sweeps);
  T* negated = space.values + m * W;
  for (int64_t i = 0; i < m; ++i) store(negated + i * W, -square_root(load(space.values + i * W)));
  auto* rank = reinterpret_cast<IntVec<T>*>(space.ranks);
  IntVec<T>* from = rank + m;
  eigen_lanes::sort_lanes(m, negated, rank, from);
  const LaneMatrix<T> values{space.values, m, 1, 1, 1};
  bool wanted[kMostLanes] = {};
  if (!vectors) {
    gather_rows(negated, 1, 0, from, LaneMatrix<T>{space.values, 1, m, m, 1});
    for (int64_t k = 0; k < m; ++k) store(values.at(k, 0), -load(values.at(k, 0)));
    set_status(scale, finish_values(m, scale, space.values, op), wanted, op);
    write_lanes<T>(space.values, 1, op.s, wanted);
    return;
  }
  const LaneMatrix<T> columns{space.columns, n, m, m, 1}, left{space.left, m, m, m, 1}, right{space.input, n, m, m, 1};
  gather_rows(space.rows, length, 0, from, columns);
  gather_rows(space.rows, length, n, from, left);
  qr::LaneReflectors<T> factorization(columns, space.reflectors);
  factorization.factor();
  factorization.form(right);
  for (int64_t k = 0; k < m; ++k) store(values.at(k, 0), load(columns.at(k, k)));
  fix_signs(left, right);
  double of_left[kMostLanes], of_right[kMostLanes];
  residual_of(right, space.values, left, z, product, squares, memory, op.residual);
  orthonormality(left, op.signs, memory, of_left);
  orthonormality(right, op.signs, memory, of_right);
  set_status(scale, finish_values(m, scale, space.values, op), wanted, op);
  for (int l = 0; l < W; ++l) {
    const double lost = of_left[l] > of_right[l] ? of_left[l] : of_right[l];
    op.residual[l] = op.residual[l] > lost ? op.residual[l] : lost;
  }
  write_lanes<T>(space.values, 1, op.s, wanted);
  write_lanes<T>(tall ? right.data : left.data, m, op.u, wanted);
  write_lanes<T>(tall ? left.data : right.data, m, op.v, wanted);
}

}  // namespace svd
}  // namespace
}  // namespace kronroot::cpu
