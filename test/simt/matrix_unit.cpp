#include "matrix_unit.hpp"

#include <bit>
#include <cmath>

// Compiled for processors with AVX2 too. Products of 16-bit and tf32 operands are exact in double, so that all versions
// give the same bits.
#if defined(__x86_64__)
#define SIMT_FOR_EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define SIMT_FOR_EACH_PROCESSOR
#endif

namespace simt {
namespace {

using kronroot::cuda::Bfloat16;
using kronroot::cuda::Half;
using kronroot::cuda::to_float;

// A 16 x K by rows, B K x 8 by rows.
template <int K>
struct Operands {
  double a[16][K];
  double b[K][8];
};

template <int K>
[[gnu::always_inline]] inline void accumulate(Warp& warp, const Operands<K>& operands) {
  for (int row = 0; row < 16; ++row) {
    const uint32_t(&even)[warp_size] = warp.given[6 + row / 8 * 2];
    const uint32_t(&odd)[warp_size] = warp.given[7 + row / 8 * 2];
    const int lane = row % 8 * 4;
    double sums[8];
    for (int j = 0; j < 8; ++j) sums[j] = std::bit_cast<float>((j % 2 == 0 ? even : odd)[lane + j / 2]);
    for (int k = 0; k < K; ++k) {
      for (int j = 0; j < 8; ++j) sums[j] += operands.a[row][k] * operands.b[k][j];
    }
    for (int j = 0; j < 8; ++j) {
      warp.taken[row / 8 * 2 + j % 2][lane + j / 2] = std::bit_cast<uint32_t>(static_cast<float>(sums[j]));
    }
  }
}

// Lanes 4 g to 4 g + 3 hold the elements of one row of A, or column of B, side by side.
template <typename H>
[[gnu::always_inline]] inline void multiply_16_bits(Warp& warp) {
  Operands<16> operands;
  const auto element = [&](int word, int lane, int i) {
    return static_cast<double>(to_float(H{static_cast<uint16_t>(warp.given[word][lane + i / 2] >> (i % 2 * 16))}));
  };
  for (int row = 0; row < 16; ++row) {
    for (int k = 0; k < 16; ++k) operands.a[row][k] = element(row / 8 + k / 8 * 2, row % 8 * 4, k % 8);
  }
  for (int col = 0; col < 8; ++col) {
    for (int k = 0; k < 16; ++k) operands.b[k][col] = element(4 + k / 8, col * 4, k % 8);
  }
  accumulate(warp, operands);
}

}  // namespace

SIMT_FOR_EACH_PROCESSOR const char* multiply_f16(Warp& warp, uint32_t) {
  multiply_16_bits<Half>(warp);
  return nullptr;
}

SIMT_FOR_EACH_PROCESSOR const char* multiply_bf16(Warp& warp, uint32_t) {
  multiply_16_bits<Bfloat16>(warp);
  return nullptr;
}

SIMT_FOR_EACH_PROCESSOR const char* multiply_tf32(Warp& warp, uint32_t) {
  Operands<8> operands;
  const auto element = [&](int word, int lane) {
    return static_cast<double>(std::bit_cast<float>(warp.given[word][lane] & ~0x1fffu));
  };
  for (int row = 0; row < 16; ++row) {
    for (int k = 0; k < 8; ++k) operands.a[row][k] = element(row / 8 + k / 4 * 2, row % 8 * 4 + k % 4);
  }
  for (int col = 0; col < 8; ++col) {
    for (int k = 0; k < 8; ++k) operands.b[k][col] = element(4 + k / 4, col * 4 + k % 4);
  }
  accumulate(warp, operands);
  return nullptr;
}

SIMT_FOR_EACH_PROCESSOR const char* multiply_f64(Warp& warp, uint32_t) {
  const auto value = [&](int word, int lane) {
    return std::bit_cast<double>(static_cast<uint64_t>(warp.given[word][lane]) |
                                 static_cast<uint64_t>(warp.given[word + 1][lane]) << 32);
  };
  double b[4][8];
  for (int lane = 0; lane < warp_size; ++lane) b[lane % 4][lane / 4] = value(2, lane);
  for (int g = 0; g < 8; ++g) {
    double sums[8];
    for (int j = 0; j < 8; ++j) sums[j] = value(4 + j % 2 * 2, g * 4 + j / 2);
    for (int k = 0; k < 4; ++k) {
      const double a = value(0, g * 4 + k);
      for (int j = 0; j < 8; ++j) sums[j] = std::fma(a, b[k][j], sums[j]);
    }
    for (int j = 0; j < 8; ++j) {
      const auto bits = std::bit_cast<uint64_t>(sums[j]);
      warp.taken[j % 2 * 2][g * 4 + j / 2] = static_cast<uint32_t>(bits);
      warp.taken[j % 2 * 2 + 1][g * 4 + j / 2] = static_cast<uint32_t>(bits >> 32);
    }
  }
  return nullptr;
}

template <int N, bool is_transposed>
const char* distribute_matrices(Warp& warp, uint32_t) {
  for (int j = 0; j < N; ++j) {
    for (int lane = 0; lane < warp_size; ++lane) {
      const int g = lane / 4, t = lane % 4;
      if (is_transposed) {
        const auto element = [&](int row) { return warp.given[g / 2][8 * j + row] >> (g % 2 * 16) & 0xffff; };
        warp.taken[j][lane] = element(2 * t) | element(2 * t + 1) << 16;
      } else {
        warp.taken[j][lane] = warp.given[t][8 * j + g];
      }
    }
  }
  return nullptr;
}

template const char* distribute_matrices<1, false>(Warp&, uint32_t);
template const char* distribute_matrices<2, false>(Warp&, uint32_t);
template const char* distribute_matrices<4, false>(Warp&, uint32_t);
template const char* distribute_matrices<1, true>(Warp&, uint32_t);
template const char* distribute_matrices<2, true>(Warp&, uint32_t);
template const char* distribute_matrices<4, true>(Warp&, uint32_t);

}  // namespace simt
