// matmul and gram with one matrix to a lane, and matrix after matrix in runs: the bits of one matrix alone, whose bound
// products.test.cpp holds. What must not be read holds NaN.
#include "native/cpu/scratch.hpp"
#include "rectangles.hpp"

namespace {

using namespace kronroot::test;
using kronroot::LaneOp;
using kronroot::cpu::KernelSet;

struct Scale {
  double alpha, beta;
};

constexpr Scale kScales[] = {{0, 0}, {0.05, 0.95}, {-2, 1}};

// Rows lie `padding` elements apart, and NaN is between them.
template <typename T>
Batch<T> random_batch(int64_t batch, int64_t rows, int64_t cols, int64_t padding, uint64_t seed) {
  Batch<T> x(batch, rows, cols, nan_of<T>, padding);
  Uniform(seed).fill(x);
  return x;
}

// C as it is before: nothing to be read of it where beta = 0, and above the diagonal nothing of gram's.
template <typename T>
Batch<T> before(int64_t batch, int64_t rows, int64_t cols, int64_t padding, const Scale& scale, bool lower_only) {
  Batch<T> c(batch, rows, cols, kUntouched<T>, padding);
  Uniform random(3);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) {
        const double value = random.next();
        c(b, i, j) = scale.beta == 0 || (lower_only && j > i) ? nan_of<T> : static_cast<T>(value);
      }
    }
  }
  return c;
}

struct Gram {
  int64_t m, n, batch, padding;
  kr_side side;
  Scale scale;
};

template <typename T>
Batch<T> gram_of(const kr_call* call, const Gram& each, const Batch<T>& x) {
  const int64_t order = each.side == KR_SIDE_LEFT ? each.m : each.n;
  Batch<T> c = before<T>(each.batch, order, order, each.padding, each.scale, true);
  const kr_gram_options options{each.side, 0, each.scale.alpha, each.scale.beta};
  check(kronroot::cpu::gram(call, &options, &x, &c) == KR_OK, "gram", "code");
  return c;
}

// In lanes, in a run and one call for each matrix: the same bits, and nothing written between the rows.
template <typename T>
void check_gram(const KernelSet& set, const Gram& each) {
  const std::string name = std::string(set.name) + " " + type_name<T> + " gram " + std::to_string(each.m) + "x" +
                           std::to_string(each.n) + " side " + std::to_string(each.side) + " batch " +
                           std::to_string(each.batch) + " beta " + std::to_string(each.scale.beta);
  LaneDevice lanes(LaneOp::gram, true, set), runs(LaneOp::gram, false, set);
  Batch<T> x = random_batch<T>(each.batch, each.m, each.n, each.padding, 1);
  Batch<T> in_lanes = gram_of<T>(lanes.get(), each, x), in_runs = gram_of<T>(runs.get(), each, x);
  check(same_bits(in_lanes.data(), in_runs.data()), name, "lanes and runs differ");
  const Batch<T> old = before<T>(each.batch, in_runs.rows(), in_runs.cols(), each.padding, each.scale, true);
  for (int64_t b = 0; b < each.batch; ++b) {
    kr_batch one_x = *&x, alone = *&old;
    one_x.data = &x(b, 0, 0);
    alone.data = static_cast<T*>(alone.data) + b * alone.batch_stride;
    one_x.batch = alone.batch = 1;
    const kr_gram_options options{each.side, 0, each.scale.alpha, each.scale.beta};
    check(kronroot::cpu::gram(runs.get(), &options, &one_x, &alone) == KR_OK, name, "code");
  }
  check(same_bits(old.data(), in_runs.data()), name, "a matrix alone differs");
}

TEST("gram: lanes, runs and single matrices give the same bits at every order") {
  for (const KernelSet* set : kernel_sets()) {
    const int64_t lanes = set->f32.lanes;
    for (int64_t n = 1; n <= 20; ++n) {
      for (const kr_side side : {KR_SIDE_LEFT, KR_SIDE_RIGHT}) {
        for (const Scale& scale : kScales) {
          check_gram<float>(*set, {n, n, lanes + 3, 0, side, scale});
          check_gram<double>(*set, {n, n, lanes + 3, 0, side, scale});
        }
        check_gram<float>(*set, {n, 7, 3, 2, side, kScales[n % 3]});
        check_gram<double>(*set, {5, n, 3, 1, side, kScales[n % 3]});
        check_gram<float>(*set, {n, 40, 2, 0, side, kScales[n % 3]});
      }
    }
    for (const int64_t batch : {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33}) {
      check_gram<float>(*set, {6, 5, batch, 0, KR_SIDE_LEFT, kScales[1]});
      check_gram<double>(*set, {4, 6, batch, 3, KR_SIDE_RIGHT, kScales[0]});
    }
    for (const int64_t n : {31, 32, 33, 63, 64, 65}) {
      check_gram<float>(*set, {n, n, 3, 0, KR_SIDE_LEFT, kScales[1]});
      check_gram<double>(*set, {n, n, 3, 0, KR_SIDE_RIGHT, kScales[1]});
    }
  }
}

template <typename T>
void check_matmul(const KernelSet& set, int64_t m, int64_t n, int64_t k, int64_t batch, int64_t padding, int variant) {
  const std::string name = std::string(set.name) + " " + type_name<T> + " matmul " + std::to_string(m) + "x" +
                           std::to_string(n) + "x" + std::to_string(k) + " variant " + std::to_string(variant);
  const bool transpose_a = variant & 1, transpose_b = variant & 2;
  const Scale scale = kScales[variant % 3];
  const kr_matmul_options options{transpose_a, transpose_b, scale.alpha, scale.beta};
  Batch<T> a = random_batch<T>(batch, transpose_a ? k : m, transpose_a ? m : k, padding, 1);
  Batch<T> b = random_batch<T>(batch, transpose_b ? n : k, transpose_b ? k : n, padding, 2);
  const auto product = [&](bool in_lanes, int threads) {
    Batch<T> c = before<T>(batch, m, n, padding, scale, false);
    LaneDevice device(LaneOp::matmul, in_lanes, set, threads);
    check(kronroot::cpu::matmul(device.get(), &options, &a, &b, &c) == KR_OK, name, "code");
    return c;
  };
  const Batch<T> in_runs = product(false, 1);
  check(same_bits(product(true, 1).data(), in_runs.data()), name, "lanes and runs differ");
  check(same_bits(product(true, 3).data(), in_runs.data()), name, "lanes on three threads differ");
  check(same_bits(product(false, 3).data(), in_runs.data()), name, "runs on three threads differ");
}

TEST("matmul: lanes and runs give the same bits, on any number of threads") {
  for (const KernelSet* set : kernel_sets()) {
    for (int64_t n = 0; n <= 20; ++n) {
      for (int variant = 0; variant < 4; ++variant) {
        check_matmul<float>(*set, n, n, n, 19, 0, variant);
        check_matmul<double>(*set, n, n, n, 19, 0, variant);
        check_matmul<float>(*set, n, 3, 9, 5, 2, variant);
        check_matmul<double>(*set, 6, n, 5, 5, 1, variant);
        check_matmul<float>(*set, 4, 5, n, 5, 0, variant);
      }
    }
    check_matmul<float>(*set, 4, 4, 4, 20000, 0, 0);
    check_matmul<double>(*set, 33, 40, 64, 300, 0, 1);
  }
}

// One bad matrix, and one matrix for the whole batch.
template <typename T>
void check_isolation(const KernelSet& set, bool in_lanes, int64_t n) {
  const std::string name =
      std::string(set.name) + " " + type_name<T> + (in_lanes ? " lanes " : " runs ") + std::to_string(n);
  const Gram each{n, n, 37, 0, KR_SIDE_LEFT, kScales[0]};
  LaneDevice device(LaneOp::gram, in_lanes, set, 2);
  Batch<T> x = random_batch<T>(each.batch, n, n, 0, 4);
  Batch<T> clean = gram_of<T>(device.get(), each, x);
  x(5, n - 1, 0) = nan_of<T>;
  x(20, 0, n / 2) = infinity_of<T>;
  Batch<T> poisoned = gram_of<T>(device.get(), each, x);
  check(std::isnan(poisoned(5, n - 1, n - 1)) && poisoned(20, 0, 0) == infinity_of<T>, name, "not propagated");
  for (int64_t b = 0; b < each.batch; ++b) {
    if (b != 5 && b != 20) check(same_matrix(poisoned, b, clean, b), name, "a neighbour changed");
  }
  Batch<T> one = part_of(x, 1, 1);
  one.descriptor().batch = each.batch;
  one.descriptor().batch_stride = 0;
  Batch<T> repeated = gram_of<T>(device.get(), each, one);
  for (int64_t b = 0; b < each.batch; ++b) check(same_matrix(repeated, b, clean, 1), name, "batch_stride 0");
}

TEST("gram: NaN stays in its matrix, and batch_stride 0 reads one matrix for the whole batch") {
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t n : {2, 4, 7, 8, 16, 20, 32}) {
      for (const bool in_lanes : {false, true}) {
        check_isolation<float>(*set, in_lanes, n);
        check_isolation<double>(*set, in_lanes, n);
      }
    }
  }
}

// ops.h: m k + k n + m n elements a lane; at most 1.5 MiB otherwise.
TEST("matmul and gram: the workspace is what ops.h states") {
  using kronroot::cpu::Scratch;
  for (const KernelSet* set : kernel_sets()) {
    const Gram each{12, 10, 40, 0, KR_SIDE_LEFT, kScales[1]};
    LaneDevice lanes(LaneOp::gram, true, *set), alone(LaneOp::gram, false, *set);
    Scratch::forget_deepest();
    gram_of<float>(lanes.get(), each, random_batch<float>(each.batch, each.m, each.n, 0, 5));
    EXPECT(Scratch::deepest() <= sizeof(float) * (12 * 10 + 10 * 12 + 12 * 12) * static_cast<size_t>(set->f32.lanes));
    Scratch::forget_deepest();
    const Gram large{700, 1100, 1, 0, KR_SIDE_LEFT, kScales[0]};
    gram_of<double>(alone.get(), large, random_batch<double>(1, 700, 1100, 0, 6));
    EXPECT(Scratch::deepest() <= (3 << 19));
  }
}

}  // namespace
