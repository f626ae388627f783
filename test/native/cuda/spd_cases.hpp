// Symmetric positive definite matrices of known spectrum, and the three ops that factorise them, on the device.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "native/core/matrix.hpp"
#include "native/core/random.hpp"
#include "test/native/cuda/cuda_call.hpp"

namespace kronroot::test {

inline constexpr int64_t spd_padding = 3;
template <typename T>
inline constexpr T untouched_element = -77;
template <typename T>
inline constexpr const char* type_name = sizeof(T) == 4 ? "f32" : "f64";

// In [-1, 1).
inline double uniform(uint64_t stream, uint64_t index) {
  return static_cast<double>(random_bits(stream, index) >> 11) * 0x1p-52 - 1;
}

// Q diag(1 .. 1 / condition) Q^T times scale for a product Q of three random reflectors. The strictly upper triangle is
// NaN: it is not read.
template <typename T>
void fill_spd(Batch<T>& a, int64_t b, double condition, double scale, uint64_t stream) {
  const int64_t n = a.rows();
  const auto at = [n](int64_t i, int64_t j) { return static_cast<size_t>(i * n + j); };
  std::vector<double> s(static_cast<size_t>(n * n)), v(static_cast<size_t>(n)), w(v);
  for (int64_t i = 0; i < n; ++i) {
    s[at(i, i)] = n == 1 ? 1 : std::pow(condition, -static_cast<double>(i) / static_cast<double>(n - 1));
  }
  uint64_t drawn = 0;
  for (int reflection = 0; reflection < 3 && n > 1; ++reflection) {
    double squares = 0;
    for (double& x : v) x = uniform(stream, drawn++), squares += x * x;
    for (const bool rows : {true, false}) {
      std::fill(w.begin(), w.end(), 0.0);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          w[static_cast<size_t>(rows ? j : i)] += v[static_cast<size_t>(rows ? i : j)] * s[at(i, j)];
        }
      }
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          s[at(i, j)] -= 2 / squares * v[static_cast<size_t>(rows ? i : j)] * w[static_cast<size_t>(rows ? j : i)];
        }
      }
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      a(b, i, j) = j > i ? nan_of<T> : static_cast<T>(scale * (s[at(i, j)] + s[at(j, i)]) / 2);
    }
  }
}

template <typename T>
Batch<T> spd_batch(int64_t batch, int64_t n, double condition, double scale, uint64_t stream) {
  Batch<T> a(batch, n, n, nan_of<T>, spd_padding);
  for (int64_t b = 0; b < batch; ++b) fill_spd(a, b, condition, scale, stream + static_cast<uint64_t>(b));
  return a;
}

template <typename T>
double lower(Batch<T>& a, int64_t b, int64_t i, int64_t j) {
  return static_cast<double>(a(b, std::max(i, j), std::min(i, j)));
}

// Largest sum of magnitudes of a column.
template <typename F>
double one_norm(int64_t rows, int64_t cols, const F& element) {
  double largest = 0;
  for (int64_t j = 0; j < cols; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < rows; ++i) sum += std::abs(element(i, j));
    if (!(sum <= largest)) largest = sum;
  }
  return largest;
}

inline void expect_below(double actual, double bound, const std::string& name) {
  if (actual < bound) return;
  report_failure(__FILE__, __LINE__, name + ": " + std::to_string(actual) + " is not below " + std::to_string(bound));
}
inline void expect_that(bool holds, const std::string& name) {
  if (!holds) report_failure(__FILE__, __LINE__, name);
}

using SpdOp = kr_code (*kr_backend::*)(const kr_call*, const kr_cholesky_options*, const kr_batch*, const kr_batch*,
                                       kr_report*);

template <typename T>
struct SpdAnswer {
  Batch<T> x;
  std::vector<kr_report> reports;
};

template <typename T>
SpdAnswer<T> run_spd(SpdOp op, const kr_cholesky_options& options, Batch<T>& a) {
  const int64_t batch = a.descriptor().batch;
  SpdAnswer<T> answer{Batch<T>(batch, a.rows(), a.rows(), untouched_element<T>, spd_padding), {}};
  const DeviceBatch device_a(*&a), device_x(*&answer.x);
  DeviceReports reports(batch);
  CudaCall call;
  if ((cuda().*op)(call.get(), &options, &device_a, &device_x, reports.get()) != KR_OK) {
    report_failure(__FILE__, __LINE__, call.message());
  }
  device_x.read();
  answer.reports = reports.read();
  return answer;
}

// What the reference says of the same call.
template <typename T>
std::vector<kr_report> reference_reports(SpdOp op, const kr_cholesky_options& options, Batch<T>& a) {
  const int64_t batch = a.descriptor().batch;
  Batch<T> x(batch, a.rows(), a.rows());
  std::vector<kr_report> reports(static_cast<size_t>(batch));
  Call call;
  (kr_reference_backend()->*op)(call.get(), &options, &a, &x, reports.data());
  return reports;
}

template <typename T>
bool is_untouched(Batch<T>& x, int64_t b) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.cols(); ++j) {
      if (x(b, i, j) != untouched_element<T>) return false;
    }
  }
  return true;
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
inline bool same_report(const kr_report& x, const kr_report& y) { return std::memcmp(&x, &y, sizeof x) == 0; }

// Between the rows of an output nothing is written.
template <typename T>
bool gaps_are_untouched(Batch<T>& x) {
  for (int64_t i = 0; i + 1 < x.rows(); ++i) {
    if ((&x(0, i, 0))[x.cols()] != untouched_element<T>) return false;
  }
  return true;
}

// A batch of which matrix 1 has an element that is not finite, 2 and 3 are indefinite: they fail and name the pivot,
// are not written, and their neighbours keep their bits, alone too.
template <typename T>
void check_spd_failures(SpdOp op, int64_t n, const std::string& name) {
  Batch<T> good = spd_batch<T>(5, n, 100, 1, 40), a = good;
  SpdAnswer<T> expected = run_spd(op, {}, good);
  a(1, n - 1, 0) = nan_of<T>;
  a(2, n / 2, n / 2) = -1;
  for (int64_t i = 0; i < n; ++i) a(3, i, 0) = 0;
  SpdAnswer<T> answer = run_spd(op, {}, a);
  expect_that(answer.reports[1].status == KR_STATUS_NON_FINITE_INPUT && answer.reports[1].detail == -1, name + " NaN");
  const std::vector<kr_report> reference = reference_reports(op, {}, a);
  for (const size_t b : {size_t{2}, size_t{3}}) {
    expect_that(answer.reports[b].status == KR_STATUS_NOT_POSITIVE_DEFINITE, name + " status");
    expect_that(answer.reports[b].detail == reference[b].detail, name + " pivot");
  }
  for (const int64_t b : {1, 2, 3}) expect_that(is_untouched(answer.x, b), name + " wrote a failure");
  for (const int64_t b : {0, 4}) {
    expect_that(same_matrix(answer.x, b, expected.x, b), name + " a neighbour changed");
    Batch<T> alone(1, n, n);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) alone(i, j) = a(b, i, j);
    }
    SpdAnswer<T> single = run_spd(op, {}, alone);
    expect_that(same_matrix(answer.x, b, single.x, 0), name + " alone differs");
    expect_that(same_report(answer.reports[static_cast<size_t>(b)], single.reports[0]), name + " report alone differs");
  }
}

}  // namespace kronroot::test
