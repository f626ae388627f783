// norm_estimate against the bounds of ops.h, on every instruction set; the reference knows the norms themselves.
#include "rectangles.hpp"

namespace {

using namespace kronroot::test;
using kronroot::LaneOp;
using kronroot::ulp_of;
using kronroot::cpu::KernelSet;

LaneOp lane_op(int32_t kind) {
  return kind == KR_NORM_SPECTRAL || kind == KR_NORM_SPECTRAL_LOWER ? LaneOp::spectral_norm : LaneOp::exact_norm;
}

template <typename T>
void check_kind(const KernelSet& set, bool lanes, int32_t kind, int64_t m, int64_t n) {
  const auto matrices = rectangles<T>(m, n, static_cast<uint64_t>(10 * m + n));
  Batch<T> a = batch_of<T>(matrices, 2);
  const int64_t batch = a.descriptor().batch;
  Batch<double> wide(batch, m, n), exact(batch, 1, 1);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) wide(b, i, j) = static_cast<double>(a(b, i, j));
    }
  }
  const kr_norm_estimate_options options{kind, 0};
  Call oracle;
  EXPECT(kr_reference_backend()->norm_estimate(oracle.get(), &options, &wide, &exact, nullptr) == KR_OK);
  Batch<T> values(batch, 1, 1);
  std::vector<kr_report> reports(static_cast<size_t>(batch));
  LaneDevice device(lane_op(kind), lanes, set, 2);
  EXPECT(kronroot::cpu::norm_estimate(device.get(), &options, &a, &values, reports.data()) == KR_OK);
  for (int64_t b = 0; b < batch; ++b) {
    const std::string name = std::string(set.name) + " " + type_name<T> + (lanes ? " lanes" : "") + " kind " +
                             std::to_string(kind) + " " + std::to_string(m) + "x" + std::to_string(n) + " " +
                             matrices[static_cast<size_t>(b)].name;
    check(reports[static_cast<size_t>(b)].status == KR_STATUS_OK, name, "status",
          reports[static_cast<size_t>(b)].status);
    const double found = static_cast<double>(values(b, 0, 0)), known = exact(b, 0, 0);
    if (known == 0) {
      check(found == 0, name, "of zero", found);
      continue;
    }
    // One unit in the last place of a denormal number is no fraction of it.
    const double unit = std::max(ulp_of<T>, static_cast<double>(std::numeric_limits<T>::denorm_min()) / known);
    const double off = 8 * static_cast<double>(m + n) * unit, ratio = found / known;
    if (kind == KR_NORM_SPECTRAL) {
      check(ratio >= 1 && ratio <= 1.025 + off, name, "upper bound", ratio);
    } else if (kind == KR_NORM_SPECTRAL_LOWER) {
      check(ratio > 0.5 && ratio <= 1 + off, name, "lower bound", ratio);
    } else if (kind == KR_NORM_MAX) {
      check(found == known, name, "largest", ratio);
    } else {
      check(std::abs(ratio - 1) <= (sizeof(T) == 4 ? 2 : static_cast<double>(m + n)) * unit, name, "norm", ratio - 1);
    }
  }
}

TEST("norm_estimate: the bounds of ops.h for rectangles of every kind") {
  for (const KernelSet* set : kernel_sets()) {
    for (int32_t kind = KR_NORM_SPECTRAL; kind <= KR_NORM_MAX; ++kind) {
      for (const auto& [m, n] : {std::pair<int64_t, int64_t>{1, 1}, {2, 3}, {9, 4}, {16, 16}, {33, 40}, {70, 25}}) {
        for (const bool lanes : {false, true}) {
          check_kind<float>(*set, lanes, kind, m, n);
          check_kind<double>(*set, lanes, kind, m, n);
        }
      }
    }
  }
}

TEST("norm_estimate: SPECTRAL_LOWER rises to sigma_max, and is exact for rank one") {
  for (const KernelSet* set : kernel_sets()) {
    Batch<float> one(1, 20, 30), a(1, 20, 30), value(1, 1, 1);
    Uniform random(4);
    random.fill(a);
    for (int64_t i = 0; i < 20; ++i) {
      for (int64_t j = 0; j < 30; ++j) one(i, j) = static_cast<float>(i + 1) * static_cast<float>(j % 7 - 3);
    }
    for (const bool lanes : {false, true}) {
      LaneDevice call(LaneOp::spectral_norm, lanes, *set);
      double before = 0;
      for (const int32_t iterations : {1, 4, 16, 1000}) {
        const kr_norm_estimate_options options{KR_NORM_SPECTRAL_LOWER, iterations};
        kr_report report;
        EXPECT(kronroot::cpu::norm_estimate(call.get(), &options, &a, &value, &report) == KR_OK);
        EXPECT(report.iterations == iterations && value(0, 0) >= before);
        before = value(0, 0);
        EXPECT(kronroot::cpu::norm_estimate(call.get(), &options, &one, &value, nullptr) == KR_OK);
        double squares = 0, of_row = 0;
        for (int64_t i = 1; i <= 20; ++i) squares += static_cast<double>(i * i);
        for (int64_t j = 0; j < 30; ++j) of_row += static_cast<double>((j % 7 - 3) * (j % 7 - 3));
        EXPECT_NEAR(value(0, 0) / std::sqrt(squares * of_row), 1, 1e-6);
      }
      const kr_norm_estimate_options spectral{};
      EXPECT(kronroot::cpu::norm_estimate(call.get(), &spectral, &a, &value, nullptr) == KR_OK);
      EXPECT(value(0, 0) >= before && value(0, 0) <= 1.026 * before);
    }
  }
}

TEST("norm_estimate: failures leave the value and the neighbours alone; empty matrices have norm 0") {
  for (const KernelSet* set : kernel_sets()) {
    for (int32_t which = 2 * KR_NORM_SPECTRAL; which <= 2 * KR_NORM_MAX + 1; ++which) {
      const int32_t kind = which / 2;
      Batch<float> a(4, 3, 2, 1), values(4, 1, 1, -5);
      a(1, 2, 1) = nan_of<float>;
      a(2, 0, 0) = -infinity_of<float>;
      for (int64_t i = 0; i < 3; ++i) a(3, i, 0) = a(3, i, 1) = 3e38F;
      kr_report reports[4];
      LaneDevice call(lane_op(kind), which % 2 == 1, *set);
      const kr_norm_estimate_options options{kind, 0};
      EXPECT(kronroot::cpu::norm_estimate(call.get(), &options, &a, &values, reports) == KR_OK);
      EXPECT(reports[0].status == KR_STATUS_OK && values(0, 0, 0) > 0.9F);
      EXPECT(reports[1].status == KR_STATUS_NON_FINITE_INPUT && values(1, 0, 0) == -5);
      EXPECT(reports[2].status == KR_STATUS_NON_FINITE_INPUT && values(2, 0, 0) == -5);
      if (kind == KR_NORM_MAX) {
        EXPECT(values(3, 0, 0) == 3e38F);
      } else {
        EXPECT(reports[3].status == KR_STATUS_OVERFLOW && values(3, 0, 0) == -5);
      }
      Batch<float> none(2, 0, 3), zero(2, 1, 1, 9);
      EXPECT(kronroot::cpu::norm_estimate(call.get(), &options, &none, &zero, nullptr) == KR_OK);
      EXPECT(zero(1, 0, 0) == 0);
    }
  }
}

TEST("norm_estimate: a lane does not depend on its group") {
  for (const KernelSet* set : kernel_sets()) {
    for (int32_t kind = KR_NORM_SPECTRAL; kind <= KR_NORM_MAX; ++kind) {
      Batch<float> a(19, 7, 5), whole(19, 1, 1), value(1, 1, 1);
      Uniform random(8);
      random.fill(a);
      for (int64_t j = 0; j < 5; ++j) a(3, 0, j) = 1e30F;
      LaneDevice device(lane_op(kind), true, *set);
      const kr_norm_estimate_options options{kind, 0};
      EXPECT(kronroot::cpu::norm_estimate(device.get(), &options, &a, &whole, nullptr) == KR_OK);
      for (int64_t m = 0; m < 19; ++m) {
        Batch<float> one = part_of(a, m, 1);
        EXPECT(kronroot::cpu::norm_estimate(device.get(), &options, &one, &value, nullptr) == KR_OK);
        EXPECT(value(0, 0) == whole(m, 0, 0));
      }
    }
  }
}

}  // namespace
