// The kernels below the ops: they keep to their workspace, and the vector operations of every length.
#include <cmath>
#include <vector>

#include "devices.hpp"
#include "native/core/matrix.hpp"

namespace {

using namespace kronroot::test;
using kronroot::ulp_of;
using kronroot::cpu::Kernels;
using kronroot::cpu::Product;
using kronroot::cpu::Triangle;

template <typename T>
std::vector<T> numbers(int64_t count, Uniform& random) {
  std::vector<T> x(static_cast<size_t>(count));
  for (T& each : x) each = static_cast<T>(random.next());
  return x;
}

template <typename T>
void check_workspace(const Kernels<T>& kernels, const std::string& name, Product<T> product, Uniform& random) {
  constexpr int64_t kGuard = 1024;
  constexpr T kCanary = 12345;
  const std::vector<T> a = numbers<T>(700 * 700, random);
  std::vector<T> c(700 * 700);
  product.a = product.b = a.data();
  product.c = c.data();
  product.a_stride = product.b_stride = product.c_stride = 700;
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      product.transpose_a = transpose_a;
      product.transpose_b = transpose_b;
      const int64_t count = kernels.gemm_workspace(product);
      std::vector<T> memory(static_cast<size_t>(count + kGuard), kCanary);
      // Aligned to 64 bytes, as gemm is promised.
      T* workspace = memory.data();
      while (reinterpret_cast<uintptr_t>(workspace) % 64 != 0) ++workspace;
      kernels.gemm(product, workspace);
      bool kept = true;
      for (const T* each = workspace + count; each < memory.data() + memory.size(); ++each) {
        kept = kept && *each == kCanary;
      }
      check(kept, name, "gemm wrote behind its workspace");
    }
  }
}

template <typename T>
void check_workspaces(const Kernels<T>& kernels, const std::string& name) {
  Uniform random(1);
  for (const int64_t n : {1, 5, 17, 33, 70, 150}) {
    for (const int64_t k : {1, 3, 15, 31, 257, 521}) {
      Product<T> product;
      product.m = product.n = n;
      product.k = k;
      check_workspace(kernels, name, product, random);
      product.triangle = Triangle::mirrored;
      check_workspace(kernels, name, product, random);
    }
  }
  Product<T> wide;
  wide.m = 20;
  wide.n = 600;
  wide.k = 37;
  check_workspace(kernels, name, wide, random);
}

TEST("gemm: keeps to the workspace it asked for") {
  for (const auto* set : kernel_sets()) {
    check_workspaces<float>(set->f32, std::string(set->name) + " f32");
    check_workspaces<double>(set->f64, std::string(set->name) + " f64");
  }
}

// C = alpha A op(B) + beta D + gamma I by the kernel, within (k + 2) ulp (|alpha| |A| |B| + |beta D| + |gamma| I).
template <typename T>
void check_epilogue(const Kernels<T>& kernels, const std::string& where, int64_t m, int64_t n, int64_t k, bool mirrored,
                    bool separate, T beta, Uniform& random) {
  const std::string name = where + " " + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) +
                           (mirrored ? " mirrored" : "") + (separate ? " D" : "");
  constexpr T kAlpha = T{-0.75}, kGamma = T{1.25}, kCanary = T{99};
  const int64_t a_stride = k + 2, b_stride = (mirrored ? k : n) + 1, c_stride = n + 3, d_stride = n + 5;
  const std::vector<T> a = numbers<T>(m * a_stride, random);
  const std::vector<T> b = mirrored ? a : numbers<T>(k * b_stride, random);
  std::vector<T> d = numbers<T>(m * d_stride, random), c(static_cast<size_t>(m * c_stride), kCanary);
  const auto at = [](const std::vector<T>& x, int64_t i, int64_t j, int64_t stride) {
    return x[static_cast<size_t>(i * stride + j)];
  };
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      T& of_d = d[static_cast<size_t>(i * d_stride + j)];
      if (beta == 0 || (mirrored && j > i)) of_d = nan_of<T>;  // is not read
      c[static_cast<size_t>(i * c_stride + j)] = separate ? nan_of<T> : of_d;
    }
  }
  Product<T> product{.m = m, .n = n, .k = k, .alpha = kAlpha, .a = a.data(), .a_stride = a_stride};
  product.b = b.data();
  product.b_stride = mirrored ? a_stride : b_stride;
  product.transpose_b = mirrored;
  product.beta = beta;
  product.d = separate ? d.data() : nullptr;
  product.d_stride = d_stride;
  product.gamma = kGamma;
  product.c = c.data();
  product.c_stride = c_stride;
  product.triangle = mirrored ? Triangle::mirrored : Triangle::full;
  std::vector<T> memory(static_cast<size_t>(kernels.gemm_workspace(product) + 64));
  T* workspace = memory.data();
  while (reinterpret_cast<uintptr_t>(workspace) % 64 != 0) ++workspace;
  kernels.gemm(product, workspace);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const int64_t row = mirrored && j > i ? j : i, column = mirrored && j > i ? i : j;
      long double sum = row == column ? kGamma : 0, size = sum;
      if (beta != 0) {
        sum += static_cast<long double>(beta) * at(d, row, column, d_stride);
        size += std::abs(static_cast<long double>(beta) * at(d, row, column, d_stride));
      }
      for (int64_t l = 0; l < k; ++l) {
        const T right = mirrored ? at(a, column, l, a_stride) : at(b, l, column, b_stride);
        const long double term = static_cast<long double>(kAlpha) * at(a, row, l, a_stride) * right;
        sum += term;
        size += std::abs(term);
      }
      const double bound = static_cast<double>(k + 2) * ulp_of<T>;
      check(std::abs(at(c, i, j, c_stride) - sum) <= bound * size, name, "bound");
    }
    for (int64_t j = n; j < c_stride; ++j) check(at(c, i, j, c_stride) == kCanary, name, "the padding was written");
  }
}

template <typename T>
void check_epilogues(const Kernels<T>& kernels, const std::string& name) {
  Uniform random(4);
  for (const bool separate : {false, true}) {
    for (const T beta : {T{0}, T{1.5}}) {
      for (const int64_t n : {1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 48, 65, 97, 130}) {
        for (const int64_t k : {int64_t{0}, int64_t{1}, n}) {
          check_epilogue(kernels, name, n, n, k, false, separate, beta, random);
          check_epilogue(kernels, name, n, n, k, true, separate, beta, random);
        }
        check_epilogue(kernels, name, n, n / 2, 5, false, separate, beta, random);
        check_epilogue(kernels, name, n, n + 9, 5, false, separate, beta, random);
      }
      // Several blocks of rows, of columns and of the depth.
      check_epilogue(kernels, name, 45, 45, 600, true, separate, beta, random);
      check_epilogue(kernels, name, 45, 45, 600, false, separate, beta, random);
      check_epilogue(kernels, name, 535, 535, 3, true, separate, beta, random);
      check_epilogue(kernels, name, 150, 535, 3, false, separate, beta, random);
    }
  }
}

TEST("gemm: alpha A B + beta D + gamma I within its bound, full and mirrored, with and without D") {
  for (const auto* set : kernel_sets()) {
    check_epilogues<float>(set->f32, std::string(set->name) + " f32");
    check_epilogues<double>(set->f64, std::string(set->name) + " f64");
  }
}

template <typename T>
void check_vectors(const Kernels<T>& kernels, const std::string& where) {
  Uniform random(2);
  for (int64_t n = 0; n <= 70; ++n) {
    const std::string name = where + " n=" + std::to_string(n);
    const std::vector<T> x = numbers<T>(n, random), y = numbers<T>(n, random);
    const std::vector<double> wide = numbers<double>(n, random);
    long double sum = 0, sum_wide = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      sum += static_cast<long double>(x[i]) * y[i];
      sum_wide += static_cast<long double>(x[i]) * wide[i];
    }
    const double bound = static_cast<double>(n + 1) * ulp_of<double> * static_cast<double>(n);
    check(std::abs(kernels.dot(n, x.data(), y.data()) - sum) <= bound, name, "dot");
    check(std::abs(kernels.dot_wide(n, x.data(), wide.data()) - sum_wide) <= bound, name, "dot_wide");

    std::vector<T> z = y;
    z.push_back(99);
    kernels.axpy(n, T{0.375}, x.data(), z.data());
    std::vector<double> z_wide = wide;
    z_wide.push_back(99);
    kernels.axpy_wide(n, 0.375, x.data(), z_wide.data());
    for (size_t i = 0; i < x.size(); ++i) {
      check(std::abs(z[i] - (static_cast<long double>(y[i]) + 0.375L * x[i])) <= 2 * ulp_of<T>, name, "axpy");
      check(std::abs(z_wide[i] - (wide[i] + 0.375L * x[i])) <= 2 * ulp_of<double>, name, "axpy_wide");
    }
    check(z.back() == 99 && z_wide.back() == 99, name, "wrote behind the end");
  }
}

template <typename T>
void check_rows(const Kernels<T>& kernels, const std::string& where) {
  Uniform random(12);
  for (int64_t rows : {0, 1, 2, 3, 4, 7, 8, 9, 20}) {
    for (int64_t n : {0, 1, 3, 7, 8, 16, 21, 70}) {
      const std::string name = where + " " + std::to_string(rows) + " x " + std::to_string(n);
      const int64_t stride = n + 2;
      const std::vector<T> x = numbers<T>(rows * stride, random);
      const std::vector<double> y = numbers<double>(n, random);
      std::vector<double> out(static_cast<size_t>(rows + 1), 99), single(1);
      kernels.dot_rows_wide(rows, n, x.data(), stride, y.data(), out.data());
      for (int64_t i = 0; i < rows; ++i) {
        const T* row = x.data() + i * stride;
        long double sum = 0;
        for (int64_t j = 0; j < n; ++j) sum += static_cast<long double>(row[j]) * y[static_cast<size_t>(j)];
        const double found = out[static_cast<size_t>(i)];
        check(std::abs(found - sum) <= static_cast<double>((n + 1) * n) * ulp_of<double>, name, "dot_rows_wide");
        kernels.dot_rows_wide(1, n, row, stride, y.data(), single.data());
        check(found == single[0], name, "a row alone");
      }
      check(out.back() == 99, name, "wrote behind the end");

      std::vector<double> together = numbers<double>(n + 1, random), one_by_one = together;
      kernels.axpy_rows_wide(rows, n, out.data(), x.data(), stride, together.data());
      for (int64_t i = 0; i < rows; ++i) {
        kernels.axpy_wide(n, out[static_cast<size_t>(i)], x.data() + i * stride, one_by_one.data());
      }
      check(same_bits(together, one_by_one), name, "axpy_rows_wide");
    }
  }
}

TEST("dot_rows_wide, axpy_rows_wide: f64 sums, the same for a row alone, nothing behind the end") {
  for (const auto* set : kernel_sets()) {
    check_rows<float>(set->f32, std::string(set->name) + " f32");
    check_rows<double>(set->f64, std::string(set->name) + " f64");
  }
}

TEST("dot, axpy and their wide forms: every length, f64 sums, nothing behind the end") {
  for (const auto* set : kernel_sets()) {
    check_vectors<float>(set->f32, std::string(set->name) + " f32");
    check_vectors<double>(set->f64, std::string(set->name) + " f64");
  }
}

template <typename T>
void check_transpose(const Kernels<T>& kernels, const std::string& name) {
  Uniform random(3);
  for (int64_t rows = 0; rows <= 36; ++rows) {
    for (int64_t cols = 0; cols <= 36; ++cols) {
      const int64_t stride = cols + 3, to_stride = rows + 2;
      const std::vector<T> from = numbers<T>(rows * stride, random);
      std::vector<T> to(static_cast<size_t>(cols * to_stride), T{99});
      kernels.transpose(rows, cols, from.data(), stride, to.data(), to_stride);
      bool right = true;
      for (int64_t j = 0; j < cols; ++j) {
        for (int64_t i = 0; i < to_stride; ++i) {
          const T expected = i < rows ? from[static_cast<size_t>(i * stride + j)] : T{99};
          right = right && to[static_cast<size_t>(j * to_stride + i)] == expected;
        }
      }
      check(right, name + " " + std::to_string(rows) + "x" + std::to_string(cols), "transpose");
    }
  }
}

TEST("transpose: every small shape, with padding untouched") {
  for (const auto* set : kernel_sets()) {
    check_transpose<float>(set->f32, std::string(set->name) + " f32");
    check_transpose<double>(set->f64, std::string(set->name) + " f64");
  }
}

TEST("find_kernels: the sets found are those named, the last is the best") {
  EXPECT(!kernel_sets().empty());
  EXPECT(kronroot::cpu::find_kernels("sse9") == nullptr);
  EXPECT(&kronroot::cpu::best_kernels() == kernel_sets().back());
  for (const auto* set : kernel_sets()) EXPECT_CONTAINS(kronroot::cpu::available_isas(), set->name);
}

}  // namespace
