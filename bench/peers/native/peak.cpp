#include "peak.hpp"

#include <algorithm>
#include <chrono>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace kronroot::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int chains = 12;         // more than latency times issue width of every core so far
constexpr long rounds = 1L << 15;  // one measurement: about a tenth of a millisecond

// The best of many short runs: interruptions and clock changes only ever slow a run down.
template <typename Kernel>
double best_rate(double flop_per_run, double seconds, Kernel kernel) {
  double best = 0;
  const auto start = Clock::now();
  for (auto now = start; std::chrono::duration<double>(now - start).count() < seconds;) {
    const auto before = Clock::now();
    kernel();
    now = Clock::now();
    best = std::max(best, flop_per_run / std::chrono::duration<double>(now - before).count());
  }
  return best;
}

#if defined(__x86_64__)

// asm volatile hides the values from the optimiser; the constants 1 and 0 keep the sums finite.
#define KERNEL(NAME, TARGET, VECTOR, SET1, MULTIPLY_ADD)                                             \
  __attribute__((target(TARGET))) void NAME() {                                                      \
    VECTOR x = SET1(1), y = SET1(0), sum[chains];                                                    \
    for (int i = 0; i < chains; ++i) sum[i] = y;                                                     \
    asm volatile("" : "+x"(x), "+x"(y));                                                             \
    for (long round = 0; round < rounds; ++round) {                                                  \
      _Pragma("GCC unroll 16") for (int i = 0; i < chains; ++i) sum[i] = MULTIPLY_ADD(x, y, sum[i]); \
    }                                                                                                \
    _Pragma("GCC unroll 16") for (int i = 0; i < chains; ++i) asm volatile("" ::"x"(sum[i]));        \
  }

#define SSE_F32(x, y, sum) _mm_add_ps(_mm_mul_ps(x, sum), y)
#define SSE_F64(x, y, sum) _mm_add_pd(_mm_mul_pd(x, sum), y)
#define FMA(x, y, sum, op) op(x, sum, y)
#define AVX2_F32(x, y, sum) FMA(x, y, sum, _mm256_fmadd_ps)
#define AVX2_F64(x, y, sum) FMA(x, y, sum, _mm256_fmadd_pd)
#define AVX512_F32(x, y, sum) FMA(x, y, sum, _mm512_fmadd_ps)
#define AVX512_F64(x, y, sum) FMA(x, y, sum, _mm512_fmadd_pd)

KERNEL(sse_f32, "sse4.2", __m128, _mm_set1_ps, SSE_F32)
KERNEL(sse_f64, "sse4.2", __m128d, _mm_set1_pd, SSE_F64)
KERNEL(avx2_f32, "avx2,fma", __m256, _mm256_set1_ps, AVX2_F32)
KERNEL(avx2_f64, "avx2,fma", __m256d, _mm256_set1_pd, AVX2_F64)
KERNEL(avx512_f32, "avx512f", __m512, _mm512_set1_ps, AVX512_F32)
KERNEL(avx512_f64, "avx512f", __m512d, _mm512_set1_pd, AVX512_F64)

// Whether there are tiles for bf16 and Linux lets this process use them (Documentation/arch/x86/xstate.rst).
bool may_use_tiles() {
#if defined(__linux__)
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;  // leaf 7.0, edx
  constexpr long request_permission = 0x1023, tile_data = 18;   // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (edx & amx_bf16) == 0 || (edx & amx_tile) == 0)
    return false;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

constexpr int tile_chains = 4;  // tiles of sums; one instruction issues in 16 cycles and takes 52
constexpr double tile_flop = 2.0 * 16 * 16 * 32;
constexpr long tile_rounds = rounds / 16;

struct alignas(64) TileShapes {
  unsigned char palette = 1, start_row = 0, reserved[14] = {};
  unsigned short row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  unsigned char rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

struct alignas(64) Ones {
  unsigned short values[16 * 32];
  constexpr Ones() : values{} {
    for (unsigned short& each : values) each = 0x3f80;
  }
};

// Not local: g++ 12 does not know that the intrinsics read them.
constexpr TileShapes tile_shapes;
constexpr Ones ones;

// 4 tiles of sums and 2 of either operand, as in a product; sums of ones stay finite. Intel Architecture Instruction
// Set Extensions Programming Reference, chapter 3.
__attribute__((target("amx-tile,amx-bf16"))) void amx_bf16() {
  const unsigned short* const operand = ones.values;
  _tile_loadconfig(&tile_shapes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, operand, 64);
  _tile_loadd(5, operand, 64);
  _tile_loadd(6, operand, 64);
  _tile_loadd(7, operand, 64);
  for (long round = 0; round < tile_rounds; ++round) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

#endif

}  // namespace

double measured_peak(const std::string& isa, int bits, double seconds) {
#if defined(__x86_64__)
  if (bits == 16) {
    if (isa != "amx" || !may_use_tiles()) return 0;
    return best_rate(tile_chains * tile_rounds * tile_flop, seconds, amx_bf16);
  }
  const bool is_f64 = bits == 64;
  const auto rate = [&](int bytes, void (*kernel)()) {
    return best_rate(2.0 * chains * rounds * bytes / (is_f64 ? 8 : 4), seconds, kernel);
  };
  if (isa == "baseline") return rate(16, is_f64 ? sse_f64 : sse_f32);
  if (isa == "avx2" && __builtin_cpu_supports("fma")) return rate(32, is_f64 ? avx2_f64 : avx2_f32);
  if ((isa == "avx512" || isa == "amx") && __builtin_cpu_supports("avx512f"))
    return rate(64, is_f64 ? avx512_f64 : avx512_f32);
#else
  (void)isa, (void)bits, (void)seconds;
#endif
  return 0;
}

}  // namespace kronroot::bench
