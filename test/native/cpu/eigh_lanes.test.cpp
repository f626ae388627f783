// eigh with one matrix to a lane: the bounds of ops.h, the path for single matrices as a witness, and independence of a
// lane from its neighbours.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "devices.hpp"
#include "symmetric_matrices.hpp"

namespace {

using namespace kronroot::test;
using kronroot::Crossovers;
using kronroot::LaneOp;
using kronroot::cpu::kernels_of;
using kronroot::cpu::KernelSet;

constexpr double kRatioBound = 10;  // ops.h
constexpr int64_t kPadding = 3;     // columns after each row, which must not be written
template <typename T>
constexpr T kUntouched = -77;

const Crossovers& crossovers(bool lanes) {
  static const Crossovers none, all = [] {
    Crossovers table;
    for (const LaneOp op : {LaneOp::eigh, LaneOp::eigh_values}) {
      for (const int32_t dtype : {KR_F32, KR_F64}) table.lanes.push_back({op, dtype, 1000, 1});
    }
    return table;
  }();
  return lanes ? all : none;
}

template <typename T>
struct Answer {
  Batch<T> values, vectors;
  std::vector<kr_report> reports;
};

// On a device that computes everything in lanes, or nothing.
template <typename T>
Answer<T> run_on(bool lanes, const KernelSet& set, Batch<T>& a, bool wants_vectors = true) {
  const int64_t batch = a.descriptor().batch, n = a.rows();
  Answer<T> answer{Batch<T>(batch, n, 1, kUntouched<T>, kPadding), Batch<T>(batch, n, n, kUntouched<T>, kPadding),
                   std::vector<kr_report>(static_cast<size_t>(batch))};
  kr_device device{&set, 1};
  device.crossovers = &crossovers(lanes);
  Call call;
  call.fields().device = &device;
  const kr_code code =
      kronroot::cpu::eigh(call.get(), nullptr, &a, &answer.values,
                          wants_vectors ? &answer.vectors.descriptor() : nullptr, answer.reports.data());
  check(code == KR_OK, call.message(), "code");
  return answer;
}

template <typename T>
Batch<T> batch_of(const std::vector<Symmetric>& matrices) {
  const int64_t n = matrices[0].n;
  Batch<T> a(static_cast<int64_t>(matrices.size()), n, n, T{0}, kPadding);
  for (size_t b = 0; b < matrices.size(); ++b) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        a(static_cast<int64_t>(b), i, j) = static_cast<T>(matrices[b].data[static_cast<size_t>(i * n + j)]);
      }
    }
  }
  return a;
}

// Matrices first .. first + count of a batch.
template <typename T>
Batch<T> part_of(Batch<T>& a, int64_t first, int64_t count, int64_t padding) {
  Batch<T> part(count, a.rows(), a.cols(), T{0}, padding);
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t i = 0; i < a.rows(); ++i) {
      for (int64_t j = 0; j < a.cols(); ++j) part(b, i, j) = a(first + b, i, j);
    }
  }
  return part;
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

template <typename T>
void check_same(Answer<T>& x, int64_t b, Answer<T>& y, int64_t c, const std::string& name) {
  check(same_matrix(x.values, b, y.values, c), name, "values depend on the group");
  check(same_matrix(x.vectors, b, y.vectors, c), name, "vectors depend on the group");
  check(std::memcmp(&x.reports[static_cast<size_t>(b)], &y.reports[static_cast<size_t>(c)], sizeof(kr_report)) == 0,
        name, "the report depends on the group");
}

template <typename T>
double ulp_for() {
  return precision_of<T>.ulp;
}

// |A V - V diag(w)| / (n ulp |A|) and |V^T V - I| / (n ulp) in 1-norms, order and sign of matrix b.
template <typename T>
void check_bounds(const std::string& name, Batch<T>& a, Answer<T>& answer, int64_t b) {
  const int64_t n = a.rows();
  const double unit = static_cast<double>(n) * ulp_for<T>();
  const kr_report& report = answer.reports[static_cast<size_t>(b)];
  check(report.status == KR_STATUS_OK, name, "status", report.status);
  check(report.method == (n == 1 ? KR_METHOD_DIRECT : KR_METHOD_QL), name, "method", report.method);
  long double residual = 0, orthogonality = 0, norm = 0;
  for (int64_t j = 0; j < n; ++j) {
    long double of_residual = 0, of_orthogonality = 0, of_norm = 0;
    T leading = 0;
    for (int64_t i = 0; i < n; ++i) {
      long double product = 0, dot = i == j ? -1 : 0;
      for (int64_t k = 0; k < n; ++k) {
        product += static_cast<long double>(a(b, i, k)) * answer.vectors(b, k, j);
        dot += static_cast<long double>(answer.vectors(b, k, i)) * answer.vectors(b, k, j);
      }
      product -= static_cast<long double>(answer.vectors(b, i, j)) * answer.values(b, j, 0);
      of_residual += std::abs(product);
      of_orthogonality += std::abs(dot);
      of_norm += std::abs(static_cast<long double>(a(b, i, j)));
      if (std::abs(answer.vectors(b, i, j)) > std::abs(leading)) leading = answer.vectors(b, i, j);
    }
    residual = std::max(residual, of_residual);
    orthogonality = std::max(orthogonality, of_orthogonality);
    norm = std::max(norm, of_norm);
    check(leading > 0, name, "sign of the leading component");
    if (j > 0) check(answer.values(b, j - 1, 0) <= answer.values(b, j, 0), name, "values ascend");
  }
  check(residual <= kRatioBound * unit * norm, name, "|A V - V w|", static_cast<double>(residual / (unit * norm)));
  check(orthogonality < kRatioBound * unit, name, "|V^T V - I|", static_cast<double>(orthogonality) / unit);
  check(report.residual <= kRatioBound * unit, name, "residual", report.residual);
}

// LAPACK's types by the lane, so that lanes differ in scale, sweeps and deflation.
template <typename T>
std::vector<Symmetric> mixed(int64_t n) {
  std::vector<Symmetric> all;
  for (int type = 1; type <= 21; ++type) all.push_back(lapack_type(type, n, precision_of<T>));
  return all;
}

template <typename T>
void check_sizes(const KernelSet& set) {
  const int64_t lanes = kernels_of<T>(set).lanes;
  std::vector<int64_t> sizes;
  for (int64_t n = 1; n <= 20; ++n) sizes.push_back(n);
  sizes.insert(sizes.end(), {31, 32, 33, 63, 64, 65});
  if (set.name == std::string("avx512")) sizes.insert(sizes.end(), {81, 127, 128});
  for (const int64_t n : sizes) {
    const std::string name = std::string(set.name) + " " + type_name<T> + " eigh n=" + std::to_string(n);
    Batch<T> a = batch_of<T>(mixed<T>(n));
    const int64_t batch = a.descriptor().batch;
    Answer<T> answer = run_on(true, set, a), alone = run_on(true, set, a, false);
    for (int64_t b = 0; b < batch; ++b) {
      check_bounds(name + " type " + std::to_string(b + 1), a, answer, b);
      check(std::isnan(alone.reports[static_cast<size_t>(b)].residual), name, "no residual for values only");
      double size = 0;
      for (int64_t j = 0; j < n; ++j) size = std::max<double>(size, std::abs(answer.values(b, j, 0)));
      for (int64_t j = 0; j < n; ++j) {
        check(std::abs(static_cast<double>(alone.values(b, j, 0)) - answer.values(b, j, 0)) <=
                  2 * kRatioBound * static_cast<double>(n) * ulp_for<T>() * size,
              name, "values alone");
        check(answer.vectors(b, j, n) == kUntouched<T> && answer.values(b, j, 1) == kUntouched<T>, name, "padding");
      }
      check(alone.vectors(b, 0, 0) == kUntouched<T>, name, "vectors that were not wanted");
    }
    for (int64_t count = 1; count < lanes; count += n <= 20 ? 1 : 5) {
      const int64_t first = batch - count;
      Batch<T> some = part_of(a, first, count, count % 2);
      Answer<T> of_some = run_on(true, set, some);
      for (int64_t b = 0; b < count; ++b) check_same(of_some, b, answer, first + b, name);
    }
  }
}

TEST("eigh lanes: f32 keeps the bounds at every size, with the same bits in any lane of any group") {
  for (const KernelSet* set : kernel_sets()) check_sizes<float>(*set);
}
TEST("eigh lanes: f64 keeps the bounds at every size, with the same bits in any lane of any group") {
  for (const KernelSet* set : kernel_sets()) check_sizes<double>(*set);
}

// A few of the lanes are bad; the others do not notice.
template <typename T>
void check_failures(const KernelSet& set, int64_t n) {
  const std::string name = std::string(set.name) + " " + type_name<T> + " eigh n=" + std::to_string(n);
  Batch<T> good = batch_of<T>(mixed<T>(n)), bad = good;
  Answer<T> expected = run_on(true, set, good);
  bad(2, n - 1, 0) = std::numeric_limits<T>::quiet_NaN();
  bad(5, 0, n - 1) = -std::numeric_limits<T>::infinity();
  bad(12, 0, 1) += T{1};
  Answer<T> answer = run_on(true, set, bad);
  for (int64_t b = 0; b < good.descriptor().batch; ++b) {
    const int32_t status = b == 2 || b == 5 ? KR_STATUS_NON_FINITE_INPUT
                           : b == 12        ? KR_STATUS_NOT_SYMMETRIC
                                            : KR_STATUS_OK;
    check(answer.reports[static_cast<size_t>(b)].status == status, name, "status beside bad matrices");
    if (status == KR_STATUS_OK) {
      check_same(answer, b, expected, b, name);
    } else {
      check(answer.values(b, 0, 0) == kUntouched<T> && answer.vectors(b, n - 1, n - 1) == kUntouched<T>, name,
            "a failed matrix was written");
    }
  }
}

TEST("eigh lanes: a bad lane names its status, is not written and disturbs no other") {
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t n : {2, 7, 24, 40}) {
      check_failures<float>(*set, n);
      check_failures<double>(*set, n);
    }
  }
}

// Ends of the range, and the path for single matrices as a witness of status, condition and values.
template <typename T>
void check_scales(const KernelSet& set) {
  using Limits = std::numeric_limits<T>;
  const std::string name = std::string(set.name) + " " + type_name<T> + " eigh scales";
  std::vector<Symmetric> matrices;
  for (const T scale : {Limits::max() / 64, Limits::min() * 64, T{1}, T{1e-30f}, T{1e30f}, T{0}, Limits::max()}) {
    Symmetric matrix = lapack_type(9, 8, precision_of<T>);
    double largest = 0;
    for (const double x : matrix.data) largest = std::max(largest, std::abs(x));
    for (double& x : matrix.data) x *= static_cast<double>(scale) / largest;
    matrices.push_back(matrix);
  }
  matrices.back().data.assign(64, static_cast<double>(Limits::max()));  // its eigenvalue is eight times that
  Batch<T> a = batch_of<T>(matrices);
  Answer<T> answer = run_on(true, set, a), witness = run_on(false, set, a);
  for (int64_t b = 0; b < a.descriptor().batch; ++b) {
    const kr_report &ours = answer.reports[static_cast<size_t>(b)], &theirs = witness.reports[static_cast<size_t>(b)];
    check(ours.status == theirs.status, name, "status", ours.status);
    if (theirs.status != KR_STATUS_OK) {
      check(answer.values(b, 0, 0) == kUntouched<T>, name, "a failed matrix was written");
      continue;
    }
    check(std::isnan(ours.condition) == std::isnan(theirs.condition), name, "condition", ours.condition);
    const double size = std::max(std::abs(witness.values(b, 0, 0)), std::abs(witness.values(b, 7, 0)));
    for (int64_t j = 0; j < 8; ++j) {
      const double difference = std::abs(static_cast<double>(answer.values(b, j, 0)) - witness.values(b, j, 0));
      check(difference <= 160 * ulp_for<T>() * size, name, "values", difference / size);
    }
    check(ours.residual <= kRatioBound * 8 * ulp_for<T>(), name, "residual", ours.residual);
  }
}

TEST("eigh lanes: the whole range of the type beside each other in one group, zero and overflow") {
  for (const KernelSet* set : kernel_sets()) {
    check_scales<float>(*set);
    check_scales<double>(*set);
  }
}

TEST("eigh lanes: Wilkinson's, glued, graded and repeated spectra") {
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t n : {21, 42, 63}) {
      Batch<float> a = batch_of<float>(hard_to_divide(n, precision_of<float>));
      Answer<float> answer = run_on(true, *set, a);
      for (int64_t b = 0; b < a.descriptor().batch; ++b)
        check_bounds(std::string(set->name) + " f32 hard", a, answer, b);
      Batch<double> wide = batch_of<double>(hard_to_divide(n, precision_of<double>));
      Answer<double> of_wide = run_on(true, *set, wide);
      for (int64_t b = 0; b < wide.descriptor().batch; ++b) {
        check_bounds(std::string(set->name) + " f64 hard", wide, of_wide, b);
      }
    }
  }
}

}  // namespace
