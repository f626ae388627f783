// What orthogonalize is asked, and what its kernels share. A is handled as a wide matrix, m <= n: tall ones transposed.
#pragma once

#include <algorithm>
#include <vector>

#include "../../core/matrix.hpp"
#include "../../core/orthogonalize_schedule.hpp"
#include "../../core/random.hpp"
#include "../../core/report.hpp"
#include "../batch.cuh"
#include "../gemm/pair_product.hpp"
#include "../team.cuh"

namespace kronroot::cuda {

struct OrthogonalizeRequest {
  int32_t method;    // kr_method, AUTO decided already
  bool scales_rows;  // by the rule of almost-orthogonal layers
  double safety;
  int32_t steps;
  PairPrecision precision;  // of the products of Newton-Schulz in f32
};

// The steps, as an argument of kernels that take them all.
struct QuinticList {
  static constexpr std::size_t most = 16;
  int count;
  Quintic steps[most];

  explicit QuinticList(const std::vector<Quintic>& all) : count(static_cast<int>(all.size())), steps{} {
    std::copy(all.begin(), all.end(), steps);
  }
};

// The input and output of a call, and its wide view.
template <typename T>
struct OrthogonalizeBatch {
  BatchView<const T> a;
  BatchView<T> x;
  Global<kr_report> reports;

  __host__ __device__ bool is_tall() const { return a.rows > a.cols; }
  __host__ __device__ int rows() const { return static_cast<int>(is_tall() ? a.cols : a.rows); }
  __host__ __device__ int cols() const { return static_cast<int>(is_tall() ? a.rows : a.cols); }
};

// Element (i, j) of the wide view of a matrix.
template <typename T>
struct WideView {
  MatrixView<T> matrix;
  bool is_tall;
  __device__ __forceinline__ T& operator()(int64_t i, int64_t j) const { return is_tall ? matrix(j, i) : matrix(i, j); }
  // Element number e in the order of memory, of `count` columns of the wide view.
  template <typename F>
  __device__ __forceinline__ void visit(int64_t e, const F& f) const {
    const int64_t i = e / matrix.cols, j = e % matrix.cols;
    is_tall ? f(j, i) : f(i, j);
  }
};

// Its size: a power of two cancels in the polar factor and in both scalings, and with it no square over- or underflows.
struct RectangleInput {
  int32_t status;
  int exponent;  // 2^(exponent - 1) <= max |a_ij| < 2^exponent
  bool is_zero;
  double norm;  // |A|_F times 2^-exponent
};

template <typename T, typename Team>
__device__ RectangleInput scan_rectangle(const Team& team, const MatrixView<const T>& a) {
  const int64_t count = a.rows * a.cols;
  double largest = 0, bad = 0;
  for (int64_t e = team.rank(); e < count; e += team.size()) {
    const double each = static_cast<double>(a(e / a.cols, e % a.cols)), size = each < 0 ? -each : each;
    if (!(each - each == 0)) bad = 1;
    if (size > largest) largest = size;
  }
  RectangleInput input{};
  if (team.max(bad) != 0) {
    input.status = KR_STATUS_NON_FINITE_INPUT;
    return input;
  }
  largest = team.max(largest);
  input.is_zero = largest == 0;
  if (input.is_zero) return input;
  int exponent = 0;
  frexp(largest, &exponent);
  input.exponent = exponent;
  double squares = 0;
  for (int64_t e = team.rank(); e < count; e += team.size()) {
    const double each = ldexp(static_cast<double>(a(e / a.cols, e % a.cols)), -exponent);
    squares += each * each;
  }
  input.norm = sqrt(team.sum(squares));
  return input;
}

// Zeros, and the report of A = 0.
template <typename T, typename Team>
__device__ void answer_zero(const Team& team, const OrthogonalizeBatch<T>& batch, int64_t b) {
  const MatrixView<T> out = batch.x[b];
  for (int64_t e = team.rank(); e < out.rows * out.cols; e += team.size()) out(e / out.cols, e % out.cols) = 0;
  if (team.rank() != 0) return;
  kr_report report = rank_deficient(answered(KR_METHOD_DIRECT), 0);
  report.residual = 0;
  batch.reports[b] = report;
}

// |G^2 z - G z|_2 / |z|_2, G = X X^T, for a vector z of random signs, in f64. X(i, j), m x n; vectors: m + n numbers.
template <typename Team, typename Rectangle, typename Vector>
__device__ double partial_isometry_residual(const Team& team, int m, int n, const Rectangle& x, const Vector& of_rows,
                                            const Vector& of_columns) {
  for (int i = team.rank(); i < m; i += team.size()) of_rows[i] = random_sign(probe_stream, static_cast<uint64_t>(i));
  team.sync();
  double squares = 0;
  for (int pass = 0; pass < 2; ++pass) {
    for (int j = team.rank(); j < n; j += team.size()) {
      double sum = 0;
      for (int i = 0; i < m; ++i) {
        const double each = of_rows[i];
        sum += static_cast<double>(x.load(i, j)) * each;
      }
      of_columns[j] = sum;
    }
    team.sync();
    squares = 0;
    for (int i = team.rank(); i < m; i += team.size()) {
      double sum = 0;
      for (int j = 0; j < n; ++j) {
        const double each = of_columns[j];
        sum += static_cast<double>(x.load(i, j)) * each;
      }
      const double before = of_rows[i];
      squares += (sum - before) * (sum - before);
      of_rows[i] = sum;
    }
    team.sync();
  }
  return sqrt(team.sum(squares) / m);
}

}  // namespace kronroot::cuda
