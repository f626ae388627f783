#include "dense.hpp"

#include <algorithm>
#include <cmath>

#include "../core/matrix.hpp"
#include "../core/random.hpp"

namespace kronroot::reference {
namespace {

template <typename T>
Dense load_as(const Matrix<T>& from) {
  Dense x(from.rows, from.cols);
  for (int64_t i = 0; i < from.rows; ++i) {
    for (int64_t j = 0; j < from.cols; ++j) x(i, j) = from(i, j);
  }
  return x;
}

template <typename T>
void store_as(const Dense& x, const Matrix<T>& to) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.cols(); ++j) to(i, j) = static_cast<T>(x(i, j));
  }
}

}  // namespace

Dense Dense::identity(int64_t n) {
  Dense x(n, n);
  for (int64_t i = 0; i < n; ++i) x(i, i) = 1;
  return x;
}

Dense load(const kr_batch& batch, int64_t index) {
  if (batch.rows == 0 || batch.cols == 0) return Dense(batch.rows, batch.cols);
  return batch.dtype == KR_F32 ? load_as(matrix_of<float>(batch, index)) : load_as(matrix_of<double>(batch, index));
}

void store(const Dense& x, const kr_batch& batch, int64_t index) {
  if (x.empty()) return;
  if (batch.dtype == KR_F32) {
    store_as(x, matrix_of<float>(batch, index));
  } else {
    store_as(x, matrix_of<double>(batch, index));
  }
}

Dense rounded(Dense x, int32_t dtype) {
  if (dtype == KR_F32) {
    for (double& each : x.elements()) each = static_cast<float>(each);
  }
  return x;
}

bool is_finite(const Dense& x) {
  return std::all_of(x.elements().begin(), x.elements().end(), [](double each) { return std::isfinite(each); });
}

double max_abs(const Dense& x) {
  double largest = 0;
  for (double each : x.elements()) largest = std::max(largest, std::abs(each));
  return largest;
}

// Every sum of squares is taken of numbers scaled by a power of two to at most 1: squares of 1e200 and 1e-200 are
// not representable.
double norm(const Vector& x) {
  double largest = 0;
  for (double each : x) {
    if (std::isnan(each)) return each;  // std::max would pass over it
    largest = std::max(largest, std::abs(each));
  }
  if (largest == 0 || !std::isfinite(largest)) return largest;
  int exponent = 0;
  std::frexp(largest, &exponent);
  double sum = 0;
  for (double each : x) {
    const double part = std::ldexp(each, -exponent);
    sum += part * part;
  }
  return std::ldexp(std::sqrt(sum), exponent);
}

double frobenius_norm(const Dense& x) { return norm(x.elements()); }

Dense transpose(const Dense& x) {
  Dense t(x.cols(), x.rows());
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.cols(); ++j) t(j, i) = x(i, j);
  }
  return t;
}

Dense multiply(const Dense& a, const Dense& b) {
  Dense c(a.rows(), b.cols());
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t k = 0; k < a.cols(); ++k) {
      for (int64_t j = 0; j < b.cols(); ++j) c(i, j) += a(i, k) * b(k, j);
    }
  }
  return c;
}

Vector multiply(const Dense& a, const Vector& x) {
  Vector y(static_cast<size_t>(a.rows()));
  for (int64_t i = 0; i < a.rows(); ++i) {
    double sum = 0;
    for (int64_t j = 0; j < a.cols(); ++j) sum += a(i, j) * x[static_cast<size_t>(j)];
    y[static_cast<size_t>(i)] = sum;
  }
  return y;
}

Vector multiply_transposed(const Dense& a, const Vector& x) {
  Vector y(static_cast<size_t>(a.cols()));
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = 0; j < a.cols(); ++j) y[static_cast<size_t>(j)] += a(i, j) * x[static_cast<size_t>(i)];
  }
  return y;
}

Dense scaled(Dense x, int exponent) {
  for (double& each : x.elements()) each = std::ldexp(each, exponent);
  return x;
}

int exponent_of(const Dense& x) {
  int exponent = 0;
  std::frexp(max_abs(x), &exponent);
  return exponent;
}

Vector probe(int64_t n) {
  Vector z(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) z[static_cast<size_t>(i)] = random_sign(probe_stream, static_cast<uint64_t>(i));
  return z;
}

Vector difference(Vector x, const Vector& y) {
  for (size_t i = 0; i < x.size(); ++i) x[i] -= y[i];
  return x;
}

}  // namespace kronroot::reference
