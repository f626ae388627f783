// The kernels for AVX2 with FMA.
#include <immintrin.h>

#include "../kernels.hpp"

namespace kronroot::cpu {
namespace {
constexpr int kVectorBytes = 32;
}  // namespace
}  // namespace kronroot::cpu

#include "lanes.inl"

namespace kronroot::cpu {
namespace {

// 6 rows x 2 vectors of accumulators leave 4 of the 16 registers for the operands.
constexpr int kTileRows = 6;
// Vectors in a row of the widest tile.
constexpr int kWideVectors = 2;

// a b + c, rounded once.
inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return _mm256_fmadd_pd(a, b, c); }

template <typename T>
inline bool any(Mask<T> mask) {
  const __m256i lanes = reinterpret_cast<__m256i>(mask);
  return _mm256_testz_si256(lanes, lanes) == 0;
}

inline Vec<float> square_root(Vec<float> v) { return _mm256_sqrt_ps(v); }
inline Vec<double> square_root(Vec<double> v) { return _mm256_sqrt_pd(v); }

// 1 / v to an ulp of T, v normal and its inverse too.
template <typename T>
inline Vec<double> reciprocal(Vec<double> v) {
  return 1 / v;
}
inline Vec<double> reciprocal(Vec<double> v) { return 1 / v; }
inline Vec<float> reciprocal(Vec<float> v) { return 1.0f / v; }
inline Vec<float> reciprocal_root(Vec<float> v) { return 1.0f / square_root(v); }
inline Vec<double> reciprocal_root(Vec<double> v) { return 1.0 / square_root(v); }

// base[index] in every lane.
inline Vec<float> gather(const float* base, IntVec<float> index) {
  return _mm256_i32gather_ps(base, reinterpret_cast<__m256i>(index), 4);
}
inline Vec<double> gather(const double* base, IntVec<double> index) {
  return _mm256_i64gather_pd(base, reinterpret_cast<__m256i>(index), 8);
}

// Masks of the first `count` elements.
inline __m256i first_words(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m256i first_quads(int count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}

// As many floats as a Vec<double> holds, widened and rounded; g++ 12 makes halves of the general conversions.
inline Vec<double> load_as_double(const float* from) { return _mm256_cvtps_pd(_mm_loadu_ps(from)); }
inline void store_double(float* to, Vec<double> v) { _mm_storeu_ps(to, _mm256_cvtpd_ps(v)); }

// The first `count` elements, 0 <= count <= width; the others are 0 and their memory is not touched.
inline Vec<float> load_first(const float* from, int count) { return _mm256_maskload_ps(from, first_words(count)); }
inline Vec<double> load_first(const double* from, int count) { return _mm256_maskload_pd(from, first_quads(count)); }
inline void store_first(float* to, Vec<float> v, int count) { _mm256_maskstore_ps(to, first_words(count), v); }
inline void store_first(double* to, Vec<double> v, int count) { _mm256_maskstore_pd(to, first_quads(count), v); }

}  // namespace
}  // namespace kronroot::cpu

#include "kernel_set.inl"

namespace kronroot::cpu {

const KernelSet& avx2_kernels() {
  static constexpr KernelSet kernels = {Isa::avx2, "avx2", kernels_for<float>(), kernels_for<double>()};
  return kernels;
}

}  // namespace kronroot::cpu
