// Symmetric positive definite test matrices of known spectrum, and calls of the ops that factorise them.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "devices.hpp"

namespace kronroot::test {

constexpr int64_t kPadding = 3;
template <typename T>
constexpr T kUntouched = -77;

inline std::string name_of(const cpu::KernelSet& set, const char* type, const char* op, int64_t n) {
  return std::string(set.name) + " " + type + " " + op + " n=" + std::to_string(n);
}

// Q diag(values) Q^T for a product Q of random reflectors, scaled; the strictly upper triangle is NaN: it is not read.
template <typename T>
void fill_symmetric(Batch<T>& a, int64_t b, const std::vector<double>& values, double scale, Uniform& random) {
  const auto n = static_cast<int64_t>(values.size());
  std::vector<double> s(static_cast<size_t>(n * n)), v(values.size()), w(values.size());
  for (int64_t i = 0; i < n; ++i) s[static_cast<size_t>(i * n + i)] = values[static_cast<size_t>(i)];
  for (int reflection = 0; reflection < 3; ++reflection) {
    double squares = 0;
    for (double& x : v) x = random.next(), squares += x * x;
    if (squares == 0) continue;
    // (I - 2 v v^T / v^T v) S (I - 2 v v^T / v^T v), from both sides one after the other.
    for (const bool rows : {true, false}) {
      std::fill(w.begin(), w.end(), 0.0);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          w[static_cast<size_t>(rows ? j : i)] +=
              v[static_cast<size_t>(rows ? i : j)] * s[static_cast<size_t>(i * n + j)];
        }
      }
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          s[static_cast<size_t>(i * n + j)] -=
              2 / squares * v[static_cast<size_t>(rows ? i : j)] * w[static_cast<size_t>(rows ? j : i)];
        }
      }
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const double mean = (s[static_cast<size_t>(i * n + j)] + s[static_cast<size_t>(j * n + i)]) / 2;
      a(b, i, j) = j > i ? nan_of<T> : static_cast<T>(scale * mean);
    }
  }
}

// 1 down to 1 / condition, evenly on a logarithmic scale.
inline std::vector<double> geometric(int64_t n, double condition) {
  std::vector<double> values(static_cast<size_t>(n), 1.0);
  for (int64_t i = 1; i < n; ++i) {
    values[static_cast<size_t>(i)] = std::pow(condition, -static_cast<double>(i) / static_cast<double>(n - 1));
  }
  return values;
}

template <typename T>
Batch<T> spd(int64_t batch, int64_t n, double condition, double scale, Uniform& random) {
  Batch<T> a(batch, n, n, nan_of<T>, kPadding);
  for (int64_t b = 0; b < batch; ++b) fill_symmetric(a, b, geometric(n, condition), scale, random);
  return a;
}

// Element of the symmetric matrix whose lower triangle a holds.
template <typename T>
long double lower(Batch<T>& a, int64_t b, int64_t i, int64_t j) {
  return a(b, std::max(i, j), std::min(i, j));
}

using Op = kr_code (*)(const kr_call*, const kr_cholesky_options*, const kr_batch*, const kr_batch*, kr_report*);

template <typename T>
Batch<T> run(const cpu::KernelSet& set, Op op, const kr_cholesky_options& options, Batch<T>& a,
             std::vector<kr_report>& reports, int threads = 1) {
  Batch<T> x(a.descriptor().batch, a.rows(), a.cols(), kUntouched<T>, kPadding);
  reports.assign(static_cast<size_t>(a.descriptor().batch), kr_report{});
  const DeviceCall call(set, threads);
  check(op(call.get(), &options, &a, &x, reports.data()) == KR_OK, call.message(), "code");
  return x;
}

template <typename T>
bool untouched(Batch<T>& x, int64_t b) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.cols(); ++j) {
      if (x(b, i, j) != kUntouched<T>) return false;
    }
  }
  return true;
}

}  // namespace kronroot::test
