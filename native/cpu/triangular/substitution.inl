// Substitution for one right-hand side, which is bound by the memory that T comes from: everything that is wanted of T
// comes from one pass over its triangle, kWidth<double> rows at a time. For E = T a row gives its unknown,
//   x_i = (b_i - sum_k t_ik x_k) / t_ii,            k over the unknowns that are known,
// for E = T^T it takes its unknown out of the others,
//   x_i = (b_i - s_i) / t_ii, then s_k += t_ik x_i,  k over the unknowns that are not.
// Sums are in f64 and serve the residual too, t_ii x_i + s_i - b_i for the x_i that was rounded to T. In f64 that would
// hide their own rounding: there the residual has sums of its own, in another order.
#pragma once

#include "../gemm/vector_operations.inl"
#include "substitution.hpp"

namespace kronroot::cpu {
namespace {
namespace triangular {

template <typename T>
class SubstitutionPass {
 public:
  // workspace: 3 n numbers.
  SubstitutionPass(Substitution<T>& op, double* workspace)
      : op_(op), known_(workspace), sums_(workspace + op.n), others_(workspace + 2 * op.n) {}

  bool run() {
    const int64_t n = op_.n, whole = n / kRows * kRows;
    // Single rows come last, or first for E = T^T, so that blocks meet ranges of whole vectors.
    if (op_.transposed) {
      for (int64_t i = 0; i < n; ++i) sums_[i] = others_[i] = 0;
      if (is_forward()) {
        for (int64_t i = 0; i < n - whole; ++i) take_columns<1>(i);
        for (int64_t i = n - whole; i < n; i += kRows) take_columns<kRows>(i);
      } else {
        for (int64_t i = n - 1; i >= whole; --i) take_columns<1>(i);
        for (int64_t i = whole - kRows; i >= 0; i -= kRows) take_columns<kRows>(i);
      }
    } else if (is_forward()) {
      for (int64_t i = 0; i < whole; i += kRows) take_rows<kRows>(i);
      for (int64_t i = whole; i < n; ++i) take_rows<1>(i);
    } else {
      for (int64_t i = n - kRows; i >= 0; i -= kRows) take_rows<kRows>(i);
      for (int64_t i = n - whole - 1; i >= 0; --i) take_rows<1>(i);
    }
    const double squares = of_t_ + of_x_ + of_b_;
    if (!is_regular_ || squares - squares != 0) return false;
    const double size = __builtin_sqrt(of_t_) * __builtin_sqrt(of_x_) + __builtin_sqrt(of_b_);
    op_.residual = size > 0 ? __builtin_sqrt(of_residual_) / size : 0;
    op_.condition = most_ / least_;
    return true;
  }

 private:
  static constexpr int kRows = kWidth<double>;
  static constexpr bool kSeparate = sizeof(T) == sizeof(double);  // sums of its own for the residual

  bool is_forward() const { return op_.upper == op_.transposed; }
  const T* row(int64_t i) const { return op_.t + i * op_.stride; }

  // E = T: the unknowns i .. i + Rows - 1 from their rows.
  template <int Rows>
  void take_rows(int64_t i) {
    const int64_t first = is_forward() ? 0 : i + Rows, end = is_forward() ? i : op_.n;
    const T* const t = row(i);
    Vec<double> sums[kRows] = {}, others[kRows] = {}, squares[kRows] = {};
    const int64_t ahead = is_forward() ? Rows : -Rows;  // the block after this one, on its way from memory meanwhile
    int64_t k = first;
    for (; k + 2 * kRows <= end; k += 2 * kRows) {
      const Vec<double> x0 = load(known_ + k), x1 = load(known_ + k + kRows);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const Vec<double> a = load_as_double(t + r * op_.stride + k),
                          b = load_as_double(t + r * op_.stride + k + kRows);
        sums[r] = fma(b, x1, fma(a, x0, sums[r]));
        squares[r & 3] = fma(b, b, fma(a, a, squares[r & 3]));
        if (kSeparate) others[r] += fma(b, x1, a * x0);
        __builtin_prefetch(t + (r + ahead) * op_.stride + k);
      }
    }
    for (; k + kRows <= end; k += kRows) {
      const Vec<double> x = load(known_ + k);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const Vec<double> element = load_as_double(t + r * op_.stride + k);
        sums[r] = fma(element, x, sums[r]);
        squares[r & 3] = fma(element, element, squares[r & 3]);
        if (kSeparate) others[r] += element * x;
      }
    }
    double sum[kRows] = {}, other[kRows] = {};
    for (; k < end; ++k) {
      for (int r = 0; r < Rows; ++r) {
        const auto element = static_cast<double>(t[r * op_.stride + k]);
        sum[r] += element * known_[k];
        of_t_ += element * element;
        if (kSeparate) other[r] += element * known_[k];
      }
    }
    add_lanes<Rows>(sums, sum);
    if (kSeparate) add_lanes<Rows>(others, other);
    Vec<double> all{};
    for (int r = 0; r < (Rows < 4 ? Rows : 4); ++r) all += squares[r];
    of_t_ += ::kronroot::cpu::sum<double>(all);
    take_triangle<Rows>(i, sum, other);
  }

  // to_r += the sum of the lanes of vector r
  template <int Rows>
  static void add_lanes(Vec<double> (&vectors)[kRows], double* to) {
    if constexpr (Rows == 1) {
      *to += ::kronroot::cpu::sum<double>(vectors[0]);
    } else {
      transpose<double>(vectors);
      Vec<double> total = load(to);
      for (int r = 0; r < Rows; ++r) total += vectors[r];
      store(to, total);
    }
  }

  // E = T^T: the unknowns i .. i + Rows - 1 are known but for each other, and are taken out of those after them.
  template <int Rows>
  void take_columns(int64_t i) {
    take_triangle<Rows>(i, sums_ + i, others_ + i);
    const int64_t first = is_forward() ? i + Rows : 0, end = is_forward() ? op_.n : i;
    const T* const t = row(i);
    Vec<double> x[Rows], squares[4] = {};
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) x[r] = broadcast(known_[i + r]);
    int64_t k = first;
    for (; k + kRows <= end; k += kRows) {
      Vec<double> sum = load(sums_ + k), product{};
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const Vec<double> element = load_as_double(t + r * op_.stride + k);
        sum = fma(element, x[r], sum);
        squares[r & 3] = fma(element, element, squares[r & 3]);
        if (kSeparate) product = fma(element, x[r], product);
      }
      store(sums_ + k, sum);
      if (kSeparate) store(others_ + k, load(others_ + k) + product);
    }
    for (; k < end; ++k) {
      for (int r = 0; r < Rows; ++r) {
        const auto element = static_cast<double>(t[r * op_.stride + k]);
        sums_[k] += element * known_[i + r];
        of_t_ += element * element;
        if (kSeparate) others_[k] += element * known_[i + r];
      }
    }
    of_t_ += ::kronroot::cpu::sum<double>((squares[0] + squares[1]) + (squares[2] + squares[3]));
  }

  // The block on the diagonal: sums hold what the unknowns before the block contribute.
  template <int Rows>
  void take_triangle(int64_t i, const double* sums, const double* others) {
    double block[Rows][Rows];  // of E, in the order of the unknowns
    const int64_t start = is_forward() ? i : i + Rows - 1, step = is_forward() ? 1 : -1;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      double squares = 0;
#pragma GCC unroll 8
      for (int k = 0; k < r; ++k) {
        const int64_t p = start + step * r, q = start + step * k;
        block[r][k] = static_cast<double>(op_.transposed ? row(q)[p] : row(p)[q]);
        squares += block[r][k] * block[r][k];
      }
      block[r][r] = op_.unit ? 1.0 : static_cast<double>(row(start + step * r)[start + step * r]);
      of_t_ += squares + block[r][r] * block[r][r];
    }
    double x[Rows];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const int64_t p = start + step * r;
      const auto b = static_cast<double>(op_.b[p]);
      double sum = sums[p - i];
#pragma GCC unroll 8
      for (int k = 0; k < r; ++k) sum += block[r][k] * x[k];
      const double diagonal = block[r][r], inverse = 1 / diagonal;
      const T solution = static_cast<T>((b - sum) * inverse);
      op_.x[p] = solution;
      known_[p] = x[r] = static_cast<double>(solution);
      double difference = diagonal * x[r] - b;
      if (kSeparate) {
#pragma GCC unroll 8
        for (int k = r - 1; k >= 0; --k) difference += block[r][k] * x[k];
      }
      difference += kSeparate ? others[p - i] : sum;
      of_residual_ += difference * difference;
      of_x_ += x[r] * x[r];
      of_b_ += b * b;
      const double size = diagonal < 0 ? -diagonal : diagonal;
      most_ = size > most_ ? size : most_;
      least_ = size < least_ ? size : least_;
      const T rounded = static_cast<T>(inverse);
      is_regular_ &= rounded - rounded == 0;  // neither beyond the range of T nor of 0
    }
  }

  Substitution<T>& op_;
  double* known_;  // x
  double* sums_;   // of E = T^T, for unknowns to come
  double* others_;
  double of_t_ = 0, of_x_ = 0, of_b_ = 0, of_residual_ = 0;  // sums of squares
  double most_ = 0, least_ = __builtin_inf();                // magnitudes on the diagonal
  bool is_regular_ = true;
};

template <typename T>
bool substitute(Substitution<T>& op, double* workspace) {
  return SubstitutionPass<T>(op, workspace).run();
}

}  // namespace triangular
}  // namespace
}  // namespace kronroot::cpu
