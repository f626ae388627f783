// The oracle's matrix: f64, row-major, owning; and the few operations that its formulas are written in.
#pragma once

#include <cstdint>
#include <vector>

#include "../include/kronroot/types.h"

namespace kronroot::reference {

class Dense {
 public:
  Dense() = default;
  Dense(int64_t rows, int64_t cols) : rows_(rows), cols_(cols), data_(static_cast<size_t>(rows * cols)) {}
  static Dense identity(int64_t n);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  bool empty() const { return data_.empty(); }
  double& operator()(int64_t i, int64_t j) { return data_[static_cast<size_t>(i * cols_ + j)]; }
  double operator()(int64_t i, int64_t j) const { return data_[static_cast<size_t>(i * cols_ + j)]; }
  double* row(int64_t i) { return data_.data() + i * cols_; }
  const double* row(int64_t i) const { return data_.data() + i * cols_; }
  std::vector<double>& elements() { return data_; }
  const std::vector<double>& elements() const { return data_; }

 private:
  int64_t rows_ = 0;
  int64_t cols_ = 0;
  std::vector<double> data_;
};

using Vector = std::vector<double>;

// Matrix `index` of a batch, converted to f64, which is exact.
Dense load(const kr_batch& batch, int64_t index);
// Writes x to matrix `index` of a batch, rounded to its dtype.
void store(const Dense& x, const kr_batch& batch, int64_t index);
// x as the dtype would hold it: what a report has to measure.
Dense rounded(Dense x, int32_t dtype);

bool is_finite(const Dense& x);
double max_abs(const Dense& x);
double norm(const Vector& x);           // |x|_2, safe against overflow and underflow
double frobenius_norm(const Dense& x);  // likewise
Dense transpose(const Dense& x);
Dense multiply(const Dense& a, const Dense& b);
Vector multiply(const Dense& a, const Vector& x);
Vector multiply_transposed(const Dense& a, const Vector& x);  // A^T x
// x 2^exponent
Dense scaled(Dense x, int exponent);
// The power of two that brings the largest magnitude of x into [1/2, 1); 0 for a zero or empty matrix.
int exponent_of(const Dense& x);
// The random sign vector of reports, and x - y.
Vector probe(int64_t n);
Vector difference(Vector x, const Vector& y);

}  // namespace kronroot::reference
