// qr on the device against the bounds of ops.h, on both sides of every change of kernel.
#include "test/native/qr_answer.hpp"

#include "test/native/cuda/cuda_call.hpp"

namespace kronroot::test {
namespace {

template <typename T>
QrAnswer<T> cuda_qr(Batch<T>& a, bool complete = false, bool wants_q = true, bool wants_r = true) {
  const int64_t batch = a.descriptor().batch, m = a.rows(), n = a.cols(), l = complete ? m : std::min(m, n);
  QrAnswer<T> answer(batch, m, n, l);
  const DeviceBatch input(a.descriptor()), q(answer.q.descriptor()), r(answer.r.descriptor());
  DeviceReports reports(batch);
  CudaCall call;
  const kr_qr_options options{complete, 0};
  const kr_code code =
      cuda().qr(call.get(), &options, &input, wants_q ? &q : nullptr, wants_r ? &r : nullptr, reports.get());
  check(code == KR_OK, call.message(), "code");
  q.read();
  r.read();
  answer.reports = reports.read();
  return answer;
}

template <typename T>
std::string name_of(const Rectangle& each) {
  return std::string(type_name<T>) + " " + std::to_string(each.m) + "x" + std::to_string(each.n) + " " + each.name;
}

template <typename T>
void check_shape(Shape shape, bool complete) {
  const auto matrices = rectangles<T>(shape.m, shape.n, static_cast<uint64_t>(100 * shape.m + shape.n));
  Batch<T> a = batch_of<T>(matrices, kPadding);
  QrAnswer<T> answer = cuda_qr(a, complete);
  for (size_t b = 0; b < matrices.size(); ++b) {
    check_qr(name_of<T>(matrices[b]), a, answer, static_cast<int64_t>(b));
  }
  for (int64_t i = 0; i < a.rows(); ++i) {
    check((&answer.q(0, i, 0))[answer.q.cols()] == kUntouched<T>, name_of<T>(matrices[0]), "wrote between rows of Q");
  }
  for (int64_t k = 0; k < answer.r.rows(); ++k) {
    check((&answer.r(0, k, 0))[a.cols()] == kUntouched<T>, name_of<T>(matrices[0]), "wrote between rows of R");
  }
}

template <typename T>
void check_shapes(std::initializer_list<Shape> shapes) {
  for (const Shape shape : shapes) {
    check_shape<T>(shape, false);
    if (shape.m > shape.n) check_shape<T>(shape, true);
  }
}

const std::initializer_list<Shape> in_registers{{1, 1},   {2, 1},  {1, 2},   {2, 2},  {3, 5},   {7, 8},
                                                {8, 8},   {9, 1},  {1, 9},   {9, 9},  {16, 16}, {17, 5},
                                                {16, 17}, {32, 3}, {31, 32}, {32, 32}};

TEST("qr: bounds for matrices of every kind in registers, f32") { check_shapes<float>(in_registers); }
TEST("qr: bounds for matrices of every kind in registers, f64") { check_shapes<double>(in_registers); }

TEST("qr: bounds for matrices of every kind in shared memory, f32") {
  check_shapes<float>({{33, 1}, {1, 33}, {33, 33}, {64, 20}, {20, 64}, {65, 63}, {128, 5}, {129, 10}, {256, 3}});
}
TEST("qr: bounds for matrices of every kind in shared memory, f64") {
  check_shapes<double>({{33, 7}, {5, 40}, {65, 30}, {130, 9}});
}

// 257 rows and more, or more than 227 KiB: at once, then, beyond 64 columns or rows, by panels.
TEST("qr: bounds for matrices of every kind in global memory, f32") {
  check_shape<float>({257, 1}, false);
  check_shape<float>({260, 33}, false);
  check_shape<float>({257, 2}, true);
}
TEST("qr: bounds for matrices of every kind in global memory, f64") {
  check_shape<double>({257, 65}, false);
  check_shape<double>({3, 10000}, false);
}

template <typename T>
void check_large(int64_t m, int64_t n, bool complete) {
  Batch<T> a(1, m, n);
  Uniform random(7);
  random.fill(a);
  QrAnswer<T> answer = cuda_qr(a, complete);
  check_qr(std::string(type_name<T>) + " " + std::to_string(m) + "x" + std::to_string(n), a, answer, 0);
}

TEST("qr: bounds at the edges of panels") {
  check_large<float>(300, 300, false);
  check_large<float>(320, 97, true);
  check_large<float>(97, 700, false);
  check_large<double>(272, 96, false);
  check_large<double>(128, 250, false);
}

// With a column shorter by a power of two Q is the same and R has its column shorter: nothing of it counts as zero.
template <typename T>
void check_short_columns(int64_t m, int64_t n) {
  Batch<T> a(2, m, n);
  Uniform random(9);
  const double factor = sizeof(T) == 4 ? 0x1p-60 : 0x1p-200;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      a(0, i, j) = static_cast<T>(random.next());
      a(1, i, j) = static_cast<T>(static_cast<double>(a(0, i, j)) * (j % 2 == 1 ? factor : 1));
    }
  }
  QrAnswer<T> answer = cuda_qr(a);
  double of_q = 0, of_r = 0;
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < m; ++i) {
      of_q = std::max<double>(of_q, std::abs(answer.q(0, i, j) - answer.q(1, i, j)));
    }
    const double scale = j % 2 == 1 ? factor : 1;
    for (int64_t k = 0; k <= j; ++k) {
      of_r = std::max(of_r, std::abs(static_cast<double>(answer.r(0, k, j)) - answer.r(1, k, j) / scale));
    }
  }
  const std::string name = std::string(type_name<T>) + " " + std::to_string(m) + "x" + std::to_string(n);
  const double bound = 1e3 * static_cast<double>(m) * kronroot::ulp_of<T>;
  check(of_q < bound, name, "Q of short columns", of_q / kronroot::ulp_of<T>);
  check(of_r < bound, name, "R of short columns", of_r / kronroot::ulp_of<T>);
}

TEST("qr: columns of very different lengths are orthogonalised each to its own length") {
  for (const Shape shape : {Shape{7, 4}, {30, 9}, {90, 12}, {260, 6}}) {
    check_short_columns<float>(shape.m, shape.n);
    check_short_columns<double>(shape.m, shape.n);
  }
}

template <typename T>
void check_independence(int64_t m, int64_t n) {
  const auto matrices = rectangles<T>(m, n, 5);
  Batch<T> a = batch_of<T>(matrices), bad = a;
  const int64_t batch = a.descriptor().batch;
  const std::string name = std::string(type_name<T>) + " " + std::to_string(m) + "x" + std::to_string(n);
  bad(3, m - 1, n - 1) = nan_of<T>;
  bad(5, 0, 0) = infinity_of<T>;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) bad(8, i, j) = std::numeric_limits<T>::max();
  }
  QrAnswer<T> clean = cuda_qr(a), poisoned = cuda_qr(bad);
  for (int64_t b = 0; b < batch; ++b) {
    const int32_t status = poisoned.reports[static_cast<size_t>(b)].status;
    if (b != 3 && b != 5 && b != 8) {
      check(same_matrix(clean.q, b, poisoned.q, b) && same_matrix(clean.r, b, poisoned.r, b), name, "neighbour");
      continue;
    }
    check(status == (b == 8 ? KR_STATUS_OVERFLOW : KR_STATUS_NON_FINITE_INPUT), name, "status", status);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t k = 0; k < poisoned.q.cols(); ++k) check(poisoned.q(b, i, k) == kUntouched<T>, name, "wrote Q");
    }
    for (int64_t k = 0; k < poisoned.r.rows(); ++k) {
      for (int64_t j = 0; j < n; ++j) check(poisoned.r(b, k, j) == kUntouched<T>, name, "wrote R");
    }
  }
  Batch<T> part = part_of(a, 2, 3);
  QrAnswer<T> of_part = cuda_qr(part);
  for (int64_t b = 0; b < 3; ++b) {
    check(same_matrix(of_part.q, b, clean.q, b + 2) && same_matrix(of_part.r, b, clean.r, b + 2), name, "part");
    check(std::memcmp(&of_part.reports[static_cast<size_t>(b)], &clean.reports[static_cast<size_t>(b + 2)],
                      sizeof(kr_report)) == 0,
          name, "report of a part");
  }
}

TEST("qr: failures leave outputs and neighbours alone, and parts of a batch have the bits of the whole") {
  for (const Shape shape : {Shape{6, 5}, {12, 14}, {29, 20}, {50, 12}, {258, 4}}) {
    check_independence<float>(shape.m, shape.n);
    check_independence<double>(shape.m, shape.n);
  }
}

TEST("qr: Q or R alone have the bits of both, reduced and complete, and say what was measured") {
  for (const Shape shape : {Shape{12, 5}, {5, 12}, {60, 9}, {270, 4}}) {
    for (const bool complete : {false, true}) {
      Batch<float> a = batch_of<float>(rectangles<float>(shape.m, shape.n, 9));
      QrAnswer<float> both = cuda_qr(a, complete), q = cuda_qr(a, complete, true, false),
                      r = cuda_qr(a, complete, false, true);
      for (size_t m = 0; m < both.reports.size(); ++m) {
        const auto b = static_cast<int64_t>(m);
        EXPECT(same_matrix(q.q, b, both.q, b) && same_matrix(r.r, b, both.r, b));
        EXPECT(q.reports[m].residual <= both.reports[m].residual && std::isnan(r.reports[m].residual));
        EXPECT(q.r(b, 0, 0) == kUntouched<float> && r.q(b, 0, 0) == kUntouched<float>);
      }
    }
  }
}

TEST("qr: one matrix for the whole batch, and no reports") {
  Batch<double> a(1, 9, 4), q(3, 9, 4), r(3, 4, 4);
  Uniform random(3);
  random.fill(a);
  QrAnswer<double> alone = cuda_qr(a);
  const DeviceBatch input(a.descriptor()), to_q(q.descriptor()), to_r(r.descriptor());
  kr_batch repeated = *&input;
  repeated.batch = 3;
  repeated.batch_stride = 0;
  CudaCall call;
  EXPECT(cuda().qr(call.get(), nullptr, &repeated, &to_q, &to_r, nullptr) == KR_OK);
  to_q.read();
  to_r.read();
  for (int64_t b = 0; b < 3; ++b) EXPECT(same_matrix(q, b, alone.q, 0) && same_matrix(r, b, alone.r, 0));
}

template <typename T>
void answers_empty_matrices() {
  Batch<T> tall(2, 3, 0), wide(2, 0, 3), none(0, 4, 4);
  QrAnswer<T> identity = cuda_qr(tall, true), nothing = cuda_qr(wide), no_batch = cuda_qr(none);
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < 3; ++j) EXPECT(identity.q(1, i, j) == (i == j ? 1 : 0));
  }
  EXPECT(identity.reports[1].status == KR_STATUS_OK);
  EXPECT(nothing.reports[0].status == KR_STATUS_OK && nothing.reports[0].method == KR_METHOD_DIRECT);
}

TEST("qr: empty matrices") {
  answers_empty_matrices<float>();
  answers_empty_matrices<double>();
}

}  // namespace
}  // namespace kronroot::test
