#include "eigh_refresh.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "../core/ridge.hpp"
#include "householder.hpp"

namespace kronroot::reference {
namespace {

// |Q^T Q z - z|_2 <= sqrt(ulp) |z|_2; false for NaN.
bool is_orthonormal(const Dense& q, double ulp) {
  const Vector z = probe(q.rows());
  return norm(difference(multiply_transposed(q, multiply(q, z)), z)) <= std::sqrt(ulp) * norm(z);
}

// b_j = q_j^T A q_j, with A Q given.
Vector rayleigh_quotients(const Dense& q, const Dense& image) {
  Vector b(static_cast<size_t>(q.cols()));
  for (int64_t j = 0; j < q.cols(); ++j) {
    for (int64_t i = 0; i < q.rows(); ++i) b[static_cast<size_t>(j)] += q(i, j) * image(i, j);
  }
  return b;
}

// |A Q - Q diag(b)|_F, with A Q given.
double residual_norm(const Dense& q, Dense image, const Vector& b) {
  for (int64_t i = 0; i < q.rows(); ++i) {
    for (int64_t j = 0; j < q.cols(); ++j) image(i, j) -= q(i, j) * b[static_cast<size_t>(j)];
  }
  return frobenius_norm(image);
}

template <typename F>
std::vector<int64_t> order_by(size_t n, const F& key) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return key(i) < key(j); });
  return order;
}

Dense columns_in_order(const Dense& x, const std::vector<int64_t>& order) {
  Dense result(x.rows(), x.cols());
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.cols(); ++j) result(i, j) = x(i, order[static_cast<size_t>(j)]);
  }
  return result;
}

RefreshedBasis sorted(kr_method method, int32_t iterations, const Vector& b, const Dense& q) {
  const auto order = order_by(b.size(), [&](int64_t j) { return b[static_cast<size_t>(j)]; });
  Vector values;
  for (int64_t j : order) values.push_back(b[static_cast<size_t>(j)]);
  return {method, iterations, std::move(values), columns_in_order(q, order)};
}

}  // namespace

std::optional<RefreshedBasis> refresh_basis(const kr_eigh_options& options, const Dense& a, const Dense& basis,
                                            int32_t dtype) {
  const double ulp = ulp_of_dtype(dtype);
  if (!is_orthonormal(basis, ulp)) return std::nullopt;
  Dense image = multiply(a, basis);
  Vector b = rayleigh_quotients(basis, image);
  const double tolerance =
      options.refresh_tolerance > 0 ? options.refresh_tolerance : static_cast<double>(a.rows()) * ulp;
  if (residual_norm(basis, image, b) <= tolerance * frobenius_norm(a)) {
    return sorted(KR_METHOD_KEPT_BASIS, 0, b, basis);
  }
  if (options.refresh != KR_REFRESH_ITERATE) return std::nullopt;
  const auto order = order_by(b.size(), [&](int64_t j) { return -std::abs(b[static_cast<size_t>(j)]); });
  const Dense q = householder_qr(columns_in_order(image, order)).q;
  image = multiply(a, q);
  return sorted(KR_METHOD_ORTHOGONAL_ITERATION, 1, rayleigh_quotients(q, image), q);
}

}  // namespace kronroot::reference
