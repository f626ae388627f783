// norm_estimate on the device against the bounds of ops.h; the reference knows the norms themselves.
#include <memory>

#include "native/core/matrix.hpp"
#include "test/native/cuda/cuda_call.hpp"
#include "test/native/rectangles.hpp"

namespace kronroot::test {
namespace {

template <typename T>
struct NormAnswer {
  Batch<T> values;
  std::vector<kr_report> reports;
};

template <typename T>
NormAnswer<T> cuda_norm(Batch<T>& a, int32_t kind, int32_t iterations = 0) {
  const int64_t batch = a.descriptor().batch;
  NormAnswer<T> answer{Batch<T>(batch, 1, 1, kUntouched<T>, 1), {}};
  const DeviceBatch input(a.descriptor()), values(answer.values.descriptor());
  DeviceReports reports(batch);
  CudaCall call;
  const kr_norm_estimate_options options{kind, iterations};
  check(cuda().norm_estimate(call.get(), &options, &input, &values, reports.get()) == KR_OK, call.message(), "code");
  values.read();
  answer.reports = reports.read();
  return answer;
}

// What is promised of a norm, given the exact one.
template <typename T>
void check_norm(const std::string& name, int32_t kind, int64_t sides, double found, double known) {
  if (known == 0) {
    check(found == 0, name, "of zero", found);
    return;
  }
  // One unit in the last place of a denormal number is no fraction of it.
  const double unit = std::max(kronroot::ulp_of<T>, static_cast<double>(std::numeric_limits<T>::denorm_min()) / known);
  const double off = 8 * static_cast<double>(sides) * unit, ratio = found / known;
  if (kind == KR_NORM_SPECTRAL) {
    // Never below, as far as the reference knows it.
    check(ratio >= 1 - kronroot::ulp_of<double> * static_cast<double>(sides) && ratio <= 1.025 + off, name,
          "upper bound", ratio);
  } else if (kind == KR_NORM_SPECTRAL_LOWER) {
    check(ratio > 0.5 && ratio <= 1 + off, name, "lower bound", ratio);
  } else if (kind == KR_NORM_MAX) {
    check(found == known, name, "largest", ratio);
  } else {
    check(std::abs(ratio - 1) <= (sizeof(T) == 4 ? 2 : static_cast<double>(sides)) * unit, name, "norm", ratio - 1);
  }
}

template <typename T>
void check_shape(int64_t m, int64_t n, std::initializer_list<int32_t> kinds) {
  const auto matrices = rectangles<T>(m, n, static_cast<uint64_t>(10 * m + n));
  Batch<T> a = batch_of<T>(matrices, 2);
  const int64_t batch = a.descriptor().batch;
  Batch<double> wide(batch, m, n), exact(batch, 1, 1);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) wide(b, i, j) = static_cast<double>(a(b, i, j));
    }
  }
  for (const int32_t kind : kinds) {
    const kr_norm_estimate_options options{kind, 0};
    Call oracle;
    EXPECT(kr_reference_backend()->norm_estimate(oracle.get(), &options, &wide, &exact, nullptr) == KR_OK);
    NormAnswer<T> answer = cuda_norm(a, kind);
    for (size_t b = 0; b < matrices.size(); ++b) {
      const std::string name = std::string(type_name<T>) + " kind " + std::to_string(kind) + " " + std::to_string(m) +
                               "x" + std::to_string(n) + " " + matrices[b].name;
      const auto index = static_cast<int64_t>(b);
      const kr_report& report = answer.reports[b];
      check(report.status == KR_STATUS_OK && report.method == KR_METHOD_DIRECT, name, "status", report.status);
      check(report.iterations == (kind == KR_NORM_SPECTRAL_LOWER ? 4 : 0), name, "iterations", report.iterations);
      check(std::isnan(report.residual) && std::isnan(report.condition), name, "measured something");
      check_norm<T>(name, kind, m + n, static_cast<double>(answer.values(index, 0, 0)), exact(index, 0, 0));
    }
  }
}

constexpr std::initializer_list<int32_t> all_kinds{KR_NORM_SPECTRAL, KR_NORM_SPECTRAL_LOWER, KR_NORM_FROBENIUS,
                                                   KR_NORM_ONE,      KR_NORM_INFINITY,       KR_NORM_MAX};
constexpr std::initializer_list<int32_t> exact_kinds{KR_NORM_FROBENIUS, KR_NORM_ONE, KR_NORM_INFINITY, KR_NORM_MAX};

TEST("norm_estimate: the bounds of ops.h for rectangles of every kind") {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{1, 1},
                             {2, 3},
                             {16, 16},
                             {17, 9},
                             {9, 100},
                             {32, 33},
                             {70, 25},
                             {64, 65},
                             {65, 66}}) {
    check_shape<float>(m, n, all_kinds);
    check_shape<double>(m, n, all_kinds);
  }
}

TEST("norm_estimate: the exact ones by a warp, by a block and by parts") {
  for (const auto& [m, n] :
       {std::pair<int64_t, int64_t>{32, 32}, {33, 32}, {1, 1025}, {700, 3}, {300, 110}, {5, 8000}}) {
    check_shape<float>(m, n, exact_kinds);
  }
  check_shape<double>(260, 130, exact_kinds);
}

// Elements for which squares overflow, vanish and count, side by side.
TEST("norm_estimate: FROBENIUS of f64 from one end of the range to the other") {
  Batch<double> a(4, 1, 3);
  a(0, 0, 0) = 3e200, a(0, 0, 1) = 4e200, a(0, 0, 2) = 1;
  a(1, 0, 0) = 3e-200, a(1, 0, 1) = -4e-200;
  a(2, 0, 0) = 3e-155, a(2, 0, 1) = 4e-155, a(2, 0, 2) = 12e-155;
  a(3, 0, 0) = 1.2e308, a(3, 0, 1) = 1.2e308;
  NormAnswer<double> answer = cuda_norm(a, KR_NORM_FROBENIUS);
  EXPECT_NEAR(answer.values(0, 0, 0) / 5e200, 1, 4 * 0x1p-52);
  EXPECT_NEAR(answer.values(1, 0, 0) / 5e-200, 1, 4 * 0x1p-52);
  EXPECT_NEAR(answer.values(2, 0, 0) / 13e-155, 1, 4 * 0x1p-52);
  EXPECT_NEAR(answer.values(3, 0, 0) / 1.2e308, std::sqrt(2), 4 * 0x1p-52);
}

template <typename T>
void check_rank_one(int64_t m, int64_t n) {
  Batch<T> a(1, m, n);
  double squares = 0, of_row = 0;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) a(i, j) = static_cast<T>(i % 20 + 1) * static_cast<T>(j % 7 - 3);
    squares += static_cast<double>((i % 20 + 1) * (i % 20 + 1));
  }
  for (int64_t j = 0; j < n; ++j) of_row += static_cast<double>((j % 7 - 3) * (j % 7 - 3));
  const double known = std::sqrt(squares * of_row), bound = 8 * static_cast<double>(m + n) * kronroot::ulp_of<T>;
  NormAnswer<T> lower = cuda_norm(a, KR_NORM_SPECTRAL_LOWER, 1), upper = cuda_norm(a, KR_NORM_SPECTRAL);
  EXPECT_NEAR(lower.values(0, 0) / known, 1, bound);
  EXPECT(upper.values(0, 0) / known >= 1 - 0x1p-51 && upper.values(0, 0) / known <= 1 + bound);
}

TEST("norm_estimate: rank one is exact") {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{20, 30}, {90, 70}, {520, 510}, {70000, 4}}) {
    check_rank_one<float>(m, n);
    check_rank_one<double>(m, n);
  }
}

TEST("norm_estimate: SPECTRAL_LOWER rises to sigma_max with its steps") {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{20, 30}, {515, 512}}) {
    Batch<float> a(1, m, n);
    Uniform random(4);
    random.fill(a);
    double before = 0;
    for (const int32_t iterations : {1, 4, 16}) {
      NormAnswer<float> answer = cuda_norm(a, KR_NORM_SPECTRAL_LOWER, iterations);
      EXPECT(answer.reports[0].iterations == iterations && answer.values(0, 0) >= before);
      before = answer.values(0, 0);
    }
    const double upper = cuda_norm(a, KR_NORM_SPECTRAL).values(0, 0);
    EXPECT(upper >= before && upper <= 1.06 * before);
  }
}

// Singular values within 2.5 % of each other: nothing separates them, the squarings that are always enough are made.
TEST("norm_estimate: SPECTRAL settles where all singular values are equal") {
  for (const int64_t n : {50, 100}) {
    Batch<float> a(1, n, n);
    for (int64_t i = 0; i < n; ++i) a(i, n - 1 - i) = i % 2 == 0 ? 3.0F : -3.0F;
    const double found = cuda_norm(a, KR_NORM_SPECTRAL).values(0, 0);
    EXPECT(found >= 3 && found <= 3 * 1.025);
  }
}

TEST("norm_estimate: failures leave the value and the neighbours alone") {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{3, 2}, {40, 50}, {70, 80}, {530, 500}}) {
    for (const int32_t kind : all_kinds) {
      Batch<float> a(5, m, n, 1), alone(1, m, n, 1);
      a(1, m - 1, n - 1) = nan_of<float>;
      a(2, 0, 0) = -infinity_of<float>;
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) a(3, i, j) = 3e38F;
      }
      NormAnswer<float> answer = cuda_norm(a, kind), clean = cuda_norm(alone, kind);
      const std::string name = "kind " + std::to_string(kind) + " " + std::to_string(m) + "x" + std::to_string(n);
      for (const int64_t good : {0, 4}) {
        check(answer.reports[static_cast<size_t>(good)].status == KR_STATUS_OK, name, "status");
        check(answer.values(good, 0, 0) == clean.values(0, 0), name, "depends on its neighbours");
      }
      for (const size_t bad : {size_t{1}, size_t{2}}) {
        check(answer.reports[bad].status == KR_STATUS_NON_FINITE_INPUT, name, "status", answer.reports[bad].status);
        check(answer.values(static_cast<int64_t>(bad), 0, 0) == kUntouched<float>, name, "wrote a failure");
      }
      if (kind == KR_NORM_MAX) {
        check(answer.values(3, 0, 0) == 3e38F, name, "largest");
      } else {
        check(answer.reports[3].status == KR_STATUS_OVERFLOW, name, "status", answer.reports[3].status);
        check(answer.values(3, 0, 0) == kUntouched<float>, name, "wrote an overflow");
      }
    }
  }
}

TEST("norm_estimate: parts of a batch have the bits of the whole") {
  for (const int32_t kind : all_kinds) {
    for (const auto& [m, n] : {std::pair<int64_t, int64_t>{7, 5}, {80, 70}}) {
      Batch<float> a(19, m, n);
      Uniform random(8);
      random.fill(a);
      for (int64_t j = 0; j < n; ++j) a(3, 0, j) = 1e30F;
      NormAnswer<float> whole = cuda_norm(a, kind);
      Batch<float> part = part_of(a, 2, 3);
      NormAnswer<float> of_part = cuda_norm(part, kind);
      for (int64_t b = 0; b < 3; ++b) EXPECT(of_part.values(b, 0, 0) == whole.values(b + 2, 0, 0));
    }
  }
}

TEST("norm_estimate: empty matrices have norm 0, and reports may be left out") {
  for (const int32_t kind : all_kinds) {
    Batch<double> none(2, 0, 3), thin(2, 3, 0);
    for (Batch<double>* each : {std::addressof(none), std::addressof(thin)}) {
      NormAnswer<double> answer = cuda_norm(*each, kind);
      EXPECT(answer.values(1, 0, 0) == 0 && answer.reports[1].status == KR_STATUS_OK);
    }
    Batch<double> a(1, 2, 2, 1), value(1, 1, 1);
    const DeviceBatch input(a.descriptor()), to(value.descriptor());
    CudaCall call;
    const kr_norm_estimate_options options{kind, 0};
    EXPECT(cuda().norm_estimate(call.get(), &options, &input, &to, nullptr) == KR_OK);
    to.read();
    EXPECT(value(0, 0) >= 1);
  }
}

}  // namespace
}  // namespace kronroot::test
