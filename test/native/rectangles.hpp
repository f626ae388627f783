// Rectangular matrices that qr, svd, norms and triangular systems are tried on, and the bounds of the factorisations.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "test/native/check.hpp"
#include "test/native/uniform.hpp"

namespace kronroot::test {

inline constexpr double kRatioBound = 10;  // ops.h
inline constexpr int64_t kPadding = 3;     // columns after each row of an output, which must not be written
template <typename T>
constexpr T kUntouched = -77;

struct Shape {
  int64_t m, n;
};

struct Rectangle {
  std::string name;
  int64_t m, n;
  std::vector<double> data;
  double& at(int64_t i, int64_t j) { return data[static_cast<size_t>(i * n + j)]; }
};

// Of every kind one: full and deficient rank, graded columns and rows, clusters, zeros, both ends of the range of T.
template <typename T>
std::vector<Rectangle> rectangles(int64_t m, int64_t n, uint64_t seed) {
  Uniform random(seed);
  std::vector<Rectangle> all;
  const auto add = [&](const char* name, auto&& element) {
    Rectangle each{name, m, n, std::vector<double>(static_cast<size_t>(m * n))};
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) each.at(i, j) = element(i, j);
    }
    all.push_back(std::move(each));
  };
  const auto uniform = [&](int64_t, int64_t) { return random.next(); };
  const double last = std::numeric_limits<T>::max(), least = std::numeric_limits<T>::denorm_min();
  const double decay = std::pow(sizeof(T) == 4 ? 1e-7 : 1e-16, 1.0 / static_cast<double>(std::max(m, n)));
  add("uniform", uniform);
  add("zero", [](int64_t, int64_t) { return 0; });
  add("identity", [](int64_t i, int64_t j) { return i == j; });
  add("minus identity", [](int64_t i, int64_t j) { return -(i == j); });
  add("ones", [](int64_t, int64_t) { return 1; });
  add("graded columns", [&](int64_t, int64_t j) { return random.next() * std::pow(decay, j); });
  add("columns graded the other way", [&](int64_t, int64_t j) { return random.next() * std::pow(decay, n - j); });
  add("graded rows", [&](int64_t i, int64_t) { return random.next() * std::pow(decay, i); });
  add("zero column", [&](int64_t, int64_t j) { return j == n / 2 ? 0 : random.next(); });
  add("first column zero", [&](int64_t, int64_t j) { return j == 0 ? 0 : random.next(); });
  add("equal columns", [&](int64_t i, int64_t j) { return std::cos(static_cast<double>(i + j / 2 * 7)); });
  add("rank one and noise", [&](int64_t i, int64_t j) {
    return std::sin(1.0 + static_cast<double>(i)) * std::cos(static_cast<double>(j)) + 3e-6 * random.next();
  });
  add("one and a cluster", [&](int64_t i, int64_t j) { return i != j ? 0 : i == 0 ? 1 : 1e-4; });
  add("Hilbert", [](int64_t i, int64_t j) { return 1 / static_cast<double>(1 + i + j); });
  add("Kahan", [](int64_t i, int64_t j) { return j < i ? 0 : std::pow(0.9, i) * (i == j ? 1 : -0.43); });
  add("tiny", [&](int64_t, int64_t) { return random.next() * std::ldexp(least, 40); });
  add("denormal", [&](int64_t i, int64_t j) { return (i + j) % 3 == 0 ? least : -3 * least; });
  add("huge", [&](int64_t, int64_t) { return random.next() * last / (2 * static_cast<double>(m + n)); });
  add("tiny columns", [&](int64_t, int64_t j) { return random.next() * (j % 2 ? 1 : std::ldexp(least, 12)); });
  return all;
}

template <typename T>
Batch<T> batch_of(const std::vector<Rectangle>& matrices, int64_t padding = 0) {
  Batch<T> a(static_cast<int64_t>(matrices.size()), matrices[0].m, matrices[0].n, T{0}, padding);
  for (size_t b = 0; b < matrices.size(); ++b) {
    for (int64_t i = 0; i < a.rows(); ++i) {
      for (int64_t j = 0; j < a.cols(); ++j) {
        a(static_cast<int64_t>(b), i, j) = static_cast<T>(matrices[b].data[static_cast<size_t>(i * a.cols() + j)]);
      }
    }
  }
  return a;
}

// |Q^T Q - I| in the 1-norm, matrix b.
template <typename T>
double orthonormality(Batch<T>& q, int64_t b) {
  long double worst = 0;
  for (int64_t j = 0; j < q.cols(); ++j) {
    long double sum = 0;
    for (int64_t k = 0; k < q.cols(); ++k) {
      long double dot = j == k ? -1 : 0;
      for (int64_t i = 0; i < q.rows(); ++i) dot += static_cast<long double>(q(b, i, j)) * q(b, i, k);
      sum += std::abs(dot);
    }
    worst = std::max(worst, sum);
  }
  return static_cast<double>(worst);
}

// |A - X Y| / |A| in 1-norms, matrix b; |X Y| where A = 0. element(k, j) is that of Y, `inner` rows.
template <typename T, typename F>
double product_error(Batch<T>& a, Batch<T>& x, int64_t inner, int64_t b, const F& element) {
  long double worst = 0, norm = 0;
  for (int64_t j = 0; j < a.cols(); ++j) {
    long double error = 0, size = 0;
    for (int64_t i = 0; i < a.rows(); ++i) {
      long double difference = a(b, i, j);
      size += std::abs(difference);
      for (int64_t k = 0; k < inner; ++k) difference -= static_cast<long double>(x(b, i, k)) * element(k, j);
      error += std::abs(difference);
    }
    worst = std::max(worst, error);
    norm = std::max(norm, size);
  }
  return static_cast<double>(norm == 0 ? worst : worst / norm);
}

template <typename T>
bool same_matrix(Batch<T>& x, int64_t b, Batch<T>& y, int64_t c) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.cols(); ++j) {
      if (std::memcmp(&x(b, i, j), &y(c, i, j), sizeof(T)) != 0) return false;
    }
  }
  return true;
}

// Matrices first .. first + count of a batch.
template <typename T>
Batch<T> part_of(Batch<T>& a, int64_t first, int64_t count, int64_t padding = 0) {
  Batch<T> part(count, a.rows(), a.cols(), T{0}, padding);
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t i = 0; i < a.rows(); ++i) {
      for (int64_t j = 0; j < a.cols(); ++j) part(b, i, j) = a(first + b, i, j);
    }
  }
  return part;
}

}  // namespace kronroot::test
