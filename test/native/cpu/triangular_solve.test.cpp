// triangular_solve against the bound of ops.h: every side, triangle, transposition and diagonal, one matrix to a lane
// and alone, on every instruction set. What must not be read holds NaN.
#include "test/native/triangular_answer.hpp"

#include "rectangles.hpp"

namespace {

using namespace kronroot::test;
using kronroot::LaneOp;
using kronroot::ulp_of;
using kronroot::cpu::KernelSet;

using Case = TriangularCase;
template <typename T>
using System = RandomSystem<T>;

template <typename T>
void check_case(const KernelSet& set, bool lanes, const Case& each) {
  constexpr int64_t kBatch = 5;
  System<T> system = random_system<T>(each, kBatch, 7);
  Batch<T> x(kBatch, system.b.rows(), system.b.cols(), kUntouched<T>, 3);
  std::vector<kr_report> reports(kBatch);
  LaneDevice device(LaneOp::triangular_solve, lanes, set);
  const kr_code code =
      kronroot::cpu::triangular_solve(device.get(), &each.options, &system.t, &system.b, &x, reports.data());
  const auto& o = each.options;
  const std::string name = std::string(set.name) + (lanes ? " lanes " : " ") + name_of(type_name<T>, each);
  check(code == KR_OK, name, device.message().c_str());
  for (int64_t m = 0; m < kBatch; ++m) {
    const kr_report& report = reports[static_cast<size_t>(m)];
    check(report.status == KR_STATUS_OK && report.method == KR_METHOD_DIRECT, name, "status", report.status);
    check_triangular(name, each, system.t, system.b, x, m);
    check(report.residual < 2 * static_cast<double>(each.n + 4) * ulp_of<T>, name, "residual", report.residual);
    check(report.condition >= 1 && (!o.unit_diagonal || report.condition == 1), name, "condition", report.condition);
  }
  check((&x(0, 0, 0))[x.cols()] == kUntouched<T>, name, "wrote between rows");
  // In place, with the same bits.
  kr_batch in_place = *&system.b;
  check(kronroot::cpu::triangular_solve(device.get(), &each.options, &system.t, &in_place, &in_place, nullptr) == KR_OK,
        name, "in place");
  for (int64_t m = 0; m < kBatch; ++m) check(same_matrix(system.b, m, x, m), name, "in place, other bits");
}

TEST("triangular_solve: every variant within the bound, small") {
  for (const KernelSet* set : kernel_sets()) {
    for (int variant = 0; variant < 16; ++variant) {
      for (const int64_t n : {1, 2, 3, 4, 5, 8, 13, 17, 33}) {
        for (const int64_t k : {1, 3, 4, 9}) {
          const Case each{
              {variant & 1, variant >> 1 & 1, variant >> 2 & 1, variant >> 3 & 1, n == 5 ? -2.5 : 0.}, n, k};
          for (const bool lanes : {false, true}) {
            check_case<float>(*set, lanes, each);
            check_case<double>(*set, lanes, each);
          }
        }
      }
    }
  }
}

TEST("triangular_solve: every variant within the bound, large enough for bands") {
  const KernelSet& set = *kernel_sets().back();
  for (int variant = 0; variant < 16; ++variant) {
    const Case each{{variant & 1, variant >> 1 & 1, variant >> 2 & 1, variant >> 3 & 1, 0}, 300, 20};
    check_case<float>(set, false, each);
  }
}

TEST("triangular_solve: every variant within the bound, one right-hand side") {
  for (const KernelSet* set : kernel_sets()) {
    for (int variant = 0; variant < 16; ++variant) {
      for (const int64_t n : {16, 64, 77, 130}) {
        const Case each{{variant & 1, variant >> 1 & 1, variant >> 2 & 1, variant >> 3 & 1, 0}, n, 1};
        check_case<float>(*set, false, each);
        check_case<double>(*set, false, each);
      }
    }
  }
}

template <typename T>
void check_residual(const KernelSet& set, bool transposed) {
  const Case each{{KR_SIDE_LEFT, 0, transposed ? 1 : 0, 0, 0}, 123, 1};
  System<T> system = random_system<T>(each, 1, 17);
  Batch<T> x(1, each.n, 1);
  kr_report report;
  LaneDevice device(LaneOp::triangular_solve, false, set);
  EXPECT(kronroot::cpu::triangular_solve(device.get(), &each.options, &system.t, &system.b, &x, &report) == KR_OK);
  const double known = residual_of(system.t, system.b, x, transposed);
  // In f64 it is as large as its own rounding.
  check(known > 0 && report.residual > (sizeof(T) == 4 ? 0.999 : 0.3) * known &&
            report.residual < (sizeof(T) == 4 ? 1.001 : 4) * known,
        std::string(set.name) + " " + type_name<T>, "residual over the one in extended precision",
        report.residual / known);
}

TEST("triangular_solve: the residual of one right-hand side is its own") {
  for (const KernelSet* set : kernel_sets()) {
    for (const bool transposed : {false, true}) {
      check_residual<float>(*set, transposed);
      check_residual<double>(*set, transposed);
    }
  }
}

template <typename T>
void check_failures(const KernelSet& set, bool lanes, int64_t k) {
  const Case each{{KR_SIDE_LEFT, 1, 0, 0, 0}, 6, k};
  System<T> system = random_system<T>(each, 9, 3);
  Batch<T> clean(9, 6, k);
  std::vector<kr_report> reports(9);
  LaneDevice device(LaneOp::triangular_solve, lanes, set, 2);
  EXPECT(kronroot::cpu::triangular_solve(device.get(), &each.options, &system.t, &system.b, &clean, nullptr) == KR_OK);
  system.t(1, 4, 4) = 0;
  system.t(1, 2, 2) = 0;
  system.t(3, 0, 5) = infinity_of<T>;
  system.b(5, 5, k - 1) = nan_of<T>;
  system.t(7, 3, 3) = std::numeric_limits<T>::min();
  system.b(7, 3, k - 1) = std::numeric_limits<T>::max();
  Batch<T> x(9, 6, k, kUntouched<T>);
  EXPECT(kronroot::cpu::triangular_solve(device.get(), &each.options, &system.t, &system.b, &x, reports.data()) ==
         KR_OK);
  EXPECT(reports[1].status == KR_STATUS_SINGULAR && reports[1].detail == 2);
  EXPECT(reports[3].status == KR_STATUS_NON_FINITE_INPUT && reports[5].status == KR_STATUS_NON_FINITE_INPUT);
  EXPECT(reports[7].status == KR_STATUS_OVERFLOW);
  for (int64_t m = 0; m < 9; ++m) {
    if (m % 2 == 1) {
      EXPECT(x(m, 0, 0) == kUntouched<T> && x(m, 5, k - 1) == kUntouched<T>);
    } else {
      EXPECT(reports[static_cast<size_t>(m)].status == KR_STATUS_OK && same_matrix(x, m, clean, m));
    }
  }
}

TEST("triangular_solve: failures are named, leave x alone and disturb no other") {
  for (const KernelSet* set : kernel_sets()) {
    for (const bool lanes : {false, true}) {
      for (const int64_t k : {3, 1}) {
        check_failures<float>(*set, lanes, k);
        check_failures<double>(*set, lanes, k);
      }
    }
  }
}

TEST("triangular_solve: the same bits for any number of threads, many right-hand sides") {
  for (const KernelSet* set : kernel_sets()) {
    const Case each{{KR_SIDE_RIGHT, 0, 1, 0, 0}, 70, 700};
    System<float> system = random_system<float>(each, 1, 11);
    Batch<float> one(1, 700, 70), two(1, 700, 70);
    LaneDevice alone(LaneOp::triangular_solve, false, *set, 1), pair(LaneOp::triangular_solve, false, *set, 2);
    EXPECT(kronroot::cpu::triangular_solve(alone.get(), &each.options, &system.t, &system.b, &one, nullptr) == KR_OK);
    EXPECT(kronroot::cpu::triangular_solve(pair.get(), &each.options, &system.t, &system.b, &two, nullptr) == KR_OK);
    EXPECT(same_bits(one.data(), two.data()));
  }
}

TEST("triangular_solve: a lane does not depend on its group") {
  for (const KernelSet* set : kernel_sets()) {
    const Case each{{KR_SIDE_LEFT, 0, 1, 0, 0}, 7, 5};
    System<float> system = random_system<float>(each, 19, 13);
    Batch<float> whole(19, 7, 5);
    LaneDevice device(LaneOp::triangular_solve, true, *set);
    EXPECT(kronroot::cpu::triangular_solve(device.get(), &each.options, &system.t, &system.b, &whole, nullptr) ==
           KR_OK);
    for (int64_t m = 0; m < 19; ++m) {
      Batch<float> t = part_of(system.t, m, 1), b = part_of(system.b, m, 1), x(1, 7, 5);
      EXPECT(kronroot::cpu::triangular_solve(device.get(), &each.options, &t, &b, &x, nullptr) == KR_OK);
      EXPECT(same_matrix(x, 0, whole, m));
    }
  }
}

}  // namespace
