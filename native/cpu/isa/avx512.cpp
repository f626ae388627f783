// The kernels for AVX-512 (F, DQ, BW, VL).
#include <immintrin.h>

#include "../kernels.hpp"

namespace kronroot::cpu {
namespace {
constexpr int kVectorBytes = 64;
}  // namespace
}  // namespace kronroot::cpu

#include "lanes.inl"

namespace kronroot::cpu {
namespace {

// 8 rows x 2 vectors of accumulators: 16 of the 32 registers, and tiles that divide the usual matrix sizes.
constexpr int kTileRows = 8;
// Vectors in a row of the widest tile.
constexpr int kWideVectors = 4;

// a b + c, rounded once.
inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return _mm512_fmadd_pd(a, b, c); }

template <typename T>
inline bool any(Mask<T> mask) {
  const __m512i lanes = reinterpret_cast<__m512i>(mask);
  return _mm512_test_epi64_mask(lanes, lanes) != 0;
}

// With a mask, since the plain intrinsics of g++ 12 warn of uninitialised variables of their own.
inline Vec<float> square_root(Vec<float> v) { return _mm512_maskz_sqrt_ps(0xffff, v); }
inline Vec<double> square_root(Vec<double> v) { return _mm512_maskz_sqrt_pd(0xff, v); }

// 1 / v to an ulp of T, v normal and its inverse too: a third of the time of a division, or less.
template <typename T>
inline Vec<double> reciprocal(Vec<double> v) {
  const Vec<double> one = broadcast(1.0), estimate = _mm512_maskz_rcp14_pd(0xff, v);
  const Vec<double> better = fma(fma(-v, estimate, one), estimate, estimate);
  if constexpr (sizeof(T) == 4) return better;
  return fma(fma(-v, better, one), better, better);
}

inline Vec<double> reciprocal(Vec<double> v) { return reciprocal<double>(v); }
inline Vec<float> reciprocal(Vec<float> v) {
  const Vec<float> one = broadcast(1.0f), estimate = _mm512_maskz_rcp14_ps(0xffff, v);
  return fma(fma(-v, estimate, one), estimate, estimate);
}

// 1 / sqrt(v) likewise.
inline Vec<float> reciprocal_root(Vec<float> v) {
  const Vec<float> one = broadcast(1.0f), estimate = _mm512_maskz_rsqrt14_ps(0xffff, v);
  return fma(estimate * 0.5f, fma(-(v * estimate), estimate, one), estimate);
}
inline Vec<double> reciprocal_root(Vec<double> v) {
  const Vec<double> one = broadcast(1.0), estimate = _mm512_maskz_rsqrt14_pd(0xff, v);
  const Vec<double> better = fma(estimate * 0.5, fma(-(v * estimate), estimate, one), estimate);
  return fma(better * 0.5, fma(-(v * better), better, one), better);
}

// base[index] in every lane.
inline Vec<float> gather(const float* base, IntVec<float> index) {
  return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, reinterpret_cast<__m512i>(index), base, 4);
}
inline Vec<double> gather(const double* base, IntVec<double> index) {
  return _mm512_mask_i64gather_pd(_mm512_setzero_pd(), 0xff, reinterpret_cast<__m512i>(index), base, 8);
}

// As many floats as a Vec<double> holds, widened and rounded; g++ 12 makes halves of the general conversions.
inline Vec<double> load_as_double(const float* from) { return _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(from)); }
inline void store_double(float* to, Vec<double> v) { _mm256_storeu_ps(to, _mm512_maskz_cvtpd_ps(0xff, v)); }

// The first `count` elements, 0 <= count <= width; the others are 0 and their memory is not touched.
inline Vec<float> load_first(const float* from, int count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
}
inline Vec<double> load_first(const double* from, int count) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), from);
}
inline void store_first(float* to, Vec<float> v, int count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), v);
}
inline void store_first(double* to, Vec<double> v, int count) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1), v);
}

}  // namespace
}  // namespace kronroot::cpu

#include "kernel_set.inl"

namespace kronroot::cpu {

const KernelSet& avx512_kernels() {
  static constexpr KernelSet kernels = {Isa::avx512, "avx512", kernels_for<float>(), kernels_for<double>()};
  return kernels;
}

}  // namespace kronroot::cpu
