// A matrix gives the same bits alone, in a batch, unaligned, beside NaN and for any number of threads.
#include <cmath>
#include <vector>

#include "devices.hpp"

namespace {

using namespace kronroot::test;
using kronroot::cpu::KernelSet;

// One product a matrix of the batch; c = op(a) b.
template <typename T>
Batch<T> product(const KernelSet& set, Batch<T>& a, Batch<T>& b, bool transpose_a, bool transpose_b, int threads) {
  Batch<T> c(a.descriptor().batch, transpose_a ? a.cols() : a.rows(), transpose_b ? b.rows() : b.cols());
  const DeviceCall call(set, threads);
  const kr_matmul_options options{transpose_a, transpose_b, 1.25, 0};
  check(kronroot::cpu::matmul(call.get(), &options, &a, &b, &c) == KR_OK, call.message(), "code");
  return c;
}

template <typename T>
Batch<T> gram_of(const KernelSet& set, Batch<T>& x, kr_side side, int threads) {
  const int64_t order = side == KR_SIDE_LEFT ? x.rows() : x.cols();
  Batch<T> c(x.descriptor().batch, order, order);
  const DeviceCall call(set, threads);
  const kr_gram_options options{side, 0, 0, 0};
  check(kronroot::cpu::gram(call.get(), &options, &x, &c) == KR_OK, call.message(), "code");
  return c;
}

template <typename T>
Batch<T> kron_of(const KernelSet& set, Batch<T>& a, Batch<T>& x, int threads) {
  Batch<T> y(x.descriptor().batch, x.rows(), x.cols());
  const DeviceCall call(set, threads);
  const kr_kron_apply_options options{true, false};
  check(kronroot::cpu::kron_apply(call.get(), &options, &a, &x, &a, &y) == KR_OK, call.message(), "code");
  return y;
}

template <typename T>
void check_threads(const KernelSet& set) {
  Uniform random(4);
  const std::string name = std::string(set.name) + " " + type_name<T>;
  // Large enough to be split inside one matrix; odd, so that the parts have ragged tiles.
  Batch<T> a(1, 331, 331), b(1, 331, 331);
  random.fill(a);
  random.fill(b);
  for (const int threads : {2, 3, 5}) {
    check(same_bits(product(set, a, b, true, false, 1).data(), product(set, a, b, true, false, threads).data()), name,
          "matmul by threads");
    check(same_bits(product(set, a, b, false, true, 1).data(), product(set, a, b, false, true, threads).data()), name,
          "matmul by threads");
    for (const kr_side side : {KR_SIDE_LEFT, KR_SIDE_RIGHT}) {
      check(same_bits(gram_of(set, a, side, 1).data(), gram_of(set, a, side, threads).data()), name, "gram by threads");
    }
    check(same_bits(kron_of(set, a, b, 1).data(), kron_of(set, a, b, threads).data()), name, "kron_apply by threads");
  }
  // Three products on two threads, or four: each of them is split.
  Batch<T> three(3, 257, 257);
  random.fill(three);
  for (const int threads : {2, 4}) {
    check(same_bits(product(set, three, three, false, false, 1).data(),
                    product(set, three, three, false, false, threads).data()),
          name, "matmul of few by threads");
    check(same_bits(gram_of(set, three, KR_SIDE_LEFT, 1).data(), gram_of(set, three, KR_SIDE_LEFT, threads).data()),
          name, "gram of few by threads");
  }
  // Small matrices are shared out over the batch.
  Batch<T> many(257, 23, 23);
  random.fill(many);
  check(same_bits(product(set, many, many, false, true, 1).data(), product(set, many, many, false, true, 4).data()),
        name, "batch by threads");
}

TEST("products: the same bits for any number of threads") {
  for (const KernelSet* set : kernel_sets()) {
    check_threads<float>(*set);
    check_threads<double>(*set);
  }
}

// Matrix `index` of a batch, alone, `offset` elements into memory of its own.
template <typename T>
struct Alone {
  Alone(Batch<T>& from, int64_t index, int64_t offset)
      : memory(static_cast<size_t>(from.rows() * from.cols() + offset)) {
    for (int64_t i = 0; i < from.rows(); ++i) {
      for (int64_t j = 0; j < from.cols(); ++j) {
        memory[static_cast<size_t>(offset + i * from.cols() + j)] = from(index, i, j);
      }
    }
    descriptor = {memory.data() + offset, dtype_of<T>, 0, 1, from.rows(), from.cols(), from.cols(), 0};
  }
  std::vector<T> memory;
  kr_batch descriptor;
};

template <typename T>
void check_isolation(const KernelSet& set, int64_t n) {
  Uniform random(5);
  const std::string name = std::string(set.name) + " " + type_name<T> + " n=" + std::to_string(n);
  Batch<T> a(3, n, n), b(3, n, n);
  random.fill(a);
  random.fill(b);
  Batch<T> c = product(set, a, b, false, false, 2);
  for (int64_t index = 0; index < 3; ++index) {
    for (int64_t offset = 0; offset < 3; ++offset) {
      const Alone<T> alone_a(a, index, offset), alone_b(b, index, 2 * offset);
      Batch<T> alone_c(1, n, n);
      const DeviceCall call(set);
      const kr_matmul_options options{0, 0, 1.25, 0};
      check(kronroot::cpu::matmul(call.get(), &options, &alone_a.descriptor, &alone_b.descriptor, &alone_c) == KR_OK,
            name, "code");
      bool same = true;
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) same = same && alone_c(i, j) == c(index, i, j);
      }
      check(same, name, "alone and in the batch differ");
    }
  }
  // One NaN in A reaches its row of C, and nothing else.
  a(1, n / 2, 0) = nan_of<T>;
  Batch<T> poisoned = product(set, a, b, false, false, 2);
  for (int64_t index = 0; index < 3; ++index) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const bool hit = index == 1 && i == n / 2;
        check(hit ? std::isnan(poisoned(index, i, j)) : poisoned(index, i, j) == c(index, i, j), name, "NaN isolation");
      }
    }
  }
}

TEST("products: a matrix alone, unaligned, in a batch and beside NaN gives the same bits") {
  for (const KernelSet* set : kernel_sets()) {
    for (const int64_t n : {1, 7, 16, 33, 70}) {
      check_isolation<float>(*set, n);
      check_isolation<double>(*set, n);
    }
  }
}

TEST("matmul: infinity propagates, and zero times infinity is NaN") {
  for (const KernelSet* set : kernel_sets()) {
    Batch<float> a{{infinity_of<float>, 1}, {0, 1}}, b{{1, 0}, {2, 3}};
    Batch<float> c = product(*set, a, b, false, false, 1);
    EXPECT(c(0, 0) == infinity_of<float>);
    EXPECT(std::isnan(c(0, 1)));
    EXPECT(c(1, 0) == 2.5f);
    EXPECT(c(1, 1) == 3.75f);
  }
}

TEST("matmul: batch_stride 0 reads one matrix for the whole batch") {
  Uniform random(6);
  for (const KernelSet* set : kernel_sets()) {
    Batch<double> a(1, 9, 20), b(4, 20, 11);
    random.fill(a);
    random.fill(b);
    Batch<double> repeated(4, 9, 20);
    for (int64_t index = 0; index < 4; ++index) {
      for (int64_t i = 0; i < 9; ++i) {
        for (int64_t j = 0; j < 20; ++j) repeated(index, i, j) = a(i, j);
      }
    }
    a.descriptor().batch = 4;
    a.descriptor().batch_stride = 0;
    EXPECT(same_bits(product(*set, a, b, false, false, 2).data(), product(*set, repeated, b, false, false, 2).data()));
  }
}

}  // namespace
