// Symmetric test matrices in f64, before rounding to the element type: LAPACK's 21 types (TESTING/EIG/dchkst.f, "Test
// matrices", written from that description) and inputs that broke other libraries.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace kronroot::test {

// n x n, row-major.
struct Symmetric {
  std::string name;
  int64_t n;
  std::vector<double> data;
  double& operator()(int64_t i, int64_t j) { return data[static_cast<size_t>(i * n + j)]; }
};

// What the types depend on in the element type.
struct Precision {
  double ulp, root_huge, root_tiny;
};
template <typename T>
inline constexpr Precision precision_of = {0x1p-23, 0x1p63, 0x1p-63};
template <>
inline constexpr Precision precision_of<double> = {0x1p-52, 0x1p511, 0x1p-511};

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-52 - 1; }  // in [-1, 1)
  double normal() { return normal_(engine_); }
  double sign() { return engine_() & 1 ? 1 : -1; }

 private:
  std::mt19937_64 engine_;
  std::normal_distribution<double> normal_;
};

inline Symmetric symmetric(std::string name, int64_t n, const std::function<double(int64_t, int64_t)>& lower) {
  Symmetric a{std::move(name), n, std::vector<double>(static_cast<size_t>(n * n))};
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) a(i, j) = a(j, i) = lower(i, j);
  }
  return a;
}

inline Symmetric diagonal(std::string name, const std::vector<double>& d) {
  return symmetric(std::move(name), static_cast<int64_t>(d.size()),
                   [&](int64_t i, int64_t j) { return i == j ? d[static_cast<size_t>(i)] : 0.0; });
}

inline Symmetric tridiagonal(std::string name, int64_t n, const std::function<double(int64_t)>& d,
                             const std::function<double(int64_t)>& e) {
  return symmetric(std::move(name), n, [&](int64_t i, int64_t j) { return i == j ? d(i) : i == j + 1 ? e(j) : 0.0; });
}

// A random orthogonal matrix (product of n Householder reflectors in random directions; Stewart 1980). One is made for
// each n and reused: its formation is the dearest part of a test matrix.
inline const std::vector<double>& orthogonal(int64_t n) {
  static std::map<int64_t, std::vector<double>> made;
  auto [place, is_new] = made.try_emplace(n);
  std::vector<double>& u = place->second;
  if (!is_new) return u;
  Random random(static_cast<uint64_t>(n) + 17);
  const auto size = static_cast<size_t>(n);
  u.assign(size * size, 0);
  for (size_t i = 0; i < size; ++i) u[i * size + i] = random.sign();
  std::vector<double> v(size), product(size);
  for (size_t first = 0; first + 1 < size; ++first) {
    double squares = 0;
    for (size_t i = first; i < size; ++i) squares += (v[i] = random.normal()) * v[i];
    std::fill(product.begin(), product.end(), 0.0);
    for (size_t i = first; i < size; ++i) {
      for (size_t j = 0; j < size; ++j) product[j] += v[i] * u[i * size + j];
    }
    for (size_t i = first; i < size; ++i) {
      const double factor = 2 / squares * v[i];
      for (size_t j = 0; j < size; ++j) u[i * size + j] -= factor * product[j];
    }
  }
  return u;
}

// U diag(d) U^T
inline Symmetric spectral(std::string name, const std::vector<double>& d) {
  const size_t n = d.size();
  const std::vector<double>& u = orthogonal(static_cast<int64_t>(n));
  std::vector<double> transposed(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < n; ++k) transposed[k * n + i] = u[i * n + k];
  }
  Symmetric a{std::move(name), static_cast<int64_t>(n), std::vector<double>(n * n, 0.0)};
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < n; ++k) {
      const double factor = u[i * n + k] * d[k];
      for (size_t j = 0; j <= i; ++j) a.data[i * n + j] += factor * transposed[k * n + j];
    }
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) a.data[j * n + i] = a.data[i * n + j];
  }
  return a;
}

// 1 ... smallest: 0 arithmetic, 1 geometric, 2 clustered at smallest.
inline std::vector<double> spectrum(int kind, int64_t n, double smallest) {
  std::vector<double> d(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const double t = n > 1 ? static_cast<double>(i) / static_cast<double>(n - 1) : 0;
    d[static_cast<size_t>(i)] = kind == 0   ? 1 - t * (1 - smallest)
                                : kind == 1 ? std::pow(smallest, t)
                                            : (i == 0 ? 1 : smallest);
  }
  return d;
}

inline Symmetric lapack_type(int type, int64_t n, const Precision& precision) {
  Random random(static_cast<uint64_t>(1000 * type + n));
  const std::string name = "LAPACK type " + std::to_string(type);
  const double size = static_cast<double>(std::max<int64_t>(n, 1));
  const double huge = precision.root_huge / size, tiny = precision.root_tiny * size;
  const auto values = [&](int kind, bool has_signs, double scale) {
    std::vector<double> d = spectrum(kind, n, precision.ulp);
    for (double& x : d) x *= has_signs ? scale * random.sign() : scale;
    return d;
  };
  const auto uniform = [&](double scale) {
    return symmetric(name, n, [&](int64_t, int64_t) { return scale * random.uniform(); });
  };
  switch (type) {
    case 1:
      return diagonal(name, std::vector<double>(static_cast<size_t>(n), 0.0));
    case 2:
      return diagonal(name, std::vector<double>(static_cast<size_t>(n), 1.0));
    case 3:
    case 4:
    case 5:
      return diagonal(name, values(type - 3, true, 1));
    case 6:
      return diagonal(name, values(1, true, huge));
    case 7:
      return diagonal(name, values(1, true, tiny));
    case 8:
    case 9:
    case 10:
      return spectral(name, values(type - 8, true, 1));
    case 11:
      return spectral(name, values(0, true, huge));
    case 12:
      return spectral(name, values(0, true, tiny));
    case 13:
      return uniform(1);
    case 14:
      return uniform(huge);
    case 15:
      return uniform(tiny);
    case 16:
    case 17:
    case 18:
      return spectral(name, values(type - 16, false, 1));
    case 19:
      return spectral(name, values(0, false, huge));
    case 20:
      return spectral(name, values(0, false, tiny));
    default: {
      const std::vector<double> d = values(1, false, 1);
      return tridiagonal(
          name, n, [&](int64_t i) { return d[static_cast<size_t>(i)]; },
          [&](int64_t i) {
            const auto j = static_cast<size_t>(i);
            return 0.5 * random.uniform() * std::sqrt(d[j] * d[j + 1]);
          });
    }
  }
}

// Gram matrix of rank `rank` with every third row dead (pytorch 94772, 105359).
inline Symmetric low_rank_gram(int64_t n, int64_t rank) {
  Random random(5);
  std::vector<double> x(static_cast<size_t>(n * rank));
  for (int64_t i = 0; i < n * rank; ++i) x[static_cast<size_t>(i)] = i / rank % 3 == 0 ? 0 : random.normal();
  return symmetric("low-rank Gram " + std::to_string(n), n, [&](int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t k = 0; k < rank; ++k)
      sum += x[static_cast<size_t>(i * rank + k)] * x[static_cast<size_t>(j * rank + k)];
    return sum;
  });
}

// Copies of Wilkinson's W21+ coupled by `glue`.
inline Symmetric glued_wilkinson(int64_t copies, double glue) {
  return tridiagonal(
      "glued Wilkinson", 21 * copies, [](int64_t i) { return std::abs(10.0 - static_cast<double>(i % 21)); },
      [&](int64_t i) { return i % 21 == 20 ? glue : 1.0; });
}

inline std::vector<Symmetric> known_killers(const Precision& precision, double largest) {
  Random random(3);
  const double denormal = precision.ulp == 0x1p-23 ? 1e-42 : 1e-312;
  const auto real = [](int64_t i) { return static_cast<double>(i); };
  std::vector<Symmetric> all = {
      symmetric("ones with corners (pytorch 107082)", 512,
                [](int64_t i, int64_t j) {
                  return i != j ? 1 : i == 0 ? 1e-5 : i == 511 ? 1e5 : 1;
                }),
      low_rank_gram(60, 10),
      symmetric("3 x 3 (cupy 4847)", 3, [&](int64_t, int64_t) { return random.normal(); }),
      symmetric("zero diagonal (jax)", 4, [](int64_t i, int64_t j) { return i == j       ? 0
                                                                            : i == j + 1 ? 1
                                                                                         : -1; }),
      diagonal("identity", std::vector<double>(512, 1.0)),
      diagonal("denormal identity", std::vector<double>(33, denormal)),
      diagonal("negative zeros", {-0.0, 1, -0.0, 2, -0.0}),
      symmetric("Hilbert", 64, [&](int64_t i, int64_t j) { return 1 / real(i + j + 1); }),
      tridiagonal(
          "Wilkinson W21+", 21, [](int64_t i) { return std::abs(10.0 - static_cast<double>(i)); },
          [](int64_t) { return 1.0; }),
      glued_wilkinson(10, 1e-2),
      glued_wilkinson(10, 1e-7),
      glued_wilkinson(10, 1e-14),
      tridiagonal(
          "(1, 2, 1)", 100, [](int64_t) { return 2.0; }, [](int64_t) { return 1.0; }),
      tridiagonal(
          "Clement", 100, [](int64_t) { return 0.0; },
          [&](int64_t i) { return std::sqrt(real(i + 1) * real(99 - i)); }),
      symmetric("graded downwards", 60, [&](int64_t i, int64_t j) { return std::pow(0.5, real(i + j)); }),
      symmetric("graded upwards", 60, [&](int64_t i, int64_t j) { return std::pow(0.5, real(118 - i - j)); }),
      symmetric("all equal", 50, [](int64_t, int64_t) { return 0.7; }),
      symmetric("signs at a quarter of the range", 3, [&](int64_t, int64_t) { return largest / 4 * random.sign(); }),
      diagonal("whole range", {largest, -largest, largest * precision.ulp, 1, 0, -1e-30}),
      symmetric("largest off the diagonal", 2, [&](int64_t i, int64_t j) { return i == j ? 0 : largest; }),
      spectral("EMA of low-rank Grams",
               [] {
                 std::vector<double> d(96, 1e-10);
                 for (size_t i = 0; i < 24; ++i) d[i] = std::pow(0.6, static_cast<double>(i));
                 return d;
               }()),
  };
  return all;
}

// Tridiagonal matrices (which the reduction leaves as they are) and others that divide and conquer finds hard: all of
// it deflates, nothing does, or the poles of the secular equation are as close as deflation lets them be.
inline std::vector<Symmetric> hard_to_divide(int64_t n, const Precision& precision) {
  Random random(static_cast<uint64_t>(n));
  const auto real = [](int64_t i) { return static_cast<double>(i); };
  const double decades = precision.ulp == 0x1p-23 ? -37 : -300;
  const auto scale_of = [&](double part) { return std::pow(10.0, decades * part); };
  const auto ones = [](int64_t) { return 1.0; };
  std::vector<double> three(static_cast<size_t>(n)), near_one(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    three[static_cast<size_t>(i)] = real(i % 3) - 1;
    near_one[static_cast<size_t>(i)] = 1 + precision.ulp * real(i);
  }
  std::vector<Symmetric> all = {
      diagonal("identity", std::vector<double>(static_cast<size_t>(n), 1.0)),
      low_rank_gram(n, n / 12 + 1),
      spectral("three eigenvalues", three),
      spectral("one cluster", near_one),
      tridiagonal(
          "(1, 2, 1)", n, [](int64_t) { return 2.0; }, ones),
      tridiagonal(
          "(-1, 0, -1)", n, [](int64_t) { return 0.0; }, [](int64_t) { return -1.0; }),
      tridiagonal(
          "random", n, [&](int64_t) { return random.normal(); }, [&](int64_t) { return random.normal(); }),
      tridiagonal("identity with one coupling in the middle", n, ones,
                  [&](int64_t i) { return i == n / 2 - 1 ? -1.0 : 0.0; }),
      tridiagonal(
          "couplings of every size", n, [&](int64_t i) { return real(i % 5); },
          [&](int64_t i) { return random.sign() * std::pow(10.0, -real(i * 7 % 20)); }),
      tridiagonal(
          "graded downwards", n, [&](int64_t i) { return scale_of(real(i) / real(n)); },
          [&](int64_t i) { return 0.5 * scale_of(real(i + 1) / real(n)); }),
      tridiagonal(
          "graded upwards", n, [&](int64_t i) { return scale_of(1 - real(i) / real(n)); },
          [&](int64_t i) { return 0.5 * scale_of(1 - real(i) / real(n)); }),
      tridiagonal(
          "Clement", n, [](int64_t) { return 0.0; },
          [&](int64_t i) { return std::sqrt(real(i + 1) * real(n - 1 - i)); }),
      symmetric("everything tiny", n, [&](int64_t, int64_t) { return scale_of(1) * random.normal(); }),
  };
  for (double glue : {1e-2, 1e-7, 1e-14}) {
    if (n >= 42) all.push_back(glued_wilkinson(n / 21, glue));
  }
  return all;
}

}  // namespace kronroot::test
