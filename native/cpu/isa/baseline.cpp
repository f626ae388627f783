// The kernels for every machine: 16-byte vectors of the compiler's vector extension (SSE on x86-64-v2, NEON on
// AArch64), and no intrinsics but the fused operation of NEON.
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "../kernels.hpp"

namespace kronroot::cpu {
namespace {
constexpr int kVectorBytes = 16;
}  // namespace
}  // namespace kronroot::cpu

#include "lanes.inl"

namespace kronroot::cpu {
namespace {

#if defined(__aarch64__)
// 8 rows x 2 vectors of accumulators: half of the 32 registers, and a fused instruction by one element of A.
constexpr int kTileRows = 8;
// Vectors in a row of the widest tile.
constexpr int kWideVectors = 4;

// a b + c, rounded once. Said outright: of alpha s + beta c the compiler may fuse either product, in every tile anew.
inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return vfmaq_f32(c, a, b); }
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return vfmaq_f64(c, a, b); }
#else
// 4 rows x 2 vectors of accumulators: without a fused instruction every product needs a register too.
constexpr int kTileRows = 4;
// Vectors in a row of the widest tile.
constexpr int kWideVectors = 2;

// a b + c, rounded twice.
template <typename V>
inline V fma(V a, V b, V c) {
  return a * b + c;
}
#endif

template <typename T>
inline bool any(Mask<T> mask) {
  const auto halves = reinterpret_cast<Vec<int64_t>>(mask);
  return (halves[0] | halves[1]) != 0;
}

inline Vec<float> square_root(Vec<float> v) {
  for (int i = 0; i < kWidth<float>; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
}
inline Vec<double> square_root(Vec<double> v) {
  for (int i = 0; i < kWidth<double>; ++i) v[i] = __builtin_sqrt(v[i]);
  return v;
}

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
  Vec<float> v{};
  for (int l = 0; l < kWidth<float>; ++l) v[l] = base[index[l]];
  return v;
}
inline Vec<double> gather(const double* base, IntVec<double> index) {
  Vec<double> v{};
  for (int l = 0; l < kWidth<double>; ++l) v[l] = base[index[l]];
  return v;
}

// The first `count` elements, 0 <= count <= width; the others are 0 and their memory is not touched.
template <typename T>
inline Vec<T> load_first(const T* from, int count) {
  Vec<T> v = {};
  for (int i = 0; i < count; ++i) v[i] = from[i];
  return v;
}
template <typename T, typename V>
inline void store_first(T* to, V v, int count) {
  for (int i = 0; i < count; ++i) to[i] = v[i];
}

}  // namespace
}  // namespace kronroot::cpu

#include "kernel_set.inl"

namespace kronroot::cpu {

const KernelSet& baseline_kernels() {
  static constexpr KernelSet kernels = {Isa::baseline, "baseline", kernels_for<float>(), kernels_for<double>()};
  return kernels;
}

}  // namespace kronroot::cpu
