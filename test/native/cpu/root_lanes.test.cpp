// inverse_root with one matrix to a lane: the bounds of ops.h, the answers of the path for single matrices, and
// independence of a lane from its neighbours.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "native/core/crossovers.hpp"
#include "native/core/matrix.hpp"
#include "root_answer.hpp"
#include "symmetric_matrices.hpp"

namespace {

using namespace kronroot::test;
using kronroot::Crossovers;
using kronroot::LaneOp;
using kronroot::ulp_of;
using kronroot::cpu::best_kernels;
using kronroot::cpu::kernels_of;
using kronroot::cpu::KernelSet;

constexpr int64_t kGap = 3;      // between rows
constexpr double kRounding = 2;  // ulp: results so much apart, each rounded to f32, are equally good

const Crossovers& crossovers(bool lanes) {
  static const Crossovers none, all = [] {
    Crossovers table;
    for (const int32_t dtype : {KR_F32, KR_F64}) table.lanes.push_back({LaneOp::inverse_root, dtype, 1000, 1});
    return table;
  }();
  return lanes ? all : none;
}

template <typename T>
Batch<T> run_on(bool lanes, const KernelSet& set, const kr_inverse_root_options& options, const Batch<T>& a,
                std::vector<kr_report>& reports, int threads = 1) {
  const kr_batch& shape = *&a;
  Batch<T> x(shape.batch, shape.rows, shape.cols, T{untouched}, kGap);
  reports.assign(static_cast<size_t>(shape.batch), kr_report{});
  kr_device device{&set, threads};
  device.crossovers = &crossovers(lanes);
  Call call;
  call.fields().device = &device;
  const kr_code code = kronroot::cpu::inverse_root(call.get(), &options, &a, &x, reports.data());
  check(code == KR_OK, call.message(), "code", code);
  return x;
}

template <typename T>
Batch<T> stacked(const std::vector<Batch<T>>& matrices, int64_t n, int64_t gap = 0) {
  Batch<T> batch(static_cast<int64_t>(matrices.size()), n, n, nan_of<T>, gap);
  for (size_t b = 0; b < matrices.size(); ++b) {
    Batch<T> matrix = matrices[b];
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) batch(static_cast<int64_t>(b), i, j) = matrix(i, j);
    }
  }
  return batch;
}

template <typename T>
Batch<T> taken(Batch<T>& batch, int64_t b) {
  const int64_t n = batch.rows();
  Batch<T> matrix(1, n, n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) matrix(i, j) = batch(b, i, j);
  }
  return matrix;
}

bool same_report(const kr_report& x, const kr_report& y) { return std::memcmp(&x, &y, sizeof x) == 0; }

// Matrices of every spectrum and of different conditions, so that lanes differ in all that may differ.
template <typename T>
std::vector<Batch<T>> mixed(int64_t count, int64_t n, uint64_t seed) {
  MatrixSource source(seed);
  std::vector<Batch<T>> matrices;
  constexpr double kConditions[] = {1e4, 1.5, 1e2, 1e6, 10, 1e5, 1e3};
  for (int64_t b = 0; b < count; ++b) {
    matrices.push_back(rounded<T>(source.matrix(all_spectra[b % 5], n, kConditions[b % 7]), n));
  }
  return matrices;
}

// "at most that of the f32 eigh route on the same input (f32, AUTO)"; residual <= 0.05.
void check_accuracy(const KernelSet& set, kr_method method, int64_t n, int p, double condition) {
  const std::vector<Batch<float>> matrices = mixed<float>(21, n, static_cast<uint64_t>(n * 64 + p));
  kr_inverse_root_options options = root_options(p, 1, KR_RIDGE_RELATIVE, 1 / condition, method);
  std::vector<kr_report> reports;
  Batch<float> x = run_on(true, set, options, stacked(matrices, n), reports);
  options.method = KR_METHOD_EIGH;
  options.residual_bound = 1e30;  // whatever comes out first
  for (size_t b = 0; b < matrices.size(); ++b) {
    const std::string where = std::string(set.name) + " " + name_of(all_spectra[b % 5]) + " " + std::to_string(b) +
                              " n " + std::to_string(n) + " p " + std::to_string(p) + " condition " +
                              std::to_string(condition);
    const RootAnswer<double> exact(widened(matrices[b], n), n, options);
    const RootAnswer<float> eigh(matrices[b], n, options, set);
    Batch<float> lane = taken(x, static_cast<int64_t>(b));
    const kr_report& report = reports[b];
    check(report.status < KR_FIRST_FAILURE, where, "status", report.status);
    check(report.status == exact.report.status || report.status == eigh.report.status, where, "status", report.status);
    check(report.residual <= 0.05, where, "residual", report.residual);
    check(exactly_symmetric(lane, n), where, "not symmetric");
    const double error = relative_error(lane, exact.x);
    // A matrix with eigenvalues that count as 0 is answered by itself, above n = 32 by a reduction in f32.
    const double factor = all_spectra[b % 5] == Spectra::shampoo && n > 32 ? 4 : 1;
    const double allowed = factor * relative_error(eigh.x, exact.x) + kRounding * ulp_of<float>;
    check(error <= allowed, where, "error / that of eigh", error / allowed);
    if (report.method == KR_METHOD_MINIMAX || report.method == KR_METHOD_PARTIAL_FRACTIONS) {
      check(std::abs(report.condition / exact.report.condition - 1) < 0.1, where, "condition", report.condition);
    }
  }
}

}  // namespace

TEST("lanes of inverse_root: at most the error of eigh") {
  for (const kr_method method : {KR_METHOD_AUTO, KR_METHOD_MINIMAX}) {
    for (int64_t n = 2; n <= 20; ++n) {
      for (const int p : {2, 3, 4, 8}) {
        for (const double condition : {1e2, 1e4, 1e6}) check_accuracy(best_kernels(), method, n, p, condition);
      }
    }
    for (const int64_t n : {31, 32, 33, 48, 64}) {
      for (const double condition : {1e2, 1e4, 1e6}) check_accuracy(best_kernels(), method, n, 4, condition);
    }
    for (const KernelSet* set : kernel_sets()) {
      for (const int64_t n : {2, 3, 5, 8, 13}) check_accuracy(*set, method, n, 4, 1e4);
    }
  }
  for (const int64_t n : {65, 100, 127, 128}) check_accuracy(best_kernels(), KR_METHOD_AUTO, n, 4, 1e4);
  for (const int64_t n : {3, 16}) check_accuracy(best_kernels(), KR_METHOD_AUTO, n, 1, 1e4);
}

namespace {

template <typename T>
void check_independence(const KernelSet& set, kr_method method, int64_t n, int p) {
  const auto options = root_options(p, 1, KR_RIDGE_RELATIVE, 1e-6, method);
  const auto lanes = static_cast<int64_t>(kernels_of<T>(set).lanes);
  const std::vector<Batch<T>> matrices = mixed<T>(lanes + 3, n, static_cast<uint64_t>(n));
  const std::string where =
      std::string(set.name) + " " + type_name<T> + " n " + std::to_string(n) + " p " + std::to_string(p);
  std::vector<kr_report> reports, again, alone;
  Batch<T> x = run_on(true, set, options, stacked(matrices, n), reports);
  Batch<T> with_gaps = run_on(true, set, options, stacked(matrices, n, kGap), again, 2);
  check(same_bits(x.data(), with_gaps.data()), where, "rows with and without gaps");
  for (size_t b = 0; b < matrices.size(); b += std::size(all_spectra)) {  // the geometric ones
    check(reports[b].method == method, where, "answered by another method", reports[b].method);
  }
  for (int64_t count = 1; count <= lanes; ++count) {
    // The last `count` matrices: every one meets every lane up to its own place.
    const std::vector<Batch<T>> last(matrices.end() - count, matrices.end());
    Batch<T> part = run_on(true, set, options, stacked(last, n), alone);
    for (int64_t b = 0; b < count; ++b) {
      const int64_t whole = lanes + 3 - count + b;
      check(same_bits(taken(x, whole).data(), taken(part, b).data()), where, "bits depend on the neighbours");
      check(same_report(reports[static_cast<size_t>(whole)], alone[static_cast<size_t>(b)]), where,
            "report depends on the neighbours");
    }
  }
}

}  // namespace

TEST("lanes of inverse_root: a matrix has the same bits alone, in any lane, and on any number of threads") {
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t n : {2, 3, 4, 7, 8, 16, 17}) {
      for (const int p : {2, 3, 4}) {
        for (const kr_method method : {KR_METHOD_PARTIAL_FRACTIONS, KR_METHOD_MINIMAX}) {
          check_independence<float>(*set, method, n, p);
          check_independence<double>(*set, method, n, p);
        }
      }
    }
  }
}

namespace {

// Gram matrices of half the rank in f32: their null space is rounding of either sign, which eigenvalues have to judge.
std::vector<Batch<float>> deficient(int64_t count, int64_t n) {
  Uniform random(static_cast<uint64_t>(n));
  std::vector<Batch<float>> matrices;
  for (int64_t b = 0; b < count; ++b) {
    Batch<float> factor(1, n, n / 2), gram(1, n, n);
    random.fill(factor);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j <= i; ++j) {
        float sum = 0;
        for (int64_t k = 0; k < n / 2; ++k) sum += factor(i, k) * factor(j, k);
        gram(i, j) = gram(j, i) = sum;
      }
    }
    matrices.push_back(gram);
  }
  return matrices;
}

TEST("lanes of inverse_root: of rank-deficient matrices too, whose eigenvalues decide, in whatever company") {
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t n : {4, 9, 16, 31, 40}) {
      const auto options = root_options(4, 1, KR_RIDGE_DEFAULT, 0);
      std::vector<Batch<float>> matrices = deficient(19, n);
      std::vector<kr_report> reports, alone;
      Batch<float> x = run_on(true, *set, options, stacked(matrices, n), reports);
      // Every other one has full rank now.
      std::vector<Batch<float>> among = matrices;
      const std::vector<Batch<float>> others = mixed<float>(19, n, 5);
      for (size_t b = 1; b < among.size(); b += 2) {
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            Batch<float> other = others[b];
            among[b](i, j) = other(i, j);
          }
        }
      }
      Batch<float> y = run_on(true, *set, options, stacked(among, n), alone, 2);
      for (size_t b = 0; b < matrices.size(); ++b) {
        const std::string where = std::string(set->name) + " n " + std::to_string(n) + " " + std::to_string(b);
        check(reports[b].status == KR_STATUS_RANK_DEFICIENT && reports[b].detail >= n / 2, where, "status",
              reports[b].status);
        check(reports[b].residual <= (n <= 32 ? 1e-2 : 0.05), where, "residual", reports[b].residual);
        if (b % 2 == 1) continue;
        const auto index = static_cast<int64_t>(b);
        check(same_report(reports[b], alone[b]), where, "the report depends on the others");
        check(same_bits(taken(x, index).data(), taken(y, index).data()), where, "the root depends on the others");
      }
    }
  }
}

void check_f64(const KernelSet& set, kr_method method) {
  for (const int64_t n : {2, 5, 16, 32}) {
    for (const double condition : {1e2, 1e6, 1e10}) {
      const std::vector<Batch<double>> matrices = mixed<double>(10, n, 3);
      kr_inverse_root_options options = root_options(4, 1, KR_RIDGE_RELATIVE, 1 / condition, method);
      std::vector<kr_report> reports;
      Batch<double> x = run_on(true, set, options, stacked(matrices, n), reports);
      options.method = KR_METHOD_EIGH;
      for (size_t b = 0; b < matrices.size(); ++b) {
        const RootAnswer<double> eigh(matrices[b], n, options);
        const double error = relative_error(taken(x, static_cast<int64_t>(b)), eigh.x);
        const std::string where = std::string(set.name) + " n " + std::to_string(n) + " matrix " + std::to_string(b);
        check(reports[b].status < KR_FIRST_FAILURE, where, "status", reports[b].status);
        check(error <= 200 * static_cast<double>(n) * ulp_of<double> * condition, where, "error", error);
      }
    }
  }
}

}  // namespace

TEST("lanes of inverse_root in f64: 100 n ulp condition") {
  for (const KernelSet* set : kernel_sets()) {
    check_f64(*set, KR_METHOD_PARTIAL_FRACTIONS);
    check_f64(*set, KR_METHOD_MINIMAX);
  }
}

TEST("lanes of inverse_root: statuses of the path for single matrices under every ridge") {
  constexpr double kScales[] = {1, 1e-30, 1e30};
  for (const int64_t n : {2, 3, 6, 16}) {
    std::vector<Batch<float>> matrices = mixed<float>(10, n, 5);
    MatrixSource source(9);
    for (const double scale : kScales) {
      matrices.push_back(rounded<float>(source.matrix(Spectra::geometric, n, 100), n, scale));
    }
    for (int type = 1; type <= 21; ++type) {
      const Symmetric each = lapack_type(type, n, precision_of<float>);
      matrices.push_back(rounded<float>(each.data, n));
    }
    matrices.push_back(rounded<float>(low_rank_gram(n, 1).data, n));
    Batch<float> poisoned = rounded<float>(source.matrix(Spectra::wishart, n, 1), n);
    for (const float poison : {nan_of<float>, infinity_of<float>, 1e3f}) {
      poisoned(0, 1) = poison;  // 1e3: not symmetric
      matrices.push_back(poisoned);
    }
    Batch<float> indefinite = rounded<float>(source.matrix(Spectra::geometric, n, 100), n);
    indefinite(n - 1, n - 1) = -1e-3f;
    matrices.push_back(indefinite);
    const Batch<float> batch = stacked(matrices, n);
    for (const auto& [ridge, value] : std::vector<std::pair<int, double>>{{KR_RIDGE_DEFAULT, 0},
                                                                          {KR_RIDGE_NONE, 0},
                                                                          {KR_RIDGE_ABSOLUTE, 1e-3},
                                                                          {KR_RIDGE_ABSOLUTE, 1e6},
                                                                          {KR_RIDGE_RELATIVE, 1e-4},
                                                                          {KR_RIDGE_TRACE, 1e-3},
                                                                          {KR_RIDGE_PSEUDO_INVERSE, 0}}) {
      for (const auto& [numerator, denominator] :
           std::vector<std::pair<int, int>>{{1, 1}, {2, 1}, {3, 1}, {4, 1}, {4, 3}, {8, 1}, {-2, 1}}) {
        const auto options = root_options(numerator, denominator, ridge, value);
        std::vector<kr_report> in_lanes, single;
        Batch<float> x = run_on(true, best_kernels(), options, batch, in_lanes);
        Batch<float> y = run_on(false, best_kernels(), options, batch, single);
        for (size_t b = 0; b < matrices.size(); ++b) {
          const std::string where = "matrix " + std::to_string(b) + " n " + std::to_string(n) + " ridge " +
                                    std::to_string(ridge) + " p " + std::to_string(numerator) + "/" +
                                    std::to_string(denominator);
          // A reduction in f32 and one in f64 may count an eigenvalue near n ulp lambda_max differently.
          const bool is_borderline = single[b].method == KR_METHOD_PARTIAL_FRACTIONS &&
                                     single[b].status == KR_STATUS_OK &&
                                     in_lanes[b].status == KR_STATUS_RANK_DEFICIENT && in_lanes[b].detail == n - 1;
          check(in_lanes[b].status == single[b].status || is_borderline, where, "status", in_lanes[b].status);
          check(in_lanes[b].detail == single[b].detail || is_borderline, where, "detail", in_lanes[b].detail);
          if (in_lanes[b].status < KR_FIRST_FAILURE) continue;
          const Batch<float> lane = taken(x, static_cast<int64_t>(b));
          check(std::all_of(lane.data().begin(), lane.data().end(), [](float each) { return each == untouched; }),
                where, "the output of a failed matrix was written");
        }
      }
    }
  }
}
