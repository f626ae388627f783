// With Q the basis of an earlier matrix: b_j = q_j^T A q_j, and |A Q - Q diag(b)|_F is the norm of what Q^T A Q has off
// its diagonal. Where that is small Q stays. Otherwise one step of orthogonal iteration, Q <- qr(A Q) with the columns
// by falling |b_j| (Golub and Van Loan, Matrix Computations, 8.2.4; as SOAP does it: Vyas et al., arXiv 2409.11321).
#include "eigh_refresh.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "../core/random.hpp"
#include "cancel.hpp"
#include "householder.hpp"
#include "product.hpp"
#include "scratch.hpp"

namespace kronroot::cpu {
namespace {

// |Q^T Q z - z|_2 <= sqrt(ulp) |z|_2 for a vector of random signs; columns are rows of q. False for NaN.
template <typename T>
bool is_orthonormal(const Kernels<T>& kernels, int64_t n, const T* q, Scratch& scratch) {
  double* sum = scratch.take<double>(n);
  std::fill(sum, sum + n, 0.0);
  const auto sign = [](int64_t j) { return random_sign(probe_stream, static_cast<uint64_t>(j)); };
  for (int64_t j = 0; j < n; ++j) kernels.axpy_wide(n, sign(j), q + j * n, sum);
  double squares = 0;
  for (int64_t j = 0; j < n; ++j) {
    const double error = kernels.dot_wide(n, q + j * n, sum) - sign(j);
    squares += error * error;
  }
  return squares <= ulp_of<T> * static_cast<double>(n);
}

// image = A q, row by row.
template <typename T>
void multiply_basis(const Kernels<T>& kernels, int64_t n, const T* a, const T* q, T* image) {
  multiply<T>(kernels,
              {.m = n, .n = n, .k = n, .a = q, .a_stride = n, .b = a, .b_stride = n, .c = image, .c_stride = n});
}

// b_j = q_j . (A q_j)
template <typename T>
void rayleigh_quotients(const Kernels<T>& kernels, int64_t n, const T* q, const T* image, double* b) {
  for (int64_t j = 0; j < n; ++j) b[j] = kernels.dot(n, q + j * n, image + j * n);
}

// |A Q - Q diag(b)|_F
template <typename T>
double residual_norm(int64_t n, const T* q, const T* image, const double* b) {
  double squares = 0;
  for (int64_t j = 0; j < n; ++j) {
    double in_column = 0;
    for (int64_t i = j * n; i < (j + 1) * n; ++i) {
      const double difference = static_cast<double>(image[i]) - b[j] * static_cast<double>(q[i]);
      in_column += difference * difference;
    }
    squares += in_column;
  }
  return std::sqrt(squares);
}

template <typename F>
std::vector<int64_t> order_by(int64_t n, const F& is_before) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), is_before);
  return order;
}

// Values ascending, rows of q to columns of vectors.
template <typename T>
void write(const Kernels<T>& kernels, int64_t n, const double* b, const T* q, T* values, T* vectors) {
  Scratch scratch;
  T* sorted = scratch.take<T>(n * n);
  const std::vector<int64_t> order = order_by(n, [&](int64_t i, int64_t j) { return b[i] < b[j]; });
  for (int64_t j = 0; j < n; ++j) {
    const int64_t from = order[static_cast<size_t>(j)];
    values[j] = static_cast<T>(b[from]);
    std::copy_n(q + from * n, n, sorted + j * n);
  }
  kernels.transpose(n, n, sorted, n, vectors, n);
}

// |A|_F; the elements are below 1.
template <typename T>
double frobenius_norm(const Kernels<T>& kernels, int64_t n, const T* a) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += kernels.dot(n, a + i * n, a + i * n);
  return std::sqrt(squares);
}

}  // namespace

template <typename T>
Refreshed refresh_basis(const Kernels<T>& kernels, const kr_eigh_options& options, int64_t n, const T* a,
                        Matrix<T> basis, T* values, T* vectors, const int32_t* cancel) {
  Scratch scratch;
  T* q = scratch.take<T>(n * n);
  T* image = scratch.take<T>(n * n);
  double* b = scratch.take<double>(n);
  kernels.transpose(n, n, basis.data, basis.stride, q, n);
  if (!is_orthonormal(kernels, n, q, scratch)) return Refreshed::declined;
  multiply_basis(kernels, n, a, q, image);
  rayleigh_quotients(kernels, n, q, image, b);
  const double tolerance =
      options.refresh_tolerance > 0 ? options.refresh_tolerance : static_cast<double>(n) * ulp_of<T>;
  if (residual_norm(n, q, image, b) <= tolerance * frobenius_norm(kernels, n, a)) {
    write(kernels, n, b, q, values, vectors);
    return Refreshed::kept;
  }
  if (options.refresh != KR_REFRESH_ITERATE) return Refreshed::declined;
  if (is_cancelled(cancel)) return Refreshed::cancelled;

  T* sorted = scratch.take<T>(n * n);
  const auto order = order_by(n, [&](int64_t i, int64_t j) { return std::abs(b[i]) > std::abs(b[j]); });
  for (int64_t j = 0; j < n; ++j) std::copy_n(image + order[static_cast<size_t>(j)] * n, n, sorted + j * n);
  HouseholderQr<T> qr(kernels, n, n, sorted, scratch);
  qr.factor(nullptr, 0, 0);
  qr.form(n, q);
  if (is_cancelled(cancel)) return Refreshed::cancelled;
  multiply_basis(kernels, n, a, q, image);
  rayleigh_quotients(kernels, n, q, image, b);
  write(kernels, n, b, q, values, vectors);
  return Refreshed::iterated;
}

template Refreshed refresh_basis<float>(const Kernels<float>&, const kr_eigh_options&, int64_t, const float*,
                                        Matrix<float>, float*, float*, const int32_t*);
template Refreshed refresh_basis<double>(const Kernels<double>&, const kr_eigh_options&, int64_t, const double*,
                                         Matrix<double>, double*, double*, const int32_t*);

}  // namespace kronroot::cpu
