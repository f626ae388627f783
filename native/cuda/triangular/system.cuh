// triangular_solve as E Y = C with E triangular and the right-hand sides in the columns of C: E = op(T), C = alpha B,
// or, where T stands on the right, E = op(T)^T, C = alpha B^T. An upper E is solved from its last row to its first;
// with place(i) the row or column of E that comes i-th, l_ik = e_place(i) place(k) is lower triangular in every case.
#pragma once

#include <cmath>
#include <limits>

#include "../../core/random.hpp"
#include "../../core/report.hpp"
#include "../batch.cuh"

namespace kronroot::cuda {

template <typename T>
struct TriangularSystem {
  BatchView<const T> t, b;
  BatchView<T> x;
  bool is_unit, is_upper, is_transposed, is_right;  // is_upper: T is; is_transposed: E = T^T
  T alpha;

  static TriangularSystem of(const kr_triangular_solve_options& options, const kr_batch& t, const kr_batch& b,
                             const kr_batch& x) {
    const bool is_right = options.side == KR_SIDE_RIGHT;
    return {view_of<const T>(t),
            view_of<const T>(b),
            view_of<T>(x),
            options.unit_diagonal != 0,
            options.upper != 0,
            (options.transpose != 0) != is_right,
            is_right,
            static_cast<T>(options.alpha == 0 ? 1 : options.alpha)};
  }
  __host__ __device__ int64_t order() const { return t.rows; }
  // Right-hand sides.
  __host__ __device__ int64_t count() const { return is_right ? b.rows : b.cols; }
  __host__ __device__ bool is_forward() const { return is_upper == is_transposed; }
  // Whether t_rc is an element of the triangle; the diagonal is not where it is one by decree.
  __device__ bool counts(int64_t r, int64_t c) const { return r == c ? !is_unit : (c > r) == is_upper; }

  // c_ij and y_ij.
  __device__ T right(int64_t m, int64_t i, int64_t j) const { return alpha * (is_right ? b[m](j, i) : b[m](i, j)); }
  __device__ void answer(int64_t m, int64_t i, int64_t j, T value) const {
    const MatrixView<T> to = x[m];
    (is_right ? to(j, i) : to(i, j)) = value;
  }
};

// What is said of T and B before anything is solved.
struct TriangularScan {
  double bad = 0;   // not 0: an element of the triangle or of B is not finite
  double most = 0;  // max |t_ii|
  double minus_least = -std::numeric_limits<double>::infinity();
  double minus_zero = -std::numeric_limits<double>::infinity();  // minus the index of the first zero t_ii
  double squares = 0;                                            // |E|_F^2

  __device__ __forceinline__ void see_diagonal(int64_t i, double value) {
    const double size = value < 0 ? -value : value;
    most = size > most ? size : most;
    minus_least = -size > minus_least ? -size : minus_least;
    if (size == 0 && -static_cast<double>(i) > minus_zero) minus_zero = -static_cast<double>(i);
  }
  // residual still to come.
  __device__ __forceinline__ kr_report report(bool is_unit) const {
    if (bad != 0) return failed(KR_STATUS_NON_FINITE_INPUT);
    if (minus_zero > -std::numeric_limits<double>::infinity()) {
      return failed(KR_STATUS_SINGULAR, static_cast<int32_t>(-minus_zero));
    }
    kr_report report = answered(KR_METHOD_DIRECT);
    report.condition = is_unit ? 1 : most / -minus_least;
    return report;
  }
};

// The weight of right-hand side j in the residual: a random sign over |T|_F |x_j|_2 + |alpha b_j|_2.
__device__ __forceinline__ double weight_of_side(int64_t j, double squares_of_t, double squares_of_x,
                                                 double squares_of_b) {
  const double size = std::sqrt(squares_of_t) * std::sqrt(squares_of_x) + std::sqrt(squares_of_b);
  return size > 0 ? random_sign(probe_stream, static_cast<uint64_t>(j)) / size : 0;
}

}  // namespace kronroot::cuda
