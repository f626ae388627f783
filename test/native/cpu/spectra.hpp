// Positive definite matrices with the spectra that roots are judged on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace kronroot::test {

enum class Spectra { geometric, shampoo, clustered, wishart, log_uniform };
inline constexpr Spectra all_spectra[] = {Spectra::geometric, Spectra::shampoo, Spectra::clustered, Spectra::wishart,
                                          Spectra::log_uniform};

inline const char* name_of(Spectra spectra) {
  switch (spectra) {
    case Spectra::geometric:
      return "geometric";
    case Spectra::shampoo:
      return "shampoo";
    case Spectra::clustered:
      return "clustered";
    case Spectra::wishart:
      return "wishart";
    default:
      return "log-uniform";
  }
}

// Row-major n x n in f64.
using Dense = std::vector<double>;

class MatrixSource {
 public:
  explicit MatrixSource(uint64_t seed) : engine_(seed) {}

  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  double normal() { return normal_(engine_); }
  int64_t integer(int64_t below) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(below)); }

  // Q diag(values) Q^T with a random orthogonal Q: n reflections from both sides.
  Dense with_eigenvalues(const std::vector<double>& values) {
    const auto n = static_cast<int64_t>(values.size());
    Dense a(static_cast<size_t>(n * n), 0.0);
    for (int64_t i = 0; i < n; ++i) a[static_cast<size_t>(i * n + i)] = values[static_cast<size_t>(i)];
    std::vector<double> v(values.size()), w(values.size());
    for (int64_t k = 0; k < n; ++k) {
      double squares = 0;
      for (double& each : v) {
        each = normal();
        squares += each * each;
      }
      // (I - t v v^T) A (I - t v v^T) = A - v w^T - w v^T, w = t A v - t^2/2 (v^T A v) v, t = 2 / v^T v
      const double t = 2 / squares;
      double along = 0;
      for (int64_t i = 0; i < n; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < n; ++j) sum += a[static_cast<size_t>(i * n + j)] * v[static_cast<size_t>(j)];
        w[static_cast<size_t>(i)] = t * sum;
        along += v[static_cast<size_t>(i)] * t * sum;
      }
      for (int64_t i = 0; i < n; ++i) w[static_cast<size_t>(i)] -= t / 2 * along * v[static_cast<size_t>(i)];
      for (int64_t i = 0; i < n; ++i) {
        const double vi = v[static_cast<size_t>(i)], wi = w[static_cast<size_t>(i)];
        for (int64_t j = 0; j < n; ++j) {
          a[static_cast<size_t>(i * n + j)] -= vi * w[static_cast<size_t>(j)] + wi * v[static_cast<size_t>(j)];
        }
      }
      if (k >= 12 && n > 64) break;  // dense and random enough
    }
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < i; ++j) a[static_cast<size_t>(j * n + i)] = a[static_cast<size_t>(i * n + j)];
    }
    return a;
  }

  // C <- C + weight X X^T, X n x rank of normal entries
  void add_gram(int64_t n, int64_t rank, double weight, Dense& c) {
    std::vector<double> x(static_cast<size_t>(n * rank));
    for (double& each : x) each = normal();
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < rank; ++k)
          sum += x[static_cast<size_t>(i * rank + k)] * x[static_cast<size_t>(j * rank + k)];
        c[static_cast<size_t>(i * n + j)] += weight * sum;
      }
    }
  }

  // Eigenvalues within [1 / condition, 1] lambda_max, save those of `shampoo` and `wishart`, whose smallest ones are
  // whatever they are: 0 for the first, which stands on the ridge.
  Dense matrix(Spectra spectra, int64_t n, double condition) {
    std::vector<double> values(static_cast<size_t>(n));
    Dense c(static_cast<size_t>(n * n), 0.0);
    switch (spectra) {
      case Spectra::geometric:
        for (int64_t i = 0; i < n; ++i) {
          values[static_cast<size_t>(i)] =
              std::pow(condition, n > 1 ? -static_cast<double>(i) / static_cast<double>(n - 1) : 0);
        }
        return with_eigenvalues(values);
      case Spectra::clustered:  // three tight groups
        for (int64_t i = 0; i < n; ++i) {
          const double centre = i % 3 == 0 ? 1 : i % 3 == 1 ? 1 / std::sqrt(condition) : 1.01 / condition;
          values[static_cast<size_t>(i)] = centre * (1 - 1e-3 * uniform());
        }
        return with_eigenvalues(values);
      case Spectra::log_uniform:
        for (double& each : values) each = std::pow(condition, -uniform());
        return with_eigenvalues(values);
      case Spectra::shampoo:  // exponential moving average of four Grams of rank n / 16
        for (int k = 0; k < 4; ++k) {
          for (double& each : c) each *= 0.9;
          add_gram(n, std::max<int64_t>(1, n / 16), 0.1, c);
        }
        return c;
      default:
        add_gram(n, n + n / 8, 1.0 / static_cast<double>(n), c);
        return c;
    }
  }

 private:
  std::mt19937_64 engine_;
  std::normal_distribution<double> normal_;
};

}  // namespace kronroot::test
