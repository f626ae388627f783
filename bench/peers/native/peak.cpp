#include "peak.hpp"

#include <algorithm>
#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
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

#endif

}  // namespace

double measured_peak(const std::string& isa, bool is_f64, double seconds) {
#if defined(__x86_64__)
  const auto rate = [&](int bytes, void (*kernel)()) {
    return best_rate(2.0 * chains * rounds * bytes / (is_f64 ? 8 : 4), seconds, kernel);
  };
  if (isa == "baseline") return rate(16, is_f64 ? sse_f64 : sse_f32);
  if (isa == "avx2" && __builtin_cpu_supports("fma")) return rate(32, is_f64 ? avx2_f64 : avx2_f32);
  if (isa == "avx512" && __builtin_cpu_supports("avx512f")) return rate(64, is_f64 ? avx512_f64 : avx512_f32);
#else
  (void)isa, (void)is_f64, (void)seconds;
#endif
  return 0;
}

}  // namespace kronroot::bench
