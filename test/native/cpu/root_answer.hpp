// inverse_root of one matrix, as the tests call it and judge it.
#pragma once

#include <algorithm>
#include <cmath>

#include "native/core/matrix.hpp"
#include "test/native/cpu/devices.hpp"
#include "test/native/cpu/spectra.hpp"

namespace kronroot::test {

inline kr_inverse_root_options root_options(int numerator, int denominator, int ridge, double value,
                                            kr_method method = KR_METHOD_AUTO) {
  kr_inverse_root_options options{};
  options.p_numerator = numerator;
  options.p_denominator = denominator;
  options.ridge = ridge;
  options.ridge_value = value;
  options.method = method;
  return options;
}

template <typename T>
Batch<T> rounded(const Dense& a, int64_t n, double scale = 1) {
  Batch<T> batch(1, n, n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) batch(i, j) = static_cast<T>(a[static_cast<size_t>(i * n + j)] * scale);
  }
  return batch;
}

template <typename T>
Batch<double> widened(const Batch<T>& a, int64_t n) {
  return rounded<double>(Dense(a.data().begin(), a.data().end()), n);
}

inline constexpr double untouched = 77;

// One matrix, one thread, the best instruction set.
template <typename T>
struct RootAnswer {
  RootAnswer(const Batch<T>& a, int64_t n, const kr_inverse_root_options& options,
             const cpu::KernelSet& kernels = cpu::best_kernels())
      : x(1, n, n, T{untouched}) {
    const DeviceCall call(kernels);
    code = cpu::inverse_root(call.get(), &options, &a, &x, &report);
  }
  bool failed_with(kr_status status) const {
    return code == KR_OK && report.status == status && report.rung == KR_RUNG_NONE &&
           std::all_of(x.data().begin(), x.data().end(), [](T each) { return each == T{untouched}; });
  }
  bool answered() const { return code == KR_OK && report.status < KR_FIRST_FAILURE; }
  Batch<T> x;
  kr_report report;
  kr_code code;
};

// |x - exact|_F / |exact|_F
template <typename T>
double relative_error(const Batch<T>& x, const Batch<double>& exact) {
  double error = 0, size = 0;
  for (size_t i = 0; i < exact.data().size(); ++i) {
    const double difference = static_cast<double>(x.data()[i]) - exact.data()[i];
    error += difference * difference;
    size += exact.data()[i] * exact.data()[i];
  }
  return std::sqrt(error / size);
}

template <typename T>
bool exactly_symmetric(Batch<T>& x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j)
      if (x(i, j) != x(j, i)) return false;
  }
  return true;
}

}  // namespace kronroot::test
