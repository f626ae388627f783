// lambda_max_bound against spectra that are known.
#include "native/cpu/lambda_max.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "native/core/matrix.hpp"
#include "spd_matrices.hpp"

namespace {

using namespace kronroot::test;
using kronroot::ulp_of;
using kronroot::cpu::KernelSet;

template <typename T>
void check_lambda_max(const KernelSet& set, int64_t n, const std::vector<double>& values, Uniform& random) {
  const std::string name = name_of(set, type_name<T>, "lambda_max", n);
  Batch<T> a(1, n, n);
  fill_symmetric(a, 0, values, 1, random);
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = i + 1; j < n; ++j) a(i, j) = a(j, i);
  }
  const double bound = kronroot::cpu::lambda_max_bound<T>(set, n, a.data().data(), n);
  // The matrix in T is not quite the one with these eigenvalues.
  const double rounding = static_cast<double>(n) * ulp_of<T> * largest;
  check(bound >= largest - rounding && bound <= 1.05 * largest + rounding, name, "bound", bound / largest);
}

TEST("lambda_max_bound: between the spectral radius and 1.05 times it") {
  Uniform random(7);
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t n : {1, 2, 3, 17, 64, 130, 300}) {
      std::vector<double> one(static_cast<size_t>(n)), flat(one), pair(one), close(one), indefinite(one);
      one[0] = 3;
      for (int64_t i = 0; i < n; ++i) {
        const auto k = static_cast<size_t>(i);
        flat[k] = 2;
        pair[k] = i < 2 ? 1 : 1e-3;
        close[k] = 1 - 1e-3 * static_cast<double>(i) / static_cast<double>(n);
        indefinite[k] = i % 2 == 0 ? 0.5 : -5;
      }
      for (const auto& values : {one, flat, pair, close, indefinite, geometric(n, 1e6), geometric(n, 10)}) {
        check_lambda_max<float>(*set, n, values, random);
        check_lambda_max<double>(*set, n, values, random);
      }
    }
    const double zero[4] = {};
    EXPECT(kronroot::cpu::lambda_max_bound<double>(*set, 2, zero, 2) == 0);
    EXPECT(kronroot::cpu::lambda_max_bound<double>(*set, 0, zero, 0) == 0);
  }
}

}  // namespace
