// triangular_solve against the bound of ops.h: every side, triangle, transposition and diagonal, one matrix to a lane
// and alone, on every instruction set. What must not be read holds NaN.
#include "rectangles.hpp"

namespace {

using namespace kronroot::test;
using kronroot::LaneOp;
using kronroot::ulp_of;
using kronroot::cpu::KernelSet;

struct Case {
  kr_triangular_solve_options options;
  int64_t n, k;
};

template <typename T>
struct System {
  Batch<T> t, b;
};

// Well-conditioned triangles, b of all sizes; matrix 1 badly scaled where it is small, matrix 2 diagonal.
template <typename T>
System<T> random_system(const Case& each, int64_t batch, uint64_t seed) {
  const auto& [options, n, k] = each;
  const bool right = options.side == KR_SIDE_RIGHT;
  System<T> system{Batch<T>(batch, n, n, nan_of<T>, 2), Batch<T>(batch, right ? k : n, right ? n : k, T{0}, 1)};
  Uniform random(seed);
  for (int64_t m = 0; m < batch; ++m) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        if (i == j) {
          const double value = (1.5 + random.next()) * (m == 1 && n < 50 ? std::pow(10, 3 * random.next()) : 1);
          system.t(m, i, i) = options.unit_diagonal ? nan_of<T> : static_cast<T>(value);
        } else if ((j > i) == (options.upper != 0)) {
          system.t(m, i, j) = m == 2 ? T{0} : static_cast<T>(random.next() / std::sqrt(static_cast<double>(n)));
        }
      }
    }
    for (int64_t i = 0; i < system.b.rows(); ++i) {
      for (int64_t j = 0; j < system.b.cols(); ++j) system.b(m, i, j) = static_cast<T>(random.next());
    }
  }
  return system;
}

// Element (i, j) of op(T), the identity's where the diagonal is one by decree.
template <typename T>
long double element(const kr_triangular_solve_options& options, Batch<T>& t, int64_t m, int64_t i, int64_t j) {
  if (options.transpose) std::swap(i, j);
  if (i == j) return options.unit_diagonal ? 1 : static_cast<long double>(t(m, i, i));
  return (j > i) == (options.upper != 0) ? static_cast<long double>(t(m, i, j)) : 0;
}

// |op(T) X - alpha B| <= 2 (n + 4) ulp |op(T)| |X|
template <typename T>
void check_bound(const std::string& name, const Case& each, Batch<T>& t, Batch<T>& b, Batch<T>& x, int64_t m) {
  const auto& options = each.options;
  const bool right = options.side == KR_SIDE_RIGHT;
  const double unit = 2 * static_cast<double>(each.n + 4) * ulp_of<T>, alpha = options.alpha == 0 ? 1 : options.alpha;
  double worst = 0;
  for (int64_t i = 0; i < b.rows(); ++i) {
    for (int64_t j = 0; j < b.cols(); ++j) {
      long double error = -static_cast<long double>(static_cast<T>(alpha) * b(m, i, j)), size = 0;
      for (int64_t l = 0; l < each.n; ++l) {
        const long double product =
            right ? x(m, i, l) * element(options, t, m, l, j) : element(options, t, m, i, l) * x(m, l, j);
        error += product;
        size += std::abs(product);
      }
      if (size > 0) worst = std::max(worst, static_cast<double>(std::abs(error) / size));
    }
  }
  check(worst <= unit, name, "|op(T) X - alpha B| / |op(T)| |X|", worst / unit);
}

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
  const std::string name = std::string(set.name) + " " + type_name<T> + (lanes ? " lanes" : "") + " side " +
                           std::to_string(o.side) + " upper " + std::to_string(o.upper) + " transpose " +
                           std::to_string(o.transpose) + " unit " + std::to_string(o.unit_diagonal) + " n " +
                           std::to_string(each.n) + " k " + std::to_string(each.k);
  check(code == KR_OK, name, device.message().c_str());
  for (int64_t m = 0; m < kBatch; ++m) {
    const kr_report& report = reports[static_cast<size_t>(m)];
    check(report.status == KR_STATUS_OK && report.method == KR_METHOD_DIRECT, name, "status", report.status);
    check_bound(name, each, system.t, system.b, x, m);
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

// |op(T) x - b|_2 / (|T|_F |x|_2 + |b|_2), T lower triangular
template <typename T>
double residual_of(Batch<T>& t, Batch<T>& b, Batch<T>& x, bool transposed) {
  const int64_t n = t.rows();
  long double error = 0, of_t = 0, of_x = 0, of_b = 0;
  for (int64_t i = 0; i < n; ++i) {
    long double row = -static_cast<long double>(b(i, 0));
    for (int64_t j = 0; j < n; ++j) {
      const long double element = (transposed ? i > j : j > i) ? 0 : transposed ? t(j, i) : t(i, j);
      row += element * x(j, 0);
      of_t += element * element;
    }
    error += row * row;
    of_x += static_cast<long double>(x(i, 0)) * x(i, 0);
    of_b += static_cast<long double>(b(i, 0)) * b(i, 0);
  }
  return static_cast<double>(std::sqrt(error) / (std::sqrt(of_t) * std::sqrt(of_x) + std::sqrt(of_b)));
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
