// Householder QR by blocks of reflectors (Golub and Van Loan, Matrix Computations, 5.2.3; Schreiber and Van Loan, SISC
// 10 (1989)). Of consecutive reflectors H_k = I - tau_k v_k v_k^T, with the vectors in the columns of Y,
//   H_k H_{k+1} ... = I - Y S Y^T,   s_jj = tau_j,   s_{.j} = -tau_j S Y^T y_j.
// As columns are rows, reflectors are applied from the right.
#include "householder.hpp"

#include <algorithm>
#include <cmath>

#include "product.hpp"

namespace kronroot::cpu {
namespace {

// Reflectors to a block: in wide ones products are faster and columns, which go one by one, slower.
constexpr int64_t kNarrowBlock = 16, kWideBlock = 32, kNarrowUpTo = 512;

// A column whose squares below the diagonal sum up to no more than this is taken for zero there: its squares are not
// exact, and beside an A that is not itself that small it is nothing.
constexpr double kNothing = 0x1p-960;

}  // namespace

template <typename T>
HouseholderQr<T>::HouseholderQr(const Kernels<T>& kernels, int64_t m, int64_t n, T* b, Scratch& scratch)
    : kernels_(kernels),
      m_(m),
      n_(n),
      reflectors_(std::min(m, n)),
      block_(reflectors_ <= kNarrowUpTo ? kNarrowBlock : kWideBlock),
      b_(b),
      tau_(scratch.take<T>(reflectors_)),
      is_negative_(scratch.take<bool>(reflectors_)),
      factors_(scratch.take<T>((reflectors_ + block_) * block_)),
      gram_(scratch.take<T>(block_ * block_)),
      products_(scratch.take<T>(std::max(m, n) * block_)),
      combined_(scratch.take<T>(std::max(m, n) * block_)) {}

template <typename T>
int64_t HouseholderQr<T>::block_count(int64_t first) const {
  return std::min(block_, reflectors_ - first);
}

template <typename T>
T* HouseholderQr<T>::factor_of(int64_t first) const {
  return factors_ + first * block_;
}

// Row k of b becomes v_k, zero before its element k, which is 1.
template <typename T>
void HouseholderQr<T>::factor(T* r, int64_t r_rows, int64_t r_stride) {
  for (int64_t i = 0; r != nullptr && i < r_rows; ++i) std::fill_n(r + i * r_stride, n_, T{0});
  for (int64_t first = 0; first < reflectors_; first += block_) {
    const int64_t end = first + block_count(first);
    for (int64_t k = first; k < end; ++k) reflect_row(k, end, r, r_stride);
    form_factor(first);
    apply(first, false, n_ - end, row(end));
  }
  if (r == nullptr) return;
  for (int64_t j = reflectors_; j < n_; ++j) {
    for (int64_t i = 0; i < reflectors_; ++i) r[i * r_stride + j] = row(j)[i];
  }
  for (int64_t k = 0; k < reflectors_; ++k) {
    T* of_r = r + k * r_stride;
    if (is_negative_[k]) std::transform(of_r + k, of_r + n_, of_r + k, [](T x) { return -x; });
  }
}

// Rows of q: e_k^T ... H_1 H_0, with the sign that makes the diagonal of R positive.
template <typename T>
void HouseholderQr<T>::form(int64_t count, T* q) const {
  std::fill_n(q, count * m_, T{0});
  for (int64_t k = 0; k < count; ++k) q[k * m_ + k] = 1;
  for (int64_t first = (reflectors_ - 1) / block_ * block_; first >= 0 && reflectors_ > 0; first -= block_) {
    if (first < count) apply(first, true, count - first, q + first * m_);
  }
  for (int64_t k = 0; k < std::min(count, reflectors_); ++k) {
    if (is_negative_[k]) std::transform(q + k * m_, q + (k + 1) * m_, q + k * m_, [](T x) { return -x; });
  }
}

// The reflector that leaves of row k its elements up to k, which are column k of R, applied to the rows below `end`.
template <typename T>
void HouseholderQr<T>::reflect_row(int64_t k, int64_t end, T* r, int64_t r_stride) {
  T* v = row(k);
  const int64_t length = m_ - k;
  const double alpha = v[k];
  const double squares = kernels_.dot(length - 1, v + k + 1, v + k + 1);
  const bool is_done = squares <= kNothing;
  const double beta = is_done ? alpha : -std::copysign(std::sqrt(alpha * alpha + squares), alpha);
  is_negative_[k] = beta < 0;
  if (r != nullptr) {
    for (int64_t i = 0; i < k; ++i) r[i * r_stride + k] = v[i];
    r[k * r_stride + k] = static_cast<T>(beta) + T{0};  // never -0
  }
  std::fill(v, v + k, T{0});
  v[k] = 1;
  if (is_done) {
    tau_[k] = 0;
    std::fill(v + k + 1, v + m_, T{0});
    return;
  }
  tau_[k] = static_cast<T>((beta - alpha) / beta);
  for (int64_t j = k + 1; j < m_; ++j) v[j] = static_cast<T>(v[j] / (alpha - beta));
  for (int64_t i = k + 1; i < end; ++i) {
    const double product = kernels_.dot(length, v + k, row(i) + k);
    kernels_.axpy(length, static_cast<T>(-tau_[k] * product), v + k, row(i) + k);
  }
}

template <typename T>
void HouseholderQr<T>::form_factor(int64_t first) {
  const int64_t count = block_count(first);
  multiply<T>(kernels_, {.m = count,
                         .n = count,
                         .k = m_ - first,
                         .a = row(first) + first,
                         .a_stride = m_,
                         .b = row(first) + first,
                         .b_stride = m_,
                         .transpose_b = true,
                         .c = gram_,
                         .c_stride = block_});
  T* s = factor_of(first);
  std::fill(s, s + count * block_, T{0});
  for (int64_t j = 0; j < count; ++j) {
    const T tau = tau_[first + j];
    for (int64_t i = 0; i < j; ++i) {
      T sum = 0;
      for (int64_t q = i; q < j; ++q) sum += s[i * block_ + q] * gram_[q * block_ + j];
      s[i * block_ + j] = -tau * sum;
    }
    s[j * block_ + j] = tau;
  }
}

// x <- x - ((x Y) S) Y^T, or S^T where reversed, for `rows` rows of x; Y touches columns >= first.
template <typename T>
void HouseholderQr<T>::apply(int64_t first, bool reversed, int64_t rows, T* x) const {
  const int64_t count = block_count(first);
  if (rows == 0) return;
  T* part = x + first;
  multiply<T>(kernels_, {.m = rows,
                         .n = count,
                         .k = m_ - first,
                         .a = part,
                         .a_stride = m_,
                         .b = row(first) + first,
                         .b_stride = m_,
                         .transpose_b = true,
                         .c = products_,
                         .c_stride = block_});
  multiply<T>(kernels_, {.m = rows,
                         .n = count,
                         .k = count,
                         .a = products_,
                         .a_stride = block_,
                         .b = factor_of(first),
                         .b_stride = block_,
                         .transpose_b = reversed,
                         .c = combined_,
                         .c_stride = block_});
  multiply<T>(kernels_, {.m = rows,
                         .n = m_ - first,
                         .k = count,
                         .alpha = -1,
                         .a = combined_,
                         .a_stride = block_,
                         .b = row(first) + first,
                         .b_stride = m_,
                         .beta = 1,
                         .c = part,
                         .c_stride = m_});
}

template class HouseholderQr<float>;
template class HouseholderQr<double>;

}  // namespace kronroot::cpu
