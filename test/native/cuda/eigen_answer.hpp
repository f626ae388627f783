// eigh of the CUDA backend measured against the bounds of ops.h.
#pragma once

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "test/native/cpu/symmetric_matrices.hpp"
#include "test/native/cuda/cuda_call.hpp"

namespace kronroot::test {

template <typename T>
inline constexpr double ulp_of_type = precision_of<T>.ulp;

// Columns after each row of the vectors, which must not be written.
inline constexpr int64_t vector_padding = 3;
template <typename T>
inline constexpr T untouched = static_cast<T>(-77);

template <typename T>
struct EighAnswer {
  Batch<T> values, vectors;
  std::vector<kr_report> reports;
  kr_code code;
};

// The matrices, all of order n, as one batch in T.
template <typename T>
Batch<T> batch_of(int64_t n, const std::vector<Symmetric>& matrices) {
  Batch<T> a(static_cast<int64_t>(matrices.size()), n, n);
  for (size_t b = 0; b < matrices.size(); ++b) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        a(static_cast<int64_t>(b), i, j) = static_cast<T>(matrices[b].data[static_cast<size_t>(i * n + j)]);
      }
    }
  }
  return a;
}

template <typename T>
EighAnswer<T> cuda_eigh(Batch<T>& a, bool wants_vectors = true, const kr_eigh_options* options = nullptr,
                        Batch<T>* basis = nullptr) {
  const int64_t batch = a.descriptor().batch, n = a.rows();
  EighAnswer<T> answer{
      Batch<T>(batch, n, 1, untouched<T>), Batch<T>(batch, n, n, untouched<T>, vector_padding), {}, KR_INTERNAL};
  for (int64_t b = 0; b < batch && basis != nullptr; ++b) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) answer.vectors(b, i, j) = (*basis)(b, i, j);
    }
  }
  const DeviceBatch input(a.descriptor()), values(answer.values.descriptor()), vectors(answer.vectors.descriptor());
  DeviceReports reports(batch);
  CudaCall call;
  answer.code = cuda().eigh(call.get(), options, &input, &values, wants_vectors ? &vectors : nullptr, reports.get());
  if (answer.code != KR_OK) report_failure(__FILE__, __LINE__, call.message());
  values.read();
  vectors.read();
  answer.reports = reports.read();
  return answer;
}

struct EighRatios {
  double residual = 0, orthogonality = 0;
};

// |A V - V diag(w)| / (n ulp |A|) and |V^T V - I| / (n ulp) in 1-norms, summed in f64, of A scaled to about 1.
template <typename T>
EighRatios ratios_of(Batch<T>& a, EighAnswer<T>& answer, int64_t b) {
  const int64_t n = a.rows();
  double largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) largest = std::max(largest, std::abs(static_cast<double>(a(b, i, j))));
  }
  const int exponent = largest > 0 ? std::ilogb(largest) : 0;
  const auto size = static_cast<size_t>(n);
  std::vector<double> unit(size * size), v(size * size);
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j < size; ++j) {
      unit[i * size + j] =
          std::ldexp(static_cast<double>(a(b, static_cast<int64_t>(i), static_cast<int64_t>(j))), -exponent);
      v[i * size + j] = answer.vectors(b, static_cast<int64_t>(i), static_cast<int64_t>(j));
    }
  }
  EighRatios ratios;
  double norm = 0;
  std::vector<double> image(size), products(size);
  for (size_t j = 0; j < size; ++j) {
    const double w = std::ldexp(static_cast<double>(answer.values(b, static_cast<int64_t>(j), 0)), -exponent);
    double column = 0, residual = 0, product = 0;
    std::fill(products.begin(), products.end(), 0.0);
    for (size_t i = 0; i < size; ++i) {
      column += std::abs(unit[i * size + j]);
      double sum = 0;
      for (size_t k = 0; k < size; ++k) {
        sum += unit[i * size + k] * v[k * size + j];
        products[k] += v[i * size + k] * v[i * size + j];
      }
      residual += std::abs(sum - v[i * size + j] * w);
    }
    for (size_t k = 0; k < size; ++k) product += std::abs(products[k] - (k == j ? 1 : 0));
    norm = std::max(norm, column);
    // NaN stays.
    if (!(residual <= ratios.residual)) ratios.residual = residual;
    if (!(product <= ratios.orthogonality)) ratios.orthogonality = product;
  }
  const double scale = static_cast<double>(n) * ulp_of_type<T>;
  ratios.residual = ratios.residual == 0 ? 0 : ratios.residual / (scale * norm);
  ratios.orthogonality /= scale;
  return ratios;
}

template <typename T>
bool has_positive_peaks(Batch<T>& vectors, int64_t b) {
  for (int64_t j = 0; j < vectors.cols(); ++j) {
    T peak = 0;
    for (int64_t i = 0; i < vectors.rows(); ++i) {
      if (std::abs(vectors(b, i, j)) > std::abs(peak)) peak = vectors(b, i, j);
    }
    if (!(peak > 0)) return false;
  }
  return true;
}

inline void expect_that(bool holds, const std::string& where, const std::string& what, double value = 0) {
  if (!holds) report_failure("eigh", 0, where + ": " + what + " " + std::to_string(value));
}

// Everything that ops.h promises of matrices that are answered, in one call; returns the largest ratio.
template <typename T>
double check_eigh(int64_t n, const std::vector<Symmetric>& matrices) {
  Batch<T> a = batch_of<T>(n, matrices);
  EighAnswer<T> answer = cuda_eigh(a), alone = cuda_eigh(a, false);
  double worst = 0;
  for (size_t m = 0; m < matrices.size(); ++m) {
    const auto b = static_cast<int64_t>(m);
    const std::string where =
        std::string(sizeof(T) == 4 ? "f32 " : "f64 ") + matrices[m].name + " n=" + std::to_string(n);
    const kr_report& report = answer.reports[m];
    expect_that(report.status == KR_STATUS_OK, where, "status", report.status);
    expect_that(alone.reports[m].status == KR_STATUS_OK, where, "status of values only", alone.reports[m].status);
    if (report.status != KR_STATUS_OK || n == 0) continue;
    const EighRatios ratios = ratios_of(a, answer, b);
    expect_that(ratios.residual < 10, where, "residual ratio", ratios.residual);
    expect_that(ratios.orthogonality < 10, where, "orthogonality ratio", ratios.orthogonality);
    worst = std::max({worst, ratios.residual, ratios.orthogonality});
    const double unit = static_cast<double>(n) * ulp_of_type<T>;
    // |R z|_2 / (|A|_F |z|_2) <= |R|_1 sqrt(n) / |A|_F, |A|_1 <= sqrt(n) |A|_F, and |z|_2 = sqrt(n)
    expect_that(report.residual >= 0 && report.residual <= (static_cast<double>(n) * ratios.residual + 1) * unit, where,
                "reported residual", report.residual / unit);
    expect_that(std::isnan(alone.reports[m].residual), where, "residual of values only");
    expect_that(has_positive_peaks(answer.vectors, b), where, "sign rule");
    double largest = 0, smallest = HUGE_VAL, difference = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double w = answer.values(b, j, 0);
      largest = std::max(largest, std::abs(w));
      smallest = std::min(smallest, std::abs(w));
      difference = std::max(difference, std::abs(w - static_cast<double>(alone.values(b, j, 0))));
      expect_that(j == 0 || answer.values(b, j - 1, 0) <= answer.values(b, j, 0), where, "order");
      expect_that(j == 0 || alone.values(b, j - 1, 0) <= alone.values(b, j, 0), where, "order of values only");
      for (int64_t pad = 0; pad < vector_padding; ++pad) {
        expect_that(answer.vectors(b, j, n + pad) == untouched<T>, where, "padding");
      }
    }
    expect_that(difference <= std::max(60.0, 0.25 * static_cast<double>(n)) * ulp_of_type<T> * largest, where,
                "values with and without vectors", difference / (ulp_of_type<T> * largest));
    const double condition = largest / smallest;
    expect_that(largest == 0
                    ? std::isnan(report.condition)
                    : report.condition == condition || std::abs(report.condition - condition) <= 1e-3 * condition,
                where, "condition", report.condition / condition);
  }
  return worst;
}

// LAPACK's 21 types.
template <typename T>
std::vector<Symmetric> lapack_types(int64_t n) {
  std::vector<Symmetric> all;
  for (int type = 1; type <= 21; ++type) all.push_back(lapack_type(type, n, precision_of<T>));
  return all;
}

}  // namespace kronroot::test
