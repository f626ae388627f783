// Householder QR by blocks of reflectors (Golub and Van Loan, Matrix Computations, 5.2.3; Schreiber and Van Loan, SISC
// 10 (1989)). Of consecutive reflectors H_k = I - tau_k v_k v_k^T, with the vectors in the columns of Y,
//   H_k H_{k+1} ... = I - Y S Y^T,   s_jj = tau_j,   s_{.j} = -tau_j S Y^T y_j.
// As columns are rows, reflectors are applied from the right.
#include "householder.hpp"

#include <algorithm>
#include <cmath>

#include "product.hpp"
#include "scratch.hpp"

namespace kronroot::cpu {
namespace {

constexpr int64_t kBlockReflectors = 32;

template <typename T>
class Factorization {
 public:
  Factorization(const Kernels<T>& kernels, int64_t n, T* b, Scratch& scratch)
      : kernels_(kernels),
        n_(n),
        b_(b),
        tau_(scratch.take<T>(n)),
        is_negative_(scratch.take<bool>(n)),
        factors_(scratch.take<T>((n + kBlockReflectors) * kBlockReflectors)),
        gram_(scratch.take<T>(kBlockReflectors * kBlockReflectors)),
        products_(scratch.take<T>(n * kBlockReflectors)),
        combined_(scratch.take<T>(n * kBlockReflectors)) {}

  // Row k of b becomes v_k, zero before its element k, which is 1.
  void factor() {
    for (int64_t first = 0; first < n_; first += kBlockReflectors) {
      const int64_t end = first + count(first);
      for (int64_t k = first; k < end; ++k) reflect_row(k, end);
      form_factor(first);
      apply(first, false, end, b_);
    }
  }

  // Rows of q: e_k^T ... H_1 H_0, with the sign that makes the diagonal of R positive.
  void form(T* q) const {
    std::fill(q, q + n_ * n_, T{0});
    for (int64_t k = 0; k < n_; ++k) q[k * n_ + k] = 1;
    if (n_ == 0) return;
    for (int64_t first = (n_ - 1) / kBlockReflectors * kBlockReflectors; first >= 0; first -= kBlockReflectors) {
      apply(first, true, first, q);
    }
    for (int64_t k = 0; k < n_; ++k) {
      if (is_negative_[k]) std::transform(q + k * n_, q + (k + 1) * n_, q + k * n_, [](T x) { return -x; });
    }
  }

 private:
  int64_t count(int64_t first) const { return std::min(kBlockReflectors, n_ - first); }
  T* row(int64_t k) const { return b_ + k * n_; }
  T* factor_of(int64_t first) const { return factors_ + first * kBlockReflectors; }

  // The reflector that leaves of row k its elements up to k, applied to the rows below `end`.
  void reflect_row(int64_t k, int64_t end) {
    T* v = row(k);
    const int64_t length = n_ - k;
    const double alpha = v[k];
    const double squares = kernels_.dot(length - 1, v + k + 1, v + k + 1);
    std::fill(v, v + k, T{0});
    v[k] = 1;
    if (squares == 0) {
      tau_[k] = 0;
      is_negative_[k] = alpha < 0;
      return;
    }
    const double beta = -std::copysign(std::sqrt(alpha * alpha + squares), alpha);
    is_negative_[k] = beta < 0;
    tau_[k] = static_cast<T>((beta - alpha) / beta);
    for (int64_t j = k + 1; j < n_; ++j) v[j] = static_cast<T>(v[j] / (alpha - beta));
    for (int64_t r = k + 1; r < end; ++r) {
      const double product = kernels_.dot(length, v + k, row(r) + k);
      kernels_.axpy(length, static_cast<T>(-tau_[k] * product), v + k, row(r) + k);
    }
  }

  void form_factor(int64_t first) {
    const int64_t m = count(first);
    multiply<T>(kernels_, {.m = m,
                           .n = m,
                           .k = n_ - first,
                           .a = row(first) + first,
                           .a_stride = n_,
                           .b = row(first) + first,
                           .b_stride = n_,
                           .transpose_b = true,
                           .c = gram_,
                           .c_stride = kBlockReflectors});
    T* s = factor_of(first);
    std::fill(s, s + m * kBlockReflectors, T{0});
    for (int64_t j = 0; j < m; ++j) {
      const T tau = tau_[first + j];
      for (int64_t i = 0; i < j; ++i) {
        T sum = 0;
        for (int64_t q = i; q < j; ++q) sum += s[i * kBlockReflectors + q] * gram_[q * kBlockReflectors + j];
        s[i * kBlockReflectors + j] = -tau * sum;
      }
      s[j * kBlockReflectors + j] = tau;
    }
  }

  // x <- x - ((x Y) S) Y^T, or S^T where reversed, for the rows of x from `from` on; Y touches columns >= first.
  void apply(int64_t first, bool reversed, int64_t from, T* x) const {
    const int64_t m = count(first), rows = n_ - from;
    if (rows == 0) return;
    T* part = x + from * n_ + first;
    multiply<T>(kernels_, {.m = rows,
                           .n = m,
                           .k = n_ - first,
                           .a = part,
                           .a_stride = n_,
                           .b = row(first) + first,
                           .b_stride = n_,
                           .transpose_b = true,
                           .c = products_,
                           .c_stride = kBlockReflectors});
    multiply<T>(kernels_, {.m = rows,
                           .n = m,
                           .k = m,
                           .a = products_,
                           .a_stride = kBlockReflectors,
                           .b = factor_of(first),
                           .b_stride = kBlockReflectors,
                           .transpose_b = reversed,
                           .c = combined_,
                           .c_stride = kBlockReflectors});
    multiply<T>(kernels_, {.m = rows,
                           .n = n_ - first,
                           .k = m,
                           .alpha = -1,
                           .a = combined_,
                           .a_stride = kBlockReflectors,
                           .b = row(first) + first,
                           .b_stride = n_,
                           .beta = 1,
                           .c = part,
                           .c_stride = n_});
  }

  const Kernels<T>& kernels_;
  int64_t n_;
  T* b_;
  T* tau_;
  bool* is_negative_;
  T* factors_;
  T* gram_;
  T* products_;
  T* combined_;
};

}  // namespace

template <typename T>
void orthogonal_factor(const Kernels<T>& kernels, int64_t n, T* b, T* q) {
  Scratch scratch;
  Factorization<T> factorization(kernels, n, b, scratch);
  factorization.factor();
  factorization.form(q);
}

template void orthogonal_factor<float>(const Kernels<float>&, int64_t, float*, float*);
template void orthogonal_factor<double>(const Kernels<double>&, int64_t, double*, double*);

}  // namespace kronroot::cpu
