// A system of Kronecker structure in its eigenbases.
#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "../core/random.hpp"
#include "../core/report.hpp"
#include "../core/ridge.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "product.hpp"

namespace kronroot::cpu {
namespace {

template <typename T>
Matrix<T> matrix_or_none(const kr_batch* batch, int64_t index) {
  return batch == nullptr ? Matrix<T>{} : matrix_of<T>(*batch, index);
}

// A matrix without gaps is one long row: fewer calls of the kernels, which is what small ones cost.
template <typename T>
Matrix<T> in_long_rows(const Matrix<T>& x) {
  return x.stride == x.cols && x.data != nullptr ? Matrix<T>{x.data, 1, x.rows * x.cols, x.rows * x.cols} : x;
}

// max |x_ij|; infinite or NaN where an element is.
template <typename T>
double largest_magnitude(const Kernels<T>& kernels, const Matrix<T>& matrix) {
  const Matrix<T> x = in_long_rows(matrix);
  double largest = 0;
  for (int64_t i = 0; i < x.rows; ++i) {
    const double of_row = static_cast<double>(kernels.largest_magnitude(x.cols, &x(i, 0)));
    if (!(of_row <= largest)) largest = of_row;
    if (std::isnan(largest)) break;
  }
  return largest;
}

int32_t detail_of(int64_t index) {
  return index > std::numeric_limits<int32_t>::max() ? -1 : static_cast<int32_t>(index);
}

// Of values or scales: KR_STATUS_OK and the largest one, for a relative damping; or what is wrong, and the index of the
// first one that is negative beyond rounding.
struct Spectrum {
  kr_status status = KR_STATUS_OK;
  double largest = 0;
  int64_t negative = -1;
};

template <typename T>
Spectrum spectrum_of(const Kernels<T>& kernels, const Matrix<T>& s) {
  const double magnitude = largest_magnitude(kernels, s);
  if (!std::isfinite(magnitude)) return {KR_STATUS_NON_FINITE_INPUT};
  const double lowest = -8 * static_cast<double>(std::max(s.rows, s.cols)) * ulp_of<T> * magnitude;
  Spectrum found;
  const Matrix<T> rows = in_long_rows(s);
  for (int64_t i = 0; i < rows.rows; ++i) {
    T smallest = 0, largest = 0;
    T* const row = &rows(i, 0);
    kernels.extremes(rows.cols, row, &smallest, &largest);
    found.largest = std::max(found.largest, static_cast<double>(largest));
    if (static_cast<double>(smallest) >= lowest) continue;
    const T* first = std::find_if(row, row + rows.cols, [&](T x) { return static_cast<double>(x) < lowest; });
    return {KR_STATUS_NOT_POSITIVE_DEFINITE, 0, i * rows.cols + (first - row)};
  }
  return found;
}

// One matrix of the batch.
template <typename T>
class KronSolve {
 public:
  // The probe v is a random sign vector as long as a row of x.
  KronSolve(const Kernels<T>& kernels, const kr_kron_solve_options& options, const double* probe, int64_t parts)
      : kernels_(kernels),
        options_(options),
        factor_(options.factor == 0 ? 1 : options.factor),
        parts_(parts),
        probe_(probe) {}

  // Inputs; those that the call lacks have no data. `statistics` and y are written when all has gone well.
  Matrix<T> a, a_values, b, b_values, scale, statistics, x, y;

  kr_report run() {
    for (const Matrix<T>* input : {&x, &a, &b}) {
      if (!std::isfinite(largest_magnitude(kernels_, *input))) return failed(KR_STATUS_NON_FINITE_INPUT);
    }
    take_scratch();
    rotate_in();
    rotate_probe();
    kr_report report = answered(KR_METHOD_DIRECT);
    report.residual = lost(x);
    if (statistics.data != nullptr) {
      if (const kr_status status = blend_statistics(); status != KR_STATUS_OK) return failed(status);
    }
    if (y.data != nullptr) {
      if (!divide(report)) return report;
      rotate_probe();
      rotate_out();
      report.residual = std::max(report.residual, lost(z_));
      if (!std::isfinite(largest_magnitude(kernels_, z_))) return failed(KR_STATUS_OVERFLOW);
      copy(z_, y);
    }
    if (statistics.data != nullptr) copy(scale, statistics);
    return report;
  }

 private:
  static void copy(const Matrix<T>& from, const Matrix<T>& to) {
    if (from.stride == from.cols && to.stride == to.cols) {
      std::copy_n(from.data, from.rows * from.cols, to.data);
      return;
    }
    for (int64_t i = 0; i < from.rows; ++i) std::copy_n(&from(i, 0), from.cols, &to(i, 0));
  }

  Matrix<T> take_like_x() { return {scratch_.take<T>(x.rows * x.cols), x.rows, x.cols, x.cols}; }

  // Q_B^T v, and room for images of it.
  void take_scratch() {
    z_ = take_like_x();
    other_ = take_like_x();
    const int64_t m = x.rows, n = x.cols;
    probe_in_basis_ = scratch_.take<double>(n);
    image_in_basis_ = scratch_.take<double>(m);
    image_ = scratch_.take<double>(m);
    if (b.data == nullptr) {
      std::copy_n(probe_, n, probe_in_basis_);
    } else {
      std::fill_n(probe_in_basis_, n, 0.0);
      for (int64_t j = 0; j < n; ++j) kernels_.axpy_wide(n, probe_[j], &b(j, 0), probe_in_basis_);
    }
  }

  // c = op(left) op(right), on several threads where the batch leaves some without work.
  void multiply(const Matrix<T>& left, bool transpose_left, const Matrix<T>& right, bool transpose_right,
                const Matrix<T>& c) const {
    Product<T> product;
    product.m = c.rows;
    product.n = c.cols;
    product.k = transpose_left ? left.rows : left.cols;
    product.a = left.data;
    product.a_stride = left.stride;
    product.transpose_a = transpose_left;
    product.b = right.data;
    product.b_stride = right.stride;
    product.transpose_b = transpose_right;
    product.c = c.data;
    product.c_stride = c.stride;
    multiply_in_parts(kernels_, product, parts_);
  }

  // z = Q_A^T X Q_B
  void rotate_in() {
    if (a.data != nullptr) multiply(a, true, x, false, z_);
    if (b.data != nullptr) {
      multiply(a.data == nullptr ? x : z_, false, b, false, other_);
      std::swap(z_, other_);
    } else if (a.data == nullptr) {
      copy(x, z_);
    }
  }

  // z <- Q_A z Q_B^T
  void rotate_out() {
    if (a.data != nullptr) {
      multiply(a, false, z_, false, other_);
      std::swap(z_, other_);
    }
    if (b.data != nullptr) {
      multiply(z_, false, b, true, other_);
      std::swap(z_, other_);
    }
  }

  // image = Q_A z Q_B^T v, in f64
  void rotate_probe() {
    double* const product = a.data == nullptr ? image_ : image_in_basis_;
    kernels_.dot_rows_wide(x.rows, x.cols, z_.data, z_.stride, probe_in_basis_, product);
    if (a.data != nullptr) kernels_.dot_rows_wide(x.rows, x.rows, a.data, a.stride, image_in_basis_, image_);
  }

  // |image - result v|_2 / |result|_F; 0 where both are the same.
  double lost(const Matrix<T>& result) const {
    double errors = 0, squares = 0;
    double* const product = image_in_basis_;  // done with
    kernels_.dot_rows_wide(result.rows, result.cols, result.data, result.stride, probe_, product);
    for (int64_t i = 0; i < result.rows; ++i) errors += (image_[i] - product[i]) * (image_[i] - product[i]);
    if (errors == 0) return 0;
    const Matrix<T> rows = in_long_rows(result);
    for (int64_t i = 0; i < rows.rows; ++i) squares += kernels_.dot(rows.cols, &rows(i, 0), &rows(i, 0));
    return std::sqrt(errors / squares);
  }

  // The new statistics, which are the scale from here on, in scratch memory.
  kr_status blend_statistics() {
    scale = take_like_x();
    if (options_.beta != 0) {
      if (!std::isfinite(largest_magnitude(kernels_, statistics))) return KR_STATUS_NON_FINITE_INPUT;
      copy(statistics, scale);
    }
    kernels_.blend_squares(x.rows * x.cols, options_.beta, options_.weight, z_.data, scale.data);
    return std::isfinite(largest_magnitude(kernels_, scale)) ? KR_STATUS_OK : KR_STATUS_OVERFLOW;
  }

  // z <- the quotients. False: the report says what is wrong with the scale.
  bool divide(kr_report& report) {
    DivisorRange range{};
    const bool is_answered = scale.data != nullptr ? divide_by_scale(report, range) : divide_by_values(report, range);
    if (!is_answered) return false;
    report.condition = range.kept == 0 ? not_measured : range.largest / range.smallest;
    if (range.kept < x.rows * x.cols) report = rank_deficient(report, range.kept);
    return true;
  }

  bool divide_by_scale(kr_report& report, DivisorRange& range) {
    const Spectrum spectrum = spectrum_of(kernels_, scale);
    if (!is_usable(spectrum, report)) return false;
    const Matrix<T> rows = in_long_rows(scale);
    auto division = division_by<T>(rows.data, rows.stride, nullptr, spectrum.largest);
    division.rows = rows.rows;
    division.cols = rows.cols;
    range = kernels_.divide(division);
    return true;
  }

  bool divide_by_values(kr_report& report, DivisorRange& range) {
    double largest = 1;
    for (const Matrix<T>* values : {&a_values, &b_values}) {
      if (values->data == nullptr) continue;
      const Spectrum spectrum = spectrum_of(kernels_, *values);
      if (!is_usable(spectrum, report)) return false;
      largest *= spectrum.largest;
    }
    double* const of_rows = scratch_.take<double>(x.rows);
    double* const of_columns = scratch_.take<double>(x.cols);
    for (int64_t i = 0; i < x.rows; ++i) of_rows[i] = value_of(a_values, i);
    for (int64_t j = 0; j < x.cols; ++j) of_columns[j] = value_of(b_values, j);
    range = kernels_.divide_wide(division_by<double>(of_columns, 0, of_rows, largest));
    return true;
  }

  // `largest` is that of s, to which a damping may be relative.
  template <typename S>
  Division<T, S> division_by(const S* s, int64_t stride, const double* weights, double largest) const {
    constexpr int32_t dtype = sizeof(T) == 4 ? KR_F32 : KR_F64;
    const double damping =
        ridge_epsilon<double>(options_.damping, options_.damping_value, factor_ * largest, 0, 1, dtype);
    const bool is_root = options_.power == KR_KRON_POWER_HALF;
    return {x.rows, x.cols, z_.data, s, stride, weights, factor_, damping, options_.epsilon, is_root};
  }

  static bool is_usable(const Spectrum& spectrum, kr_report& report) {
    if (spectrum.status == KR_STATUS_OK) return true;
    report = failed(spectrum.status, detail_of(spectrum.negative));
    return false;
  }

  static double value_of(const Matrix<T>& values, int64_t index) {
    return values.data == nullptr ? 1 : std::max(static_cast<double>(values(index, 0)), 0.0);
  }

  const Kernels<T>& kernels_;
  const kr_kron_solve_options& options_;
  double factor_;
  int64_t parts_;
  Scratch scratch_;
  Matrix<T> z_, other_;
  const double* probe_;
  double *probe_in_basis_ = nullptr, *image_in_basis_ = nullptr, *image_ = nullptr;
};

template <typename T>
kr_code run(const kr_call* call, const kr_kron_solve_options& options, const kr_kron_bases& bases,
            const kr_batch* scale, const kr_batch* statistics, const kr_batch& x, const kr_batch* y,
            kr_report* reports) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const double m = static_cast<double>(x.rows), n = static_cast<double>(x.cols);
  const double side = (bases.a_vectors == nullptr ? 1 : m) + (bases.b_vectors == nullptr ? 1 : n);
  const double flops = (y == nullptr ? 2 : 4) * m * n * side;
  const int64_t parts = row_parts(x.batch, call->device->threads, x.rows, flops / 4);
  Scratch scratch;
  double* const probe = scratch.take<double>(x.cols);
  for (int64_t j = 0; j < x.cols; ++j) probe[j] = random_sign(probe_stream, static_cast<uint64_t>(j));
  return report_each(call, x.batch, flops, reports, [&](int64_t index) {
    if (x.rows == 0 || x.cols == 0) return answered(KR_METHOD_DIRECT);
    KronSolve<T> solve(kernels, options, probe, parts);
    solve.a = matrix_or_none<T>(bases.a_vectors, index);
    solve.a_values = matrix_or_none<T>(bases.a_values, index);
    solve.b = matrix_or_none<T>(bases.b_vectors, index);
    solve.b_values = matrix_or_none<T>(bases.b_values, index);
    solve.scale = matrix_or_none<T>(scale, index);
    solve.statistics = matrix_or_none<T>(statistics, index);
    solve.x = matrix_of<T>(x, index);
    solve.y = matrix_or_none<T>(y, index);
    return solve.run();
  });
}

}  // namespace

kr_code kron_solve(const kr_call* call, const kr_kron_solve_options* given, const kr_kron_bases* given_bases,
                   const kr_batch* scale, const kr_batch* statistics, const kr_batch* x, const kr_batch* y,
                   kr_report* reports) try {
  if (const kr_code code = check_kron_solve(call, given, given_bases, scale, statistics, x, y)) return code;
  const kr_kron_solve_options options = given == nullptr ? kr_kron_solve_options{} : *given;
  const kr_kron_bases bases = given_bases == nullptr ? kr_kron_bases{} : *given_bases;
  return x->dtype == KR_F32 ? run<float>(call, options, bases, scale, statistics, *x, y, reports)
                            : run<double>(call, options, bases, scale, statistics, *x, y, reports);
} catch (const std::bad_alloc&) {
  return fail(call, KR_OUT_OF_MEMORY, "no memory for a row of x");
}

}  // namespace kronroot::cpu
