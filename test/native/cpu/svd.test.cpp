// svd against the bounds of ops.h: one matrix to a lane and alone, on every instruction set; the reference as a witness
// of the singular values.
#include "rectangles.hpp"

namespace {

using namespace kronroot::test;
using kronroot::LaneOp;
using kronroot::ulp_of;
using kronroot::cpu::KernelSet;

template <typename T>
struct Answer {
  Batch<T> s, u, v;
  std::vector<kr_report> reports;
};

template <typename T>
Answer<T> run_on(bool lanes, const KernelSet& set, Batch<T>& a, bool vectors = true, int threads = 1) {
  const int64_t batch = a.descriptor().batch, m = a.rows(), n = a.cols(), l = std::min(m, n);
  Answer<T> answer{Batch<T>(batch, l, 1, kUntouched<T>, kPadding), Batch<T>(batch, m, l, kUntouched<T>, kPadding),
                   Batch<T>(batch, n, l, kUntouched<T>, kPadding), std::vector<kr_report>(static_cast<size_t>(batch))};
  LaneDevice device(LaneOp::svd, lanes, set, threads);
  const kr_code code = kronroot::cpu::svd(device.get(), nullptr, &a, &answer.s, vectors ? &answer.u : nullptr,
                                          vectors ? &answer.v : nullptr, answer.reports.data());
  check(code == KR_OK, device.message(), "code");
  return answer;
}

template <typename T>
void check_bounds(const std::string& name, Batch<T>& a, Answer<T>& answer, Batch<double>& exact, int64_t b) {
  const int64_t m = a.rows(), n = a.cols(), l = std::min(m, n);
  const double ulp = ulp_of<T>, longer = static_cast<double>(std::max(m, n));
  const kr_report& report = answer.reports[static_cast<size_t>(b)];
  check(report.status == KR_STATUS_OK, name, "status", report.status);
  check(report.method == KR_METHOD_JACOBI, name, "method", report.method);
  double largest = 0;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) largest = std::max<double>(largest, std::abs(a(b, i, j)));
  }
  // What denormal numbers cannot hold is no matter of the decomposition.
  const bool is_denormal = largest > 0 && largest < std::numeric_limits<T>::min() / ulp;
  for (int64_t k = 0; k < l; ++k) {
    check(answer.s(b, k, 0) >= 0 && (k == 0 || answer.s(b, k, 0) <= answer.s(b, k - 1, 0)), name, "s descends");
    const double error = std::abs(answer.s(b, k, 0) - exact(b, k, 0)) / exact(b, 0, 0);
    if (!is_denormal && largest > 0) check(error < kRatioBound * longer * ulp, name, "s", error / (longer * ulp));
  }
  const double error = product_error(a, answer.u, l, b, [&](int64_t k, int64_t j) {
    return static_cast<long double>(answer.s(b, k, 0)) * answer.v(b, j, k);
  });
  if (!is_denormal) check(error < kRatioBound * longer * ulp, name, "|A - U s V^T|", error / (longer * ulp));
  const double of_u = orthonormality(answer.u, b) / (static_cast<double>(m) * ulp);
  const double of_v = orthonormality(answer.v, b) / (static_cast<double>(n) * ulp);
  check(of_u < kRatioBound, name, "|U^T U - I|", of_u);
  check(of_v < kRatioBound, name, "|V^T V - I|", of_v);
  check(report.residual < kRatioBound * longer * ulp, name, "residual", report.residual);
  Batch<T>& shorter = m > n ? answer.v : answer.u;
  for (int64_t k = 0; k < l; ++k) {
    T peak = 0;
    for (int64_t i = 0; i < l; ++i) peak = std::abs(shorter(b, i, k)) > std::abs(peak) ? shorter(b, i, k) : peak;
    check(peak > 0, name, "sign");
  }
}

// Singular values in f64 by the reference.
template <typename T>
Batch<double> exact_values(Batch<T>& a) {
  const int64_t batch = a.descriptor().batch;
  Batch<double> wide(batch, a.rows(), a.cols()), s(batch, std::min(a.rows(), a.cols()), 1);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < a.rows(); ++i) {
      for (int64_t j = 0; j < a.cols(); ++j) wide(b, i, j) = static_cast<double>(a(b, i, j));
    }
  }
  Call call;
  check(kr_reference_backend()->svd(call.get(), nullptr, &wide, &s, nullptr, nullptr, nullptr) == KR_OK, "reference",
        "code");
  return s;
}

template <typename T>
void check_shape(Shape shape) {
  const auto matrices = rectangles<T>(shape.m, shape.n, static_cast<uint64_t>(100 * shape.m + shape.n));
  Batch<T> a = batch_of<T>(matrices, kPadding);
  Batch<double> exact = exact_values(a);
  for (const KernelSet* set : kernel_sets()) {
    for (const bool lanes : {false, true}) {
      if (lanes && std::max(shape.m, shape.n) > 64) continue;
      Answer<T> answer = run_on(lanes, *set, a);
      Answer<T> values = run_on(lanes, *set, a, false);
      for (size_t i = 0; i < matrices.size(); ++i) {
        const auto b = static_cast<int64_t>(i);
        const std::string name = name_of(*set, type_name<T>, lanes, matrices[i]);
        check_bounds(name, a, answer, exact, b);
        check(values.reports[i].status == KR_STATUS_OK && std::isnan(values.reports[i].residual), name, "values only");
        const double unit = static_cast<double>(std::max(shape.m, shape.n)) * ulp_of<T> * answer.s(b, 0, 0);
        for (int64_t k = 0; k < answer.s.rows(); ++k) {
          const double error = std::abs(values.s(b, k, 0) - answer.s(b, k, 0));
          check(error <= 2 * kRatioBound * unit, name, "values alone and beside vectors", error / unit);
        }
      }
      for (int64_t i = 0; i + 1 < a.rows(); ++i) {
        check((&answer.u(0, i, 0))[answer.u.cols()] == kUntouched<T>, set->name, "wrote between the rows of U");
      }
    }
  }
}

TEST("svd: the bounds of ops.h for small shapes of every kind, in lanes and alone") {
  for (const Shape shape : {Shape{1, 1},
                            {2, 1},
                            {1, 2},
                            {2, 2},
                            {3, 5},
                            {5, 3},
                            {4, 4},
                            {6, 6},
                            {8, 8},
                            {9, 7},
                            {7, 9},
                            {1, 9},
                            {13, 1},
                            {16, 16},
                            {17, 5},
                            {5, 40},
                            {33, 20},
                            {20, 33}}) {
    check_shape<float>(shape);
    check_shape<double>(shape);
  }
}

TEST("svd: the bounds of ops.h for middle sizes") {
  for (const Shape shape : {Shape{31, 31}, {33, 33}, {64, 64}, {65, 65}, {100, 40}, {40, 100}, {96, 70}}) {
    check_shape<float>(shape);
    check_shape<double>(shape);
  }
}

template <typename T>
void check_independence(const KernelSet& set) {
  const auto matrices = rectangles<T>(9, 7, 5);
  Batch<T> a = batch_of<T>(matrices);
  Answer<T> whole = run_on(true, set, a);
  for (int64_t first = 0; first < a.descriptor().batch; ++first) {
    Batch<T> part = part_of(a, first, std::min<int64_t>(2, a.descriptor().batch - first), 1);
    Answer<T> of_part = run_on(true, set, part);
    check(same_matrix(whole.s, first, of_part.s, 0) && same_matrix(whole.u, first, of_part.u, 0) &&
              same_matrix(whole.v, first, of_part.v, 0),
          set.name, "the answer depends on the group");
    check(std::memcmp(&whole.reports[static_cast<size_t>(first)], &of_part.reports[0], sizeof(kr_report)) == 0,
          set.name, "the report depends on the group");
  }
  for (const bool lanes : {false, true}) {
    Batch<T> bad = batch_of<T>(matrices);
    bad(3, 8, 6) = nan_of<T>;
    bad(5, 0, 0) = infinity_of<T>;
    for (int64_t i = 0; i < 9; ++i) {
      for (int64_t j = 0; j < 7; ++j) bad(8, i, j) = std::numeric_limits<T>::max();
    }
    Answer<T> clean = run_on(lanes, set, a), poisoned = run_on(lanes, set, bad, true, 2);
    for (int64_t b = 0; b < a.descriptor().batch; ++b) {
      const int32_t status = poisoned.reports[static_cast<size_t>(b)].status;
      if (b == 3 || b == 5 || b == 8) {
        check(status == (b == 8 ? KR_STATUS_OVERFLOW : KR_STATUS_NON_FINITE_INPUT), set.name, "status", status);
        check(poisoned.u(b, 0, 0) == kUntouched<T> && poisoned.v(b, 0, 0) == kUntouched<T> &&
                  poisoned.s(b, 0, 0) == kUntouched<T>,
              set.name, "wrote a failure");
        continue;
      }
      check(same_matrix(clean.s, b, poisoned.s, b) && same_matrix(clean.u, b, poisoned.u, b) &&
                same_matrix(clean.v, b, poisoned.v, b),
            set.name, "a neighbour changed");
    }
  }
}

TEST("svd: independent of neighbours, failures and threads") {
  for (const KernelSet* set : kernel_sets()) {
    check_independence<float>(*set);
    check_independence<double>(*set);
  }
}

TEST("svd: cancelled and empty") {
  const KernelSet& set = *kernel_sets().back();
  const int32_t stop = 1;
  DeviceCall cancelled(set, 1, &stop);
  Batch<double> a = batch_of<double>(rectangles<double>(4, 4, 1)), s(19, 4, 1), u(19, 4, 4), v(19, 4, 4);
  EXPECT(a.descriptor().batch == 19);
  EXPECT(kronroot::cpu::svd(cancelled.get(), nullptr, &a, &s, &u, &v, nullptr) == KR_CANCELLED);
  DeviceCall call(set);
  Batch<double> wide(2, 0, 3), none(2, 0, 1), left(2, 0, 0), right(2, 3, 0);
  kr_report reports[2];
  EXPECT(kronroot::cpu::svd(call.get(), nullptr, &wide, &none, &left, &right, reports) == KR_OK);
  EXPECT(reports[1].status == KR_STATUS_OK && reports[1].method == KR_METHOD_DIRECT);
}

}  // namespace
