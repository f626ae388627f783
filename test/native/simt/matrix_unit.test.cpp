// mma.sync and ldmatrix against the fragment tables of the PTX ISA (section "Matrix fragments for mma.m16n8k16" and its
// neighbours), written here by element, not by lane.
#include <array>

#include "test/native/simt/kernel.hpp"

namespace kronroot::test {
namespace {

using namespace cuda;

// Small integers: products and sums are exact, so the order of the sums does not matter.
float element(int i, int j, int salt) { return static_cast<float>((i * 7 + j * 13 + salt) % 17 - 8); }

template <typename H>
H narrow(float value) {
  if constexpr (std::is_same_v<H, Half>) {
    return to_half(value);
  } else {
    return to_bfloat16(value);
  }
}

// groupID and threadID_in_group of the tables.
int group() { return lane_index() >> 2; }
int in_group() { return lane_index() % 4; }

template <typename H>
void product_of_16_bit_operands() {
  std::array<std::array<float, 8>, 16> result{};
  run_block(32, 0, [&] {
    uint32_t a[4], b[2];
    float d[4];
    // a_i: row = groupID for (0 <= i < 2 || 4 <= i < 6), groupID + 8 otherwise;
    //      col = threadID_in_group * 2 + (i & 1) for i < 4, + 8 for i >= 4.
    for (int i = 0; i < 8; i += 2) {
      const int row = (i < 2 || (i >= 4 && i < 6)) ? group() : group() + 8;
      const int col = in_group() * 2 + (i >= 4 ? 8 : 0);
      a[i / 2] = pack(narrow<H>(element(row, col, 1)), narrow<H>(element(row, col + 1, 1)));
    }
    // b_i: row = threadID_in_group * 2 + (i & 1) for i < 2, + 8 for i >= 2; col = groupID.
    for (int i = 0; i < 4; i += 2) {
      const int row = in_group() * 2 + (i >= 2 ? 8 : 0);
      b[i / 2] = pack(narrow<H>(element(row, group(), 5)), narrow<H>(element(row + 1, group(), 5)));
    }
    // c_i: row = groupID for i < 2, groupID + 8 for i >= 2; col = threadID_in_group * 2 + (i & 1).
    for (int i = 0; i < 4; ++i) d[i] = element(group() + (i < 2 ? 0 : 8), in_group() * 2 + i % 2, 9);
    mma_m16n8k16<H>(d, a, b);
    for (int i = 0; i < 4; ++i) {
      const auto row = static_cast<std::size_t>(group() + (i < 2 ? 0 : 8));
      result[row][static_cast<std::size_t>(in_group() * 2 + i % 2)] = d[i];
    }
  });
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 8; ++j) {
      float sum = element(i, j, 9);
      for (int k = 0; k < 16; ++k) sum += element(i, k, 1) * element(k, j, 5);
      EXPECT(result[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] == sum);
    }
  }
}

TEST("simt: mma.m16n8k16 of f16 and of bf16") {
  product_of_16_bit_operands<Half>();
  product_of_16_bit_operands<Bfloat16>();
}

TEST("simt: mma.m16n8k16 takes denormal, infinite and NaN operands, and rounds once") {
  std::array<float, 4> first{};
  run_block(32, 0, [&] {
    const Half tiny{0x0001}, one = to_half(1), infinite{0x7c00};
    const bool is_first = lane_index() == 0;
    uint32_t a[4] = {pack(is_first ? tiny : to_half(0), to_half(0)), 0, 0, 0};
    if (lane_index() == 4) a[0] = pack(infinite, to_half(0));
    const uint32_t b[2] = {in_group() == 0 ? pack(one, one) : 0, 0};
    float d[4] = {0, 0, 0, 0};
    mma_m16n8k16<Half>(d, a, b);
    if (is_first) first[0] = d[0];
    if (lane_index() == 4) first[1] = d[0];
    // 1 + 2^-24 * 1 + 2^-24 * 1: together they count.
    uint32_t small[4] = {pack(Half{0x0001}, Half{0x0001}), 0, 0, 0};
    float sum[4] = {1, 1, 1, 1};
    mma_m16n8k16<Half>(sum, small, b);
    if (is_first) first[2] = sum[0];
  });
  EXPECT(first[0] == std::ldexp(1.0f, -24));
  EXPECT(first[1] == INFINITY);
  EXPECT(first[2] == 1 + std::ldexp(1.0f, -23));
}

TEST("simt: mma.m16n8k8 of tf32 does not read the low 13 bits") {
  std::array<std::array<float, 8>, 16> result{};
  const auto bits = [](float value) { return std::bit_cast<uint32_t>(value) | 0x1abc; };
  run_block(32, 0, [&] {
    // a0 (groupID, t), a1 (groupID + 8, t), a2 (groupID, t + 4), a3 (groupID + 8, t + 4); b0 (t, groupID), b1 (t + 4,
    // groupID).
    uint32_t a[4], b[2];
    for (int i = 0; i < 4; ++i) a[i] = bits(element(group() + i % 2 * 8, in_group() + i / 2 * 4, 2));
    for (int i = 0; i < 2; ++i) b[i] = bits(element(in_group() + 4 * i, group(), 3));
    float d[4];
    for (int i = 0; i < 4; ++i) d[i] = element(group() + i / 2 * 8, in_group() * 2 + i % 2, 4);
    mma_m16n8k8_tf32(d, a, b);
    for (int i = 0; i < 4; ++i) {
      result[static_cast<std::size_t>(group() + i / 2 * 8)][static_cast<std::size_t>(in_group() * 2 + i % 2)] = d[i];
    }
  });
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 8; ++j) {
      float sum = element(i, j, 4);
      for (int k = 0; k < 8; ++k) sum += element(i, k, 2) * element(k, j, 3);
      EXPECT(result[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] == sum);
    }
  }
}

TEST("simt: mma.m8n8k4 of f64, four fused steps in the order of k") {
  std::array<std::array<double, 8>, 8> result{};
  const auto value = [](int i, int j, int salt) { return 1.0 / (3 + i * 5 + j * 3 + salt); };
  run_block(32, 0, [&] {
    double d[2] = {value(group(), 2 * in_group(), 7), value(group(), 2 * in_group() + 1, 7)};
    mma_m8n8k4_f64(d, value(group(), in_group(), 1), value(in_group(), group(), 2));
    for (int i = 0; i < 2; ++i)
      result[static_cast<std::size_t>(group())][static_cast<std::size_t>(2 * in_group() + i)] = d[i];
  });
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < 8; ++j) {
      double sum = value(i, j, 7);
      for (int k = 0; k < 4; ++k) sum = std::fma(value(i, k, 1), value(k, j, 2), sum);
      EXPECT(result[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] == sum);
    }
  }
}

// Matrix m holds 100 m + 10 row + column; its rows lie `stride` elements apart, matrices in the order 0 to N - 1.
template <int N, bool is_transposed>
void matrices_from_shared_memory() {
  constexpr int stride = 24;
  run_block(32, N * 8 * stride * 2, [] {
    SharedArena arena;
    const auto cells = arena.take<Half>(N * 8 * stride);
    for (int e = thread_index(); e < N * 64; e += 32) {
      cells[e / 8 * stride + e % 8] = Half{static_cast<uint16_t>(e / 64 * 100 + e / 8 % 8 * 10 + e % 8)};
    }
    sync_warp();
    uint32_t registers[N];
    // Lanes 8 N and up pass addresses that are not read.
    load_matrices<N, is_transposed>(registers, cells, lane_index() < 8 * N ? lane_index() * stride : 12345);
    for (int m = 0; m < N; ++m) {
      for (int i = 0; i < 2; ++i) {
        const int row = lane_index() / 4, col = 2 * (lane_index() % 4) + i;
        EXPECT(unpack<Half>(registers[m], i).bits == 100 * m + (is_transposed ? 10 * col + row : 10 * row + col));
      }
    }
  });
}

TEST("simt: ldmatrix of 1, 2 and 4 matrices, straight and transposed") {
  matrices_from_shared_memory<1, false>();
  matrices_from_shared_memory<2, false>();
  matrices_from_shared_memory<4, false>();
  matrices_from_shared_memory<1, true>();
  matrices_from_shared_memory<2, true>();
  matrices_from_shared_memory<4, true>();
}

TEST("simt: rows of ldmatrix are aligned to 16 bytes") {
  EXPECT_CONTAINS(report_of(32, 1024,
                            [] {
                              SharedArena arena;
                              const auto cells = arena.take<Half>(512);
                              for (int e = thread_index(); e < 512; e += 32) cells[e] = Half{0};
                              sync_warp();
                              uint32_t registers[1];
                              load_matrices<1>(registers, cells, lane_index() * 12);
                            }),
                  "misaligned");
}

}  // namespace
}  // namespace kronroot::test
