// Householder QR of one matrix, for the ops that are built on it.
#pragma once

#include <cstdint>

#include "kernels.hpp"
#include "scratch.hpp"

namespace kronroot::cpu {

// A = Q R with Q orthogonal to working accuracy whatever the rank of A, R upper trapezoidal with a diagonal >= 0.
// A is given by its columns: column j of A (m elements) is row j of `b`, n rows with stride m.
template <typename T>
class HouseholderQr {
 public:
  // b is destroyed: it holds the reflectors, and must live as long as the object. No element of b may be so large that
  // the square of a column overflows in f64. Takes its memory from `scratch` (std::bad_alloc).
  HouseholderQr(const Kernels<T>& kernels, int64_t m, int64_t n, T* b, Scratch& scratch);

  // Writes R, min(m, n) or more rows of n elements; what is below the diagonal becomes zero. Null: not wanted.
  void factor(T* r, int64_t r_rows, int64_t r_stride);
  // Columns 0 .. count - 1 of Q as rows of q, `count` <= m of them with stride m, after factor().
  void form(int64_t count, T* q) const;

 private:
  int64_t block_count(int64_t first) const;
  T* row(int64_t k) const { return b_ + k * m_; }
  T* factor_of(int64_t first) const;
  void reflect_row(int64_t k, int64_t end, T* r, int64_t r_stride);
  void form_factor(int64_t first);
  void apply(int64_t first, bool reversed, int64_t rows, T* x) const;

  const Kernels<T>& kernels_;
  int64_t m_, n_, reflectors_, block_;
  T* b_;
  T* tau_;
  bool* is_negative_;
  T* factors_;
  T* gram_;
  T* products_;
  T* combined_;
};

extern template class HouseholderQr<float>;
extern template class HouseholderQr<double>;

}  // namespace kronroot::cpu
