// Products whose operands are rounded to bf16 (gemm/bf16.hpp), where this machine has the unit for them.
#include "native/cpu/gemm/bf16.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "devices.hpp"
#include "native/core/random.hpp"

namespace {

using namespace kronroot::test;
using kronroot::cpu::Product;
using kronroot::cpu::Triangle;

// To nearest, ties to even.
float rounded_to_bf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u);
}

struct Numbers {
  std::vector<float> values;
  int64_t stride;

  Numbers(int64_t rows, int64_t cols, uint64_t seed)
      : values(static_cast<size_t>(rows * (cols + 3))), stride(cols + 3) {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(static_cast<double>(kronroot::random_bits(seed, i) >> 11) * 0x1p-53 - 0.5);
    }
  }
  float at(int64_t i, int64_t j) const { return values[static_cast<size_t>(i * stride + j)]; }
};

void check_product(const kronroot::cpu::Kernels<float>& kernels, int64_t m, int64_t n, int64_t k, bool transpose_a,
                   bool transpose_b, bool is_mirrored) {
  const Numbers a(transpose_a ? k : m, transpose_a ? m : k, 1);
  // A symmetric product needs B = A^T.
  const Numbers b = is_mirrored ? a : Numbers(transpose_b ? n : k, transpose_b ? k : n, 2);
  const bool b_transposed = is_mirrored ? !transpose_a : transpose_b;
  const Numbers d(m, n, 3);
  std::vector<float> c(static_cast<size_t>(m * (n + 1)), -7.0f);
  Product<float> p;
  p.m = m;
  p.n = n;
  p.k = k;
  p.alpha = 0.75f;
  p.a = a.values.data();
  p.a_stride = a.stride;
  p.transpose_a = transpose_a;
  p.b = b.values.data();
  p.b_stride = b.stride;
  p.transpose_b = b_transposed;
  p.beta = -0.5f;
  p.d = d.values.data();
  p.d_stride = d.stride;
  p.gamma = 2;
  p.c = c.data();
  p.c_stride = n + 1;
  p.triangle = is_mirrored ? Triangle::mirrored : Triangle::full;
  std::vector<float> memory(static_cast<size_t>(kernels.gemm_workspace(p)) + 16);
  float* workspace = memory.data();
  while (reinterpret_cast<uintptr_t>(workspace) % 64 != 0) ++workspace;
  kernels.gemm(p, workspace);

  const std::string where = std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k) +
                            (transpose_a ? " A^T" : "") + (b_transposed ? " B^T" : "") +
                            (is_mirrored ? " mirrored" : "");
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const int64_t row = is_mirrored && j > i ? j : i, column = is_mirrored && j > i ? i : j;
      double sum = 0, size = 1;
      for (int64_t q = 0; q < k; ++q) {
        const float left = transpose_a ? a.at(q, row) : a.at(row, q);
        const float right = b_transposed ? b.at(column, q) : b.at(q, column);
        const double term = static_cast<double>(rounded_to_bf16(left)) * static_cast<double>(rounded_to_bf16(right));
        sum += term;
        size += std::abs(term);
      }
      const double exact = 0.75 * sum - 0.5 * static_cast<double>(d.at(row, column)) + (i == j ? 2 : 0);
      const double error = std::abs(static_cast<double>(c[static_cast<size_t>(i * (n + 1) + j)]) - exact);
      check(error <= static_cast<double>(k + 4) * 0x1p-23 * size, where, "error", error);
    }
    check(c[static_cast<size_t>(i * (n + 1) + n)] == -7.0f, where, "wrote between the rows of C");
  }
}

}  // namespace

TEST("bf16 products: sums in f32 of operands rounded to bf16, all epilogues, around the edges of tiles") {
  const kronroot::cpu::KernelSet* set = kronroot::cpu::bf16_kernels(kronroot::cpu::best_kernels());
  if (set == nullptr) return;  // no AMX here
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      for (const int64_t s : {1, 2, 15, 16, 17, 31, 32, 33, 64, 70}) {
        check_product(set->f32, s, 2 * s + 1, s + 5, transpose_a, transpose_b, false);
        check_product(set->f32, 40, s, 33, transpose_a, transpose_b, false);
      }
    }
    for (const int64_t s : {1, 7, 16, 31, 32, 33, 65, 100, 300})
      check_product(set->f32, s, s, 47, transpose_a, false, true);
  }
  check_product(set->f32, 530, 40, 300, false, false, false);
  check_product(set->f32, 33, 20, 0, false, false, false);  // beta D + gamma I
}

TEST("bf16 products: only beside the AVX-512 kernels") {
  for (const kronroot::cpu::KernelSet* set : kernel_sets()) {
    const kronroot::cpu::KernelSet* rounded = kronroot::cpu::bf16_kernels(*set);
    EXPECT(rounded == nullptr || set->isa == kronroot::cpu::Isa::avx512);
    EXPECT(rounded == nullptr || rounded->f64.gemm == set->f64.gemm);
  }
}
