// Newton-Schulz with one matrix to a lane, beside the path for single matrices: "equals the f64 run of the same
// composed polynomial P within 50 ulp steps sqrt(min(m, n)) L" (ops.h), hence each other within twice that.
#include <cmath>
#include <string>
#include <vector>

#include "devices.hpp"
#include "native/core/matrix.hpp"

namespace {

using namespace kronroot::test;
using kronroot::Crossovers;
using kronroot::LaneOp;
using kronroot::ulp_of;
using kronroot::cpu::kernels_of;
using kronroot::cpu::KernelSet;

// L of the quintic iterated five times: its slope at 0 is 3.4445^5.
constexpr double kSteepness = 485;
constexpr double kSteps = 5;

const Crossovers& crossovers(bool lanes) {
  static const Crossovers none, all = [] {
    Crossovers table;
    for (const int32_t dtype : {KR_F32, KR_F64}) table.lanes.push_back({LaneOp::orthogonalize, dtype, 1000, 1});
    return table;
  }();
  return lanes ? all : none;
}

template <typename T>
struct Answer {
  Batch<T> x;
  std::vector<kr_report> reports;
};

template <typename T>
Answer<T> run_on(bool lanes, const KernelSet& set, const Batch<T>& a) {
  const kr_batch& shape = *&a;
  Answer<T> answer{Batch<T>(shape.batch, shape.rows, shape.cols, T{-77}, 2),
                   std::vector<kr_report>(static_cast<size_t>(shape.batch))};
  kr_device device{&set, 1};
  device.crossovers = &crossovers(lanes);
  Call call;
  call.fields().device = &device;
  EXPECT(kronroot::cpu::orthogonalize(call.get(), nullptr, &a, &answer.x, answer.reports.data()) == KR_OK);
  return answer;
}

template <typename T>
void check_shape(const KernelSet& set, int64_t m, int64_t n) {
  const std::string where =
      std::string(set.name) + " " + type_name<T> + " " + std::to_string(m) + " x " + std::to_string(n);
  const int64_t batch = kernels_of<T>(set).lanes + 3;
  Batch<T> a(batch, m, n, T{5}, 1);
  Uniform random(static_cast<uint64_t>(100 * m + n));
  random.fill(a);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      a(1, i, j) *= T(1e-30);
      a(2, i, j) *= T(1e30);
      if (batch > 4) a(4, i, j) = 0;
    }
  }
  a(3, m - 1, n - 1) = nan_of<T>;
  Answer<T> alone = run_on(false, set, a), lanes = run_on(true, set, a);
  const double bound = 2 * 50 * ulp_of<T> * kSteps * std::sqrt(static_cast<double>(std::min(m, n))) * kSteepness;
  for (int64_t b = 0; b < batch; ++b) {
    const kr_report &one = alone.reports[static_cast<size_t>(b)], &other = lanes.reports[static_cast<size_t>(b)];
    check(one.status == other.status && one.method == other.method && one.detail == other.detail, where, "report", b);
    if (one.status >= KR_FIRST_FAILURE) {
      check(lanes.x(b, 0, 0) == T{-77}, where, "the output of a failed matrix stays", b);
      continue;
    }
    double error = 0, size = 0;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        error += std::pow(static_cast<double>(alone.x(b, i, j)) - static_cast<double>(lanes.x(b, i, j)), 2);
        size += std::pow(static_cast<double>(alone.x(b, i, j)), 2);
      }
    }
    check(std::sqrt(error) <= bound * std::sqrt(size), where, "difference of the two paths", std::sqrt(error / size));
    check(std::abs(one.residual - other.residual) <= bound * static_cast<double>(n), where, "residual", other.residual);
  }
  // Other neighbours, other lane: the same bits.
  Batch<T> shifted(2, m, n, T{9}, 1);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      shifted(0, i, j) = infinity_of<T>;
      shifted(1, i, j) = a(0, i, j);
    }
  }
  Answer<T> moved = run_on(true, set, shifted);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) check(moved.x(1, i, j) == lanes.x(0, i, j), where, "bits in another lane");
  }
}

TEST("newton-schulz lanes: as single matrices, in every shape and lane, beside bad ones") {
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t m : {1, 2, 3, 5, 8, 17}) {
      for (const int64_t n : {1, 2, 4, 7, 16, 33}) {
        check_shape<float>(*set, m, n);
        check_shape<double>(*set, m, n);
      }
    }
  }
}

}  // namespace
