#include "routes.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace kronroot::bench {

// OpenBLAS is column-major: our row-major matrix is its transpose.

template <typename T>
T* Routes<T>::scratch(std::vector<T>& buffer, std::size_t count) {
  if (buffer.size() < count) buffer.resize(count);
  return buffer.data();
}

template <typename T>
void Routes<T>::gemm(const T* a, const T* b, T* c, BlasInt m, BlasInt n, BlasInt k) const {
  const T one = 1, zero = 0;
  lapack_.gemm("N", "N", &n, &m, &k, &one, b, &n, a, &k, &zero, c, &n);
}

template <typename T>
bool Routes<T>::eigh(const T* a, T* values, T* vectors, BlasInt n) {
  std::copy_n(a, std::size_t(n) * n, vectors);
  T work_size = 0;
  BlasInt integers_size = 0, info = 0;
  const BlasInt query = -1;
  lapack_.syevd("V", "L", &n, vectors, &n, values, &work_size, &query, &integers_size, &query, &info);
  const auto lwork = static_cast<BlasInt>(work_size);
  if (integers_.size() < std::size_t(integers_size)) integers_.resize(integers_size);
  T* work = scratch(work_, lwork);
  lapack_.syevd("V", "L", &n, vectors, &n, values, work, &lwork, integers_.data(), &integers_size, &info);
  return info == 0;
}

template <typename T>
bool Routes<T>::inverse_root(const T* a, T* x, BlasInt n, double exponent, double ridge) {
  const std::size_t size = std::size_t(n) * n;
  T* v = scratch(vectors_, size);
  T* w = scratch(values_, n);
  T* scaled = scratch(scaled_, size);
  if (!eigh(a, w, v, n)) return false;
  const T epsilon = static_cast<T>(ridge) * w[n - 1];
  for (BlasInt j = 0; j < n; ++j) {
    const T weight = std::pow(std::max(w[j], T(0)) + epsilon, static_cast<T>(exponent));
    for (BlasInt i = 0; i < n; ++i) scaled[std::size_t(j) * n + i] = weight * v[std::size_t(j) * n + i];
  }
  const T one = 1, zero = 0;
  lapack_.gemm("N", "T", &n, &n, &n, &one, scaled, &n, v, &n, &zero, x, &n);
  return true;
}

template <typename T>
bool Routes<T>::spd_inverse(const T* a, T* x, BlasInt n) {
  std::copy_n(a, std::size_t(n) * n, x);
  BlasInt info = 0;
  lapack_.potrf("L", &n, x, &n, &info);
  if (info == 0) lapack_.potri("L", &n, x, &n, &info);
  for (BlasInt j = 0; j < n; ++j) {
    for (BlasInt i = j + 1; i < n; ++i) x[std::size_t(i) * n + j] = x[std::size_t(j) * n + i];
  }
  return info == 0;
}

template <typename T>
bool Routes<T>::qr(const T* a, T* q, T* r, BlasInt m, BlasInt n) {
  for (BlasInt i = 0; i < m; ++i) {
    for (BlasInt j = 0; j < n; ++j) r[std::size_t(j) * m + i] = a[std::size_t(i) * n + j];
  }
  T* tau = scratch(values_, n);
  T size[2] = {};
  BlasInt info = 0;
  const BlasInt query = -1;
  lapack_.geqrf(&m, &n, r, &m, tau, size, &query, &info);
  lapack_.orgqr(&m, &n, &n, q, &m, tau, size + 1, &query, &info);
  const auto lwork = static_cast<BlasInt>(std::max(size[0], size[1]));
  T* work = scratch(work_, lwork);
  lapack_.geqrf(&m, &n, r, &m, tau, work, &lwork, &info);
  if (info != 0) return false;
  std::copy_n(r, std::size_t(m) * n, q);
  lapack_.orgqr(&m, &n, &n, q, &m, tau, work, &lwork, &info);
  return info == 0;
}

template <typename T>
bool Routes<T>::svd(const T* a, T* s, T* u, T* v, BlasInt n) {
  T* copy = scratch(vectors_, std::size_t(n) * n);
  std::copy_n(a, std::size_t(n) * n, copy);
  if (integers_.size() < std::size_t(8) * n) integers_.resize(std::size_t(8) * n);
  T size = 0;
  BlasInt info = 0;
  const BlasInt query = -1;
  // Of A^T: its left vectors, in columns, are our right ones in rows.
  lapack_.gesdd("S", &n, &n, copy, &n, s, v, &n, u, &n, &size, &query, integers_.data(), &info);
  const auto lwork = static_cast<BlasInt>(size);
  lapack_.gesdd("S", &n, &n, copy, &n, s, v, &n, u, &n, scratch(work_, lwork), &lwork, integers_.data(), &info);
  return info == 0;
}

template <typename T>
bool Routes<T>::singular_values(const T* a, T* s, BlasInt n) {
  T* copy = scratch(vectors_, std::size_t(n) * n);
  std::copy_n(a, std::size_t(n) * n, copy);
  if (integers_.size() < std::size_t(8) * n) integers_.resize(std::size_t(8) * n);
  T size = 0, none = 0;
  BlasInt info = 0;
  const BlasInt query = -1, one = 1;
  lapack_.gesdd("N", &n, &n, copy, &n, s, &none, &one, &none, &one, &size, &query, integers_.data(), &info);
  const auto lwork = static_cast<BlasInt>(size);
  lapack_.gesdd("N", &n, &n, copy, &n, s, &none, &one, &none, &one, scratch(work_, lwork), &lwork, integers_.data(),
                &info);
  return info == 0;
}

template <typename T>
void Routes<T>::triangular_solve(const T* l, const T* b, T* x, BlasInt n, BlasInt columns) const {
  std::copy_n(b, std::size_t(n) * columns, x);
  const T alpha = 1;
  const BlasInt one = 1;
  // X^T U = B^T with U = L^T.
  if (columns == 1) {
    lapack_.trsv("U", "T", "N", &n, l, &n, x, &one);
  } else {
    lapack_.trsm("R", "U", "N", "N", &columns, &n, &alpha, l, &n, x, &columns);
  }
}

template <typename T>
void Routes<T>::newton_schulz(const T* a, T* x, BlasInt rows, BlasInt cols, const double* triples, int steps) {
  const std::size_t size = std::size_t(rows) * cols;
  double square = 0;
  for (std::size_t i = 0; i < size; ++i) square += double(a[i]) * a[i];
  const T scale = square > 0 ? static_cast<T>(1 / std::sqrt(square)) : T(0);
  T* current = x;
  T* next = scratch(next_, size);
  T* gram = scratch(gram_, std::size_t(rows) * rows);
  T* polynomial = scratch(polynomial_, std::size_t(rows) * rows);
  for (std::size_t i = 0; i < size; ++i) current[i] = scale * a[i];
  for (int step = 0; step < steps; ++step) {
    const T slope = static_cast<T>(triples[3 * step]);
    const T cubic = static_cast<T>(triples[3 * step + 1]);
    const T fifth = static_cast<T>(triples[3 * step + 2]);
    const T one = 1, zero = 0;
    lapack_.gemm("T", "N", &rows, &rows, &cols, &one, current, &cols, current, &cols, &zero, gram, &rows);
    std::copy_n(gram, std::size_t(rows) * rows, polynomial);
    lapack_.gemm("N", "N", &rows, &rows, &rows, &fifth, gram, &rows, gram, &rows, &cubic, polynomial, &rows);
    std::copy_n(current, size, next);
    lapack_.gemm("N", "N", &cols, &rows, &rows, &one, current, &cols, polynomial, &rows, &slope, next, &cols);
    std::swap(current, next);
  }
  if (current != x) std::copy_n(current, size, x);
}

template class Routes<float>;
template class Routes<double>;

}  // namespace kronroot::bench
