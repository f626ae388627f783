// qr against the bounds of ops.h: one matrix to a lane and alone, on every instruction set.
#include "test/native/qr_answer.hpp"

#include "rectangles.hpp"

namespace {

using namespace kronroot::test;
using kronroot::LaneOp;
using kronroot::cpu::KernelSet;

template <typename T>
using Answer = QrAnswer<T>;

template <typename T>
Answer<T> run_on(bool lanes, const KernelSet& set, Batch<T>& a, bool complete = false, int threads = 1) {
  const int64_t batch = a.descriptor().batch, m = a.rows(), n = a.cols(), l = complete ? m : std::min(m, n);
  Answer<T> answer(batch, m, n, l);
  LaneDevice device(LaneOp::qr, lanes, set, threads);
  const kr_qr_options options{complete, 0};
  const kr_code code = kronroot::cpu::qr(device.get(), &options, &a, &answer.q, &answer.r, answer.reports.data());
  check(code == KR_OK, device.message(), "code");
  return answer;
}

const std::vector<Shape>& small_shapes() {
  static const std::vector<Shape> shapes{{1, 1}, {2, 1}, {1, 2}, {2, 2},  {3, 5},   {5, 3},  {4, 4},   {6, 6},  {8, 8},
                                         {9, 7}, {7, 9}, {1, 9}, {13, 1}, {16, 16}, {17, 5}, {33, 20}, {20, 33}};
  return shapes;
}

template <typename T>
void check_shape(const KernelSet& set, bool lanes, Shape shape, bool complete) {
  const auto matrices = rectangles<T>(shape.m, shape.n, static_cast<uint64_t>(100 * shape.m + shape.n));
  Batch<T> a = batch_of<T>(matrices, kPadding);
  Answer<T> answer = run_on(lanes, set, a, complete);
  for (size_t b = 0; b < matrices.size(); ++b) {
    check_qr(name_of(set, type_name<T>, lanes, matrices[b]), a, answer, static_cast<int64_t>(b));
  }
  for (int64_t i = 0; i + 1 < a.rows(); ++i) {
    check((&answer.q(0, i, 0))[answer.q.cols()] == kUntouched<T>, set.name, "wrote between the rows of Q");
  }
}

TEST("qr: the bounds of ops.h for small shapes of every kind, in lanes and alone, reduced and complete") {
  for (const KernelSet* set : kernel_sets()) {
    for (const Shape shape : small_shapes()) {
      for (const bool lanes : {false, true}) {
        for (const bool complete : {false, true}) {
          check_shape<float>(*set, lanes, shape, complete);
          check_shape<double>(*set, lanes, shape, complete);
        }
      }
    }
  }
}

TEST("qr: the bounds of ops.h around blocks of reflectors") {
  for (const KernelSet* set : kernel_sets()) {
    for (const Shape shape : {Shape{31, 31}, {32, 32}, {33, 33}, {64, 64}, {65, 65}, {100, 40}, {40, 100}, {129, 65}}) {
      check_shape<float>(*set, false, shape, false);
      check_shape<double>(*set, false, shape, shape.m == 100);
    }
    check_shape<float>(*set, true, {64, 64}, false);
    check_shape<double>(*set, true, {70, 31}, true);
  }
}

// Q and R of a matrix do not depend on where in a group it stands nor on what stands beside it.
template <typename T>
void check_independence(const KernelSet& set) {
  const auto matrices = rectangles<T>(9, 7, 5);
  Batch<T> a = batch_of<T>(matrices);
  Answer<T> whole = run_on(true, set, a);
  for (int64_t first = 0; first < a.descriptor().batch; ++first) {
    Batch<T> part = part_of(a, first, std::min<int64_t>(2, a.descriptor().batch - first), 1);
    Answer<T> of_part = run_on(true, set, part);
    check(same_matrix(whole.q, first, of_part.q, 0), set.name, "Q depends on the group");
    check(same_matrix(whole.r, first, of_part.r, 0), set.name, "R depends on the group");
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
    Answer<T> clean = run_on(lanes, set, a), poisoned = run_on(lanes, set, bad, false, 2);
    for (int64_t b = 0; b < a.descriptor().batch; ++b) {
      const int32_t status = poisoned.reports[static_cast<size_t>(b)].status;
      if (b == 3 || b == 5 || b == 8) {
        check(status == (b == 8 ? KR_STATUS_OVERFLOW : KR_STATUS_NON_FINITE_INPUT), set.name, "status", status);
        check(poisoned.q(b, 0, 0) == kUntouched<T> && poisoned.r(b, 0, 0) == kUntouched<T>, set.name,
              "wrote a failure");
        continue;
      }
      check(same_matrix(clean.q, b, poisoned.q, b) && same_matrix(clean.r, b, poisoned.r, b), set.name,
            "a neighbour changed");
    }
  }
}

TEST("qr: independent of neighbours, failures and threads") {
  for (const KernelSet* set : kernel_sets()) {
    check_independence<float>(*set);
    check_independence<double>(*set);
  }
}

TEST("qr: Q or R alone have the bits of both") {
  for (const KernelSet* set : kernel_sets()) {
    for (const bool lanes : {false, true}) {
      Batch<float> a = batch_of<float>(rectangles<float>(12, 5, 9));
      const int64_t batch = a.descriptor().batch;
      Answer<float> both = run_on(lanes, *set, a);
      Batch<float> q(batch, 12, 5), r(batch, 5, 5);
      std::vector<kr_report> reports(static_cast<size_t>(batch));
      LaneDevice device(LaneOp::qr, lanes, *set);
      EXPECT(kronroot::cpu::qr(device.get(), nullptr, &a, &q, nullptr, reports.data()) == KR_OK);
      EXPECT(reports[0].residual < 1e-6);
      EXPECT(kronroot::cpu::qr(device.get(), nullptr, &a, nullptr, &r, reports.data()) == KR_OK);
      EXPECT(std::isnan(reports[0].residual));
      for (int64_t b = 0; b < batch; ++b) EXPECT(same_matrix(q, b, both.q, b) && same_matrix(r, b, both.r, b));
    }
  }
}

TEST("qr: the complete R alone has the bits of R beside Q, zeros below its diagonal") {
  for (const KernelSet* set : kernel_sets()) {
    for (const bool lanes : {false, true}) {
      for (const Shape shape : {Shape{12, 5}, {5, 12}, {70, 33}}) {
        Batch<float> a = batch_of<float>(rectangles<float>(shape.m, shape.n, 19));
        const int64_t batch = a.descriptor().batch;
        Answer<float> both = run_on(lanes, *set, a, true);
        Batch<float> r(batch, shape.m, shape.n, kUntouched<float>);
        LaneDevice device(LaneOp::qr, lanes, *set);
        const kr_qr_options complete{1, 0};
        EXPECT(kronroot::cpu::qr(device.get(), &complete, &a, nullptr, &r, nullptr) == KR_OK);
        for (int64_t b = 0; b < batch; ++b) EXPECT(same_matrix(r, b, both.r, b));
      }
    }
  }
}

TEST("qr: empty matrices") {
  const KernelSet& set = *kernel_sets().back();
  Batch<double> tall(2, 3, 0), wide(2, 0, 3), q(2, 3, 3, 9), r(2, 3, 0);
  LaneDevice device(LaneOp::qr, true, set);
  kr_report reports[2];
  const kr_qr_options complete{1, 0};
  EXPECT(kronroot::cpu::qr(device.get(), &complete, &tall, &q, &r, reports) == KR_OK);
  EXPECT(reports[1].status == KR_STATUS_OK);
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < 3; ++j) EXPECT(q(1, i, j) == (i == j));
  }
  Batch<double> none(2, 0, 0), rows(2, 0, 3);
  EXPECT(kronroot::cpu::qr(device.get(), nullptr, &wide, &none, &rows, reports) == KR_OK);
  EXPECT(reports[0].status == KR_STATUS_OK && reports[0].method == KR_METHOD_DIRECT);
}

}  // namespace
