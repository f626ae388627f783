// matmul, gram and kron_apply against plain loops, with the elementwise bounds of ops.h, on every instruction set.
#include <cmath>
#include <vector>

#include "devices.hpp"
#include "native/core/matrix.hpp"

namespace {

using namespace kronroot::test;
using kronroot::ulp_of;
using kronroot::cpu::KernelSet;

constexpr int64_t kPadding = 3;

struct Shape {
  int64_t m, n, k;
};

// Every small size, and sizes around the edges of tiles (8, 16, 32), of B that is read in place (40 KB), of the depth
// of a K block (256) and of the rows and columns of a cache block (128, 512, 1024).
std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (int64_t s = 0; s <= 20; ++s) all.insert(all.end(), {{s, s, s}, {3, s, 7}, {s, 5, 2}});
  for (int64_t s : {31, 32, 33, 63, 64, 65}) all.insert(all.end(), {{s, s, s}, {s, 7, 20}, {9, s, 31}, {17, 33, s}});
  for (int64_t s : {127, 128, 129}) all.insert(all.end(), {{s, 40, 33}, {21, s, 35}, {20, 21, s}, {s, s, s}});
  for (int64_t s : {255, 256, 257, 513}) all.insert(all.end(), {{s, 24, 19}, {18, s, 17}, {19, 35, s}, {257, s, 5}});
  for (int64_t s : {69, 70, 71, 98, 99, 100}) all.insert(all.end(), {{s, s, s}, {40, s, 33}});
  for (int64_t s : {1023, 1024, 1025}) all.insert(all.end(), {{17, s, 3}});
  // Products of one panel, around the limits of its depth.
  for (int64_t s : {32, 33, 256, 257}) all.insert(all.end(), {{32, 32, s}, {33, 32, s}, {12, 16, s}});
  // Rows of A that lie so far apart that it is copied: in place, and transposed.
  all.insert(all.end(), {{40, 70, 600}, {600, 70, 40}, {150, 90, 530}});
  return all;
}

// op(A)_ij
template <typename T>
double element(Batch<T>& a, int64_t b, bool transposed, int64_t i, int64_t j) {
  return transposed ? a(b, j, i) : a(b, i, j);
}

// Is C = exact within (k + 2) ulp (|alpha| |A| |B| + |beta C|)? The sums are exact enough: products of T in long
// double.
template <typename T>
bool within_bound(Batch<T>& a, bool transpose_a, Batch<T>& b, bool transpose_b, double alpha, double beta,
                  Batch<T>& before, Batch<T>& c, int64_t depth, bool lower_of_before = false) {
  for (int64_t i = 0; i < c.rows(); ++i) {
    for (int64_t j = 0; j < c.cols(); ++j) {
      long double sum = 0, size = 0;
      for (int64_t k = 0; k < depth; ++k) {
        const long double term = static_cast<long double>(element(a, 0, transpose_a, i, k)) *
                                 static_cast<long double>(element(b, 0, transpose_b, k, j));
        sum += term;
        size += std::abs(term);
      }
      sum *= alpha;
      size *= std::abs(alpha);
      if (beta != 0) {
        const bool mirrored = lower_of_before && j > i;
        const long double old = beta * static_cast<long double>(mirrored ? before(j, i) : before(i, j));
        sum += old;
        size += std::abs(old);
      }
      const double bound = static_cast<double>(depth + 2) * ulp_of<T>;
      if (!(std::abs(static_cast<long double>(c(i, j)) - sum) <= bound * size)) return false;
    }
  }
  return true;
}

template <typename T>
bool padding_is(Batch<T>& batch, T filler) {
  const kr_batch& shape = batch.descriptor();
  for (int64_t i = 0; i < shape.rows; ++i) {
    for (int64_t j = shape.cols; j < shape.row_stride; ++j) {
      if (batch(i, j) != filler) return false;
    }
  }
  return true;
}

std::string name_of(const KernelSet& set, const char* type, const Shape& s, bool transpose_a, bool transpose_b) {
  return std::string(set.name) + " " + type + " " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" +
         std::to_string(s.k) + (transpose_a ? " t" : " n") + (transpose_b ? "t" : "n");
}

template <typename T>
void check_matmul(const KernelSet& set, const Shape& s, bool transpose_a, bool transpose_b, double alpha, double beta,
                  Uniform& random) {
  const std::string name = name_of(set, type_name<T>, s, transpose_a, transpose_b);
  // Padding of the inputs is poison: read it, and the result is NaN.
  Batch<T> a(1, transpose_a ? s.k : s.m, transpose_a ? s.m : s.k, nan_of<T>, kPadding);
  Batch<T> b(1, transpose_b ? s.n : s.k, transpose_b ? s.k : s.n, nan_of<T>, 2 * kPadding);
  Batch<T> c(1, s.m, s.n, T{-7}, kPadding);
  random.fill(a);
  random.fill(b);
  random.fill(c);
  if (beta == 0) {
    for (int64_t i = 0; i < s.m; ++i) {
      for (int64_t j = 0; j < s.n; ++j) c(i, j) = nan_of<T>;
    }
  }
  Batch<T> before = c;
  const DeviceCall call(set);
  const kr_matmul_options options{transpose_a, transpose_b, alpha, beta};
  check(kronroot::cpu::matmul(call.get(), &options, &a, &b, &c) == KR_OK, name, "code");
  check(within_bound(a, transpose_a, b, transpose_b, alpha == 0 ? 1 : alpha, beta, before, c, s.k), name, "bound");
  check(padding_is(c, T{-7}), name, "the padding was written");
}

template <typename T>
void check_matmul_shapes(const KernelSet& set) {
  Uniform random(1);
  int turn = 0;
  for (const Shape& s : shapes()) {
    for (const bool transpose_a : {false, true}) {
      for (const bool transpose_b : {false, true}) {
        const bool general = turn++ % 2 == 1;
        check_matmul<T>(set, s, transpose_a, transpose_b, general ? -0.75 : 0, general ? 1.5 : 0, random);
      }
    }
  }
}

TEST("matmul: (k + 2) ulp elementwise for every shape, transposition, alpha and beta") {
  for (const KernelSet* set : kernel_sets()) {
    check_matmul_shapes<float>(*set);
    check_matmul_shapes<double>(*set);
  }
}

template <typename T>
void check_gram(const KernelSet& set, int64_t m, int64_t n, kr_side side, double alpha, double beta, Uniform& random) {
  const bool left = side == KR_SIDE_LEFT;
  const std::string name = name_of(set, type_name<T>, {m, n, 0}, !left, left) + " gram";
  const int64_t order = left ? m : n;
  Batch<T> x(1, m, n, nan_of<T>, kPadding);
  Batch<T> c(1, order, order, T{-7}, kPadding);
  random.fill(x);
  random.fill(c);
  // Above the diagonal C is not read.
  for (int64_t i = 0; i < order; ++i) {
    for (int64_t j = i + 1; j < order; ++j) c(i, j) = nan_of<T>;
  }
  Batch<T> before = c;
  const DeviceCall call(set);
  const kr_gram_options options{side, 0, alpha, beta};
  check(kronroot::cpu::gram(call.get(), &options, &x, &c) == KR_OK, name, "code");
  check(within_bound(x, !left, x, left, alpha == 0 ? 1 : alpha, beta, before, c, left ? n : m, true), name, "bound");
  check(padding_is(c, T{-7}), name, "the padding was written");
  for (int64_t i = 0; i < order; ++i) {
    for (int64_t j = 0; j < i; ++j) check(c(i, j) == c(j, i), name, "not symmetric");
  }
}

template <typename T>
void check_gram_shapes(const KernelSet& set) {
  Uniform random(2);
  int turn = 0;
  for (const Shape& s : shapes()) {
    for (const kr_side side : {KR_SIDE_LEFT, KR_SIDE_RIGHT}) {
      const bool general = turn++ % 2 == 1;
      check_gram<T>(set, s.m, s.k, side, general ? 0.125 : 0, general ? 0.9 : 0, random);
    }
  }
}

TEST("gram: (k + 2) ulp elementwise and exactly symmetric, from the lower triangle of C") {
  for (const KernelSet* set : kernel_sets()) {
    check_gram_shapes<float>(*set);
    check_gram_shapes<double>(*set);
  }
}

template <typename T>
void check_kron_apply(const KernelSet& set, int64_t m, int64_t n, bool has_a, bool has_b, bool transpose_a,
                      bool transpose_b, Uniform& random) {
  const std::string name = name_of(set, type_name<T>, {m, n, 0}, transpose_a, transpose_b) + " kron_apply";
  Batch<T> a(1, m, m, nan_of<T>, kPadding), x(1, m, n, nan_of<T>, kPadding), b(1, n, n, nan_of<T>, kPadding);
  Batch<T> y(1, m, n, T{-7}, kPadding);
  random.fill(a);
  random.fill(x);
  random.fill(b);
  const DeviceCall call(set);
  const kr_kron_apply_options options{transpose_a, transpose_b};
  check(kronroot::cpu::kron_apply(call.get(), &options, has_a ? &a : nullptr, &x, has_b ? &b : nullptr, &y) == KR_OK,
        name, "code");
  check(padding_is(y, T{-7}), name, "the padding was written");
  // op(A) X and |op(A)| |X| first.
  std::vector<long double> left(static_cast<size_t>(m * n)), size(left.size());
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      long double sum = has_a ? 0 : x(i, j), sizes = std::abs(sum);
      for (int64_t k = 0; has_a && k < m; ++k) {
        const long double term = static_cast<long double>(element(a, 0, transpose_a, i, k)) * x(k, j);
        sum += term;
        sizes += std::abs(term);
      }
      left[static_cast<size_t>(i * n + j)] = sum;
      size[static_cast<size_t>(i * n + j)] = sizes;
    }
  }
  const double bound = static_cast<double>(m + n + 4) * ulp_of<T>;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      long double sum = 0, sizes = 0;
      for (int64_t k = 0; k < n; ++k) {
        const long double factor = has_b ? element(b, 0, transpose_b, k, j) : k == j;
        sum += left[static_cast<size_t>(i * n + k)] * factor;
        sizes += size[static_cast<size_t>(i * n + k)] * std::abs(factor);
      }
      check(std::abs(y(i, j) - sum) <= bound * sizes, name, "bound", y(i, j) - static_cast<double>(sum));
    }
  }
}

TEST("kron_apply: (m + n + 4) ulp elementwise, with the identity on either side") {
  Uniform random(3);
  for (const KernelSet* set : kernel_sets()) {
    for (const Shape& s : {Shape{0, 0, 0}, {0, 3, 0}, {1, 1, 0}, {5, 3, 0}, {16, 33, 0}, {65, 31, 0}, {70, 129, 0}}) {
      for (int mask = 0; mask < 16; ++mask) {
        const bool has_a = mask & 1, has_b = mask & 2, transpose_a = mask & 4, transpose_b = mask & 8;
        check_kron_apply<float>(*set, s.m, s.n, has_a, has_b, transpose_a, transpose_b, random);
        check_kron_apply<double>(*set, s.m, s.n, has_a, has_b, transpose_a, transpose_b, random);
      }
    }
  }
}

TEST("matmul: k = 0 leaves beta C, and empty batches need no data") {
  for (const KernelSet* set : kernel_sets()) {
    Batch<float> a(1, 2, 0), b(1, 0, 2), c{{1, 2}, {3, 4}};
    const DeviceCall call(*set, 2);
    kr_matmul_options options{0, 0, 0, 3};
    EXPECT(kronroot::cpu::matmul(call.get(), &options, &a, &b, &c) == KR_OK);
    EXPECT(c(0, 0) == 3 && c(0, 1) == 6 && c(1, 0) == 9 && c(1, 1) == 12);
    options.beta = 0;
    c(0, 0) = nan_of<float>;
    EXPECT(kronroot::cpu::matmul(call.get(), &options, &a, &b, &c) == KR_OK);
    EXPECT(c(0, 0) == 0 && c(1, 1) == 0);
    const kr_batch none{nullptr, KR_F32, 0, 0, 5, 5, 5, 25};
    EXPECT(kronroot::cpu::matmul(call.get(), nullptr, &none, &none, &none) == KR_OK);
  }
}

TEST("matmul: refuses shapes that do not fit, and says which") {
  Batch<float> a(1, 2, 3), b(1, 4, 2), c(1, 2, 2);
  const DeviceCall call(*kernel_sets().front());
  EXPECT(kronroot::cpu::matmul(call.get(), nullptr, &a, &b, &c) == KR_BAD_SHAPE);
  EXPECT_CONTAINS(call.message(), "b:");
}

TEST("products: a raised flag cancels") {
  const int32_t cancel = 1;
  Batch<float> a(1, 2, 2), c(1, 2, 2, 5.0f);
  const DeviceCall call(*kernel_sets().front(), 2, &cancel);
  EXPECT(kronroot::cpu::matmul(call.get(), nullptr, &a, &a, &c) == KR_CANCELLED);
  EXPECT(c(0, 0) == 5);
}

}  // namespace
