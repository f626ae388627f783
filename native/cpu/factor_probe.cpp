#include "factor_probe.hpp"

#include <algorithm>
#include <cmath>

#include "../core/random.hpp"
#include "symmetric_input.hpp"

namespace kronroot::cpu {
template <typename T>
bool read_scaled(const Kernels<T>& kernels, const Matrix<T>& a, bool transpose, T* to, int* exponent) {
  T largest = 0;
  *exponent = 0;
  if (a.rows == 0 || a.cols == 0) return true;
  for (int64_t i = 0; i < a.rows; ++i) {
    const T of_row = kernels.largest_magnitude(a.cols, &a(i, 0));
    if (!std::isfinite(of_row)) return false;
    largest = std::max(largest, of_row);
  }
  if (transpose) {
    kernels.transpose(a.rows, a.cols, a.data, a.stride, to, a.rows);
  } else {
    for (int64_t i = 0; i < a.rows; ++i) std::copy_n(&a(i, 0), a.cols, to + i * a.cols);
  }
  std::frexp(largest, exponent);
  if (*exponent != 0) scale_by_power_of_two(a.rows * a.cols, to, -*exponent);
  return true;
}

template <typename T>
bool scale_to_range(const Kernels<T>& kernels, int64_t count, T* x, int exponent) {
  if (exponent == 0) return true;
  scale_by_power_of_two(count, x, exponent);
  return std::isfinite(kernels.largest_magnitude(count, x));
}

template <typename T>
double lost_orthonormality(const Kernels<T>& kernels, int64_t count, int64_t m, const T* q) {
  Scratch scratch;
  double* image = scratch.take<double>(m);
  std::fill_n(image, m, 0.0);
  const auto sign = [](int64_t k) { return random_sign(probe_stream, static_cast<uint64_t>(k)); };
  for (int64_t k = 0; k < count; ++k) kernels.axpy_wide(m, sign(k), q + k * m, image);
  double squares = 0;
  for (int64_t k = 0; k < count; ++k) {
    const double difference = kernels.dot_wide(m, q + k * m, image) - sign(k);
    squares += difference * difference;
  }
  return std::sqrt(squares / static_cast<double>(count));
}

template <typename T>
FactorProbe<T>::FactorProbe(const Kernels<T>& kernels, int64_t m, int64_t n, const T* b, Scratch& scratch)
    : kernels_(kernels), m_(m), n_(n), z_(scratch.take<double>(n)), product_(scratch.take<double>(m)) {
  std::fill_n(product_, m, 0.0);
  for (int64_t j = 0; j < n; ++j) {
    z_[j] = random_sign(probe_stream, static_cast<uint64_t>(j));
    kernels.axpy_wide(m, z_[j], b + j * m, product_);
    squares_ += kernels.dot(m, b + j * m, b + j * m);
  }
}

template <typename T>
double FactorProbe<T>::residual(int64_t count, const T* q, const double* coordinates) const {
  if (squares_ == 0) return 0;
  Scratch scratch;
  double* difference = scratch.take<double>(m_);
  std::copy_n(product_, m_, difference);
  for (int64_t k = 0; k < count; ++k) kernels_.axpy_wide(m_, -coordinates[k], q + k * m_, difference);
  double squares = 0;
  for (int64_t i = 0; i < m_; ++i) squares += difference[i] * difference[i];
  return std::sqrt(squares / (squares_ * static_cast<double>(n_)));
}

template bool read_scaled(const Kernels<float>&, const Matrix<float>&, bool, float*, int*);
template bool read_scaled(const Kernels<double>&, const Matrix<double>&, bool, double*, int*);
template bool scale_to_range(const Kernels<float>&, int64_t, float*, int);
template bool scale_to_range(const Kernels<double>&, int64_t, double*, int);
template double lost_orthonormality(const Kernels<float>&, int64_t, int64_t, const float*);
template double lost_orthonormality(const Kernels<double>&, int64_t, int64_t, const double*);
template class FactorProbe<float>;
template class FactorProbe<double>;

}  // namespace kronroot::cpu
