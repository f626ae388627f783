// triangular_solve measured against the bound of ops.h. What must not be read holds NaN.
#pragma once

#include "native/core/matrix.hpp"
#include "test/native/rectangles.hpp"

namespace kronroot::test {

struct TriangularCase {
  kr_triangular_solve_options options;
  int64_t n, k;
};

template <typename T>
struct RandomSystem {
  Batch<T> t, b;
};

// Well-conditioned triangles, b of all sizes; matrix 1 badly scaled where it is small, matrix 2 diagonal.
template <typename T>
RandomSystem<T> random_system(const TriangularCase& each, int64_t batch, uint64_t seed) {
  const auto& [options, n, k] = each;
  const bool right = options.side == KR_SIDE_RIGHT;
  RandomSystem<T> system{Batch<T>(batch, n, n, nan_of<T>, 2), Batch<T>(batch, right ? k : n, right ? n : k, T{0}, 1)};
  Uniform random(seed);
  for (int64_t m = 0; m < batch; ++m) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        if (i == j) {
          const double value = (1.5 + random.next()) * (m == 1 && n < 50 ? std::pow(10, 3 * random.next()) : 1);
          system.t(m, i, i) = options.unit_diagonal ? nan_of<T> : static_cast<T>(value);
        } else if ((j > i) == (options.upper != 0)) {
          system.t(m, i, j) = m == 2 ? T{0} : static_cast<T>(random.next() / std::sqrt(static_cast<double>(n)));
        }
      }
    }
    for (int64_t i = 0; i < system.b.rows(); ++i) {
      for (int64_t j = 0; j < system.b.cols(); ++j) system.b(m, i, j) = static_cast<T>(random.next());
    }
  }
  return system;
}

// Which of the sixteen, and the sizes.
inline std::string name_of(const char* type, const TriangularCase& each) {
  const auto& o = each.options;
  return std::string(type) + (o.side == KR_SIDE_RIGHT ? " right" : " left") + (o.upper ? " upper" : " lower") +
         (o.transpose ? " transposed" : "") + (o.unit_diagonal ? " unit" : "") + " n " + std::to_string(each.n) +
         " k " + std::to_string(each.k);
}

// Element (i, j) of op(T), the identity's where the diagonal is one by decree.
template <typename T>
long double element(const kr_triangular_solve_options& options, Batch<T>& t, int64_t m, int64_t i, int64_t j) {
  if (options.transpose) std::swap(i, j);
  if (i == j) return options.unit_diagonal ? 1 : static_cast<long double>(t(m, i, i));
  return (j > i) == (options.upper != 0) ? static_cast<long double>(t(m, i, j)) : 0;
}

// |op(T) X - alpha B| <= 2 (n + 4) ulp |op(T)| |X|
template <typename T>
void check_triangular(const std::string& name, const TriangularCase& each, Batch<T>& t, Batch<T>& b, Batch<T>& x,
                      int64_t m) {
  const auto& options = each.options;
  const bool right = options.side == KR_SIDE_RIGHT;
  const double unit = 2 * static_cast<double>(each.n + 4) * kronroot::ulp_of<T>,
               alpha = options.alpha == 0 ? 1 : options.alpha;
  double worst = 0;
  for (int64_t i = 0; i < b.rows(); ++i) {
    for (int64_t j = 0; j < b.cols(); ++j) {
      long double error = -static_cast<long double>(static_cast<T>(alpha) * b(m, i, j)), size = 0;
      for (int64_t l = 0; l < each.n; ++l) {
        const long double product =
            right ? x(m, i, l) * element(options, t, m, l, j) : element(options, t, m, i, l) * x(m, l, j);
        error += product;
        size += std::abs(product);
      }
      if (size > 0) worst = std::max(worst, static_cast<double>(std::abs(error) / size));
    }
  }
  check(worst <= unit, name, "|op(T) X - alpha B| / |op(T)| |X|", worst / unit);
}

// |op(T) x - b|_2 / (|T|_F |x|_2 + |b|_2), T lower triangular
template <typename T>
double residual_of(Batch<T>& t, Batch<T>& b, Batch<T>& x, bool transposed) {
  const int64_t n = t.rows();
  long double error = 0, of_t = 0, of_x = 0, of_b = 0;
  for (int64_t i = 0; i < n; ++i) {
    long double row = -static_cast<long double>(b(i, 0));
    for (int64_t j = 0; j < n; ++j) {
      const long double element = (transposed ? i > j : j > i) ? 0 : transposed ? t(j, i) : t(i, j);
      row += element * x(j, 0);
      of_t += element * element;
    }
    error += row * row;
    of_x += static_cast<long double>(x(i, 0)) * x(i, 0);
    of_b += static_cast<long double>(b(i, 0)) * b(i, 0);
  }
  return static_cast<double>(std::sqrt(error) / (std::sqrt(of_t) * std::sqrt(of_x) + std::sqrt(of_b)));
}

}  // namespace kronroot::test
