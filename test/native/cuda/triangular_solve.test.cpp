// triangular_solve on the device against the bound of ops.h, on both sides of every change of kernel.
#include "test/native/triangular_answer.hpp"

#include "test/native/cuda/cuda_call.hpp"

namespace kronroot::test {
namespace {

constexpr int variants = 16;

TriangularCase variant_of(int index, int64_t n, int64_t k, double alpha = 0) {
  return {{index & 1, index >> 1 & 1, index >> 2 & 1, index >> 3 & 1, alpha}, n, k};
}

template <typename T>
struct TriangularAnswer {
  Batch<T> x;
  std::vector<kr_report> reports;
};

template <typename T>
TriangularAnswer<T> cuda_solve(const TriangularCase& each, Batch<T>& t, Batch<T>& b) {
  const int64_t batch = b.descriptor().batch;
  TriangularAnswer<T> answer{Batch<T>(batch, b.rows(), b.cols(), kUntouched<T>, kPadding), {}};
  const DeviceBatch triangle(t.descriptor()), right(b.descriptor()), x(answer.x.descriptor());
  DeviceReports reports(batch);
  CudaCall call;
  const kr_code code = cuda().triangular_solve(call.get(), &each.options, &triangle, &right, &x, reports.get());
  check(code == KR_OK, call.message(), "code");
  x.read();
  answer.reports = reports.read();
  return answer;
}

template <typename T>
void check_case(const TriangularCase& each, int64_t batch) {
  RandomSystem<T> system = random_system<T>(each, batch, 7);
  TriangularAnswer<T> answer = cuda_solve(each, system.t, system.b);
  const std::string name = name_of(type_name<T>, each);
  for (int64_t m = 0; m < batch; ++m) {
    const kr_report& report = answer.reports[static_cast<size_t>(m)];
    check(report.status == KR_STATUS_OK && report.method == KR_METHOD_DIRECT, name, "status", report.status);
    check_triangular(name, each, system.t, system.b, answer.x, m);
    check(report.residual < 2 * static_cast<double>(each.n + 4) * kronroot::ulp_of<T>, name, "residual",
          report.residual);
    double most = 0, least = HUGE_VAL;
    for (int64_t i = 0; i < each.n; ++i) {
      most = std::max<double>(most, std::abs(system.t(m, i, i)));
      least = std::min<double>(least, std::abs(system.t(m, i, i)));
    }
    const double condition = each.options.unit_diagonal ? 1 : most / least;
    check(std::abs(report.condition / condition - 1) < 1e-6, name, "condition", report.condition);
  }
  check((&answer.x(0, 0, 0))[answer.x.cols()] == kUntouched<T>, name, "wrote between rows");
}

TEST("triangular_solve: every variant within the bound, in registers") {
  for (int variant = 0; variant < variants; ++variant) {
    for (const int64_t n : {1, 2, 7, 8, 9, 16, 17, 32}) {
      for (const int64_t k : {1, 3, 4, 9}) {
        check_case<float>(variant_of(variant, n, k, n == 7 ? -2.5 : 0.), 5);
        if (k != 3) check_case<double>(variant_of(variant, n, k, n == 9 ? 3 : 0.), 5);
      }
    }
  }
}

TEST("triangular_solve: every variant within the bound, one block on the diagonal") {
  for (int variant = 0; variant < variants; ++variant) {
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{33, 1}, {48, 33}, {64, 5}, {65, 31}, {128, 2}}) {
      check_case<float>(variant_of(variant, n, k, n == 65 ? 0.5 : 0.), 3);
    }
    check_case<double>(variant_of(variant, 50, 34), 3);
  }
}

TEST("triangular_solve: every variant within the bound, blocks and products") {
  for (int variant = 0; variant < variants; ++variant) {
    check_case<float>(variant_of(variant, 129, 3), 1);
    check_case<float>(variant_of(variant, 193, 40, 2), 1);
    check_case<double>(variant_of(variant, 150, 7), 1);
  }
}

// The diagonal from one end of the range to the other, one right-hand side: the bound holds for any triangle.
template <typename T>
void check_range(int64_t n) {
  const double most = sizeof(T) == 4 ? 120 : 1000;
  for (const bool upper : {false, true}) {
    const TriangularCase each{{KR_SIDE_LEFT, upper, 0, 0, 0}, n, 1};
    RandomSystem<T> system = random_system<T>(each, 1, 3);
    for (int64_t i = 0; i < n; ++i) {
      const double size = std::ldexp(1.0, static_cast<int>(most * (2 * static_cast<double>(i % 8) / 7 - 1)));
      for (int64_t j = 0; j < n; ++j) {
        if ((j > i) == upper || j == i) system.t(0, i, j) = static_cast<T>(system.t(0, i, j) * size);
      }
      system.b(0, i, 0) = static_cast<T>(system.b(0, i, 0) * size);
    }
    TriangularAnswer<T> answer = cuda_solve(each, system.t, system.b);
    EXPECT(answer.reports[0].status == KR_STATUS_OK);
    check_triangular(name_of(type_name<T>, each), each, system.t, system.b, answer.x, 0);
  }
}

TEST("triangular_solve: rows of all sizes keep the bound") {
  for (const int64_t n : {5, 20, 60}) {
    check_range<float>(n);
    check_range<double>(n);
  }
}

template <typename T>
void check_residual(int64_t n, bool transposed) {
  const TriangularCase each{{KR_SIDE_LEFT, 0, transposed ? 1 : 0, 0, 0}, n, 1};
  RandomSystem<T> system = random_system<T>(each, 1, 17);
  TriangularAnswer<T> answer = cuda_solve(each, system.t, system.b);
  const double known = residual_of(system.t, system.b, answer.x, transposed);
  // In f64 it is as large as its own rounding.
  check(known > 0 && answer.reports[0].residual > (sizeof(T) == 4 ? 0.999 : 0.3) * known &&
            answer.reports[0].residual < (sizeof(T) == 4 ? 1.001 : 4) * known,
        name_of(type_name<T>, each), "residual over the one in extended precision", answer.reports[0].residual / known);
}

TEST("triangular_solve: the residual of one right-hand side is its own") {
  for (const int64_t n : {13, 123, 140}) {
    for (const bool transposed : {false, true}) {
      check_residual<float>(n, transposed);
      check_residual<double>(n, transposed);
    }
  }
}

template <typename T>
void check_failures(int64_t n, int64_t k) {
  const TriangularCase each{{KR_SIDE_LEFT, 1, 0, 0, 0}, n, k};
  RandomSystem<T> system = random_system<T>(each, 9, 3);
  TriangularAnswer<T> clean = cuda_solve(each, system.t, system.b);
  system.t(1, 4, 4) = 0;
  system.t(1, 2, 2) = T(-0.0);
  system.t(3, 0, n - 1) = infinity_of<T>;
  system.b(5, n - 1, k - 1) = nan_of<T>;
  system.t(7, 3, 3) = std::numeric_limits<T>::min();
  system.b(7, 3, k - 1) = std::numeric_limits<T>::max();
  TriangularAnswer<T> found = cuda_solve(each, system.t, system.b);
  const auto status_of = [&](int64_t m) { return found.reports[static_cast<size_t>(m)].status; };
  EXPECT(status_of(1) == KR_STATUS_SINGULAR && found.reports[1].detail == 2);
  EXPECT(status_of(3) == KR_STATUS_NON_FINITE_INPUT && status_of(5) == KR_STATUS_NON_FINITE_INPUT);
  EXPECT(status_of(7) == KR_STATUS_OVERFLOW);
  for (int64_t m = 0; m < 9; ++m) {
    if (m % 2 == 0) {
      EXPECT(status_of(m) == KR_STATUS_OK && same_matrix(found.x, m, clean.x, m));
      continue;
    }
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < k; ++j) EXPECT(found.x(m, i, j) == kUntouched<T>);
    }
  }
}

TEST("triangular_solve: failures are named, leave x alone and disturb no other") {
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{6, 1}, {20, 5}, {40, 34}, {70, 3}, {135, 2}}) {
    check_failures<float>(n, k);
    check_failures<double>(n, k);
  }
}

TEST("triangular_solve: alpha B beyond the range is an overflow") {
  for (const int64_t n : {3, 40}) {
    const TriangularCase each{{KR_SIDE_RIGHT, 0, 0, 1, 4}, n, 2};
    RandomSystem<float> system = random_system<float>(each, 1, 5);
    system.b(0, 1, n - 1) = 1e38F;
    EXPECT(cuda_solve(each, system.t, system.b).reports[0].status == KR_STATUS_OVERFLOW);
  }
}

TEST("triangular_solve: parts of a batch have the bits of the whole, also in place and without reports") {
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{7, 5}, {30, 9}, {90, 33}, {140, 2}}) {
    for (const int variant : {0, 7, 9}) {
      const TriangularCase each = variant_of(variant, n, k);
      RandomSystem<float> system = random_system<float>(each, 5, 13);
      TriangularAnswer<float> whole = cuda_solve(each, system.t, system.b);
      Batch<float> t = part_of(system.t, 3, 2), b = part_of(system.b, 3, 2);
      TriangularAnswer<float> part = cuda_solve(each, t, b);
      for (int64_t m = 0; m < 2; ++m) EXPECT(same_matrix(part.x, m, whole.x, m + 3));
      EXPECT(std::memcmp(part.reports.data(), &whole.reports[3], 2 * sizeof(kr_report)) == 0);
      const DeviceBatch triangle(system.t.descriptor()), in_place(system.b.descriptor());
      CudaCall call;
      EXPECT(cuda().triangular_solve(call.get(), &each.options, &triangle, &in_place, &in_place, nullptr) == KR_OK);
      in_place.read();
      for (int64_t m = 0; m < 5; ++m) EXPECT(same_matrix(system.b, m, whole.x, m));
    }
  }
}

TEST("triangular_solve: one triangle for all right-hand sides of a batch") {
  for (const int64_t n : {6, 45}) {
    const TriangularCase each{{KR_SIDE_LEFT, 0, 1, 0, 0}, n, 3};
    RandomSystem<double> system = random_system<double>(each, 4, 21);
    Batch<double> repeated(4, n, n), x(4, n, 3);
    for (int64_t m = 0; m < 4; ++m) {
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) repeated(m, i, j) = system.t(0, i, j);
      }
    }
    TriangularAnswer<double> expected = cuda_solve(each, repeated, system.b);
    const DeviceBatch triangles(system.t.descriptor()), right(system.b.descriptor()), to(x.descriptor());
    kr_batch one = *&triangles;
    one.batch_stride = 0;
    CudaCall call;
    EXPECT(cuda().triangular_solve(call.get(), &each.options, &one, &right, &to, nullptr) == KR_OK);
    to.read();
    for (int64_t m = 0; m < 4; ++m) EXPECT(same_matrix(x, m, expected.x, m));
  }
}

TEST("triangular_solve: empty systems") {
  const TriangularCase each{{}, 3, 0};
  Batch<float> t(2, 3, 3, 1), b(2, 3, 0), no_t(2, 0, 0), no_b(2, 0, 4);
  EXPECT(cuda_solve(each, t, b).reports[1].status == KR_STATUS_OK);
  EXPECT(cuda_solve(each, no_t, no_b).reports[1].method == KR_METHOD_DIRECT);
}

}  // namespace
}  // namespace kronroot::test
