// Lanes in f64: what a Vec<T> holds, widened. Residuals are summed in it, because in f32 their rounding would hide a
// residual that is smaller than an ulp.
#pragma once

#include "../gemm/vector_operations.inl"

namespace kronroot::cpu {
namespace {

// Vectors of double that hold the lanes of a Vec<T>.
template <typename T>
constexpr int kParts = int{sizeof(double)} / int{sizeof(T)};

template <typename T>
struct Wide {
  Vec<double> part[kParts<T>];
};

template <typename T, int Part, int... I>
inline Vec<double> widened_part(Vec<T> v, std::integer_sequence<int, I...>) {
  if constexpr (sizeof(T) == sizeof(double)) {
    return v;
  } else {
    constexpr int kFirst = Part * int{sizeof...(I)};
    return __builtin_convertvector(__builtin_shufflevector(v, v, (kFirst + I)...), Vec<double>);
  }
}

template <typename T>
inline Wide<T> widen(Vec<T> v) {
  constexpr std::make_integer_sequence<int, kWidth<double>> lanes;
  Wide<T> wide;
  wide.part[0] = widened_part<T, 0>(v, lanes);
  if constexpr (kParts<T> == 2) wide.part[1] = widened_part<T, 1>(v, lanes);
  return wide;
}

// The lanes at `from`, which are of T or already of double.
template <typename T, typename Element>
inline Wide<T> widen(const Element* from) {
  Wide<T> wide;
#pragma GCC unroll 2
  for (int part = 0; part < kParts<T>; ++part) wide.part[part] = load_as_double(from + part * kWidth<double>);
  return wide;
}

template <typename T>
inline Wide<T> wide_fma(const Wide<T>& a, const Wide<T>& b, const Wide<T>& c) {
  Wide<T> sum;
  for (int part = 0; part < kParts<T>; ++part) sum.part[part] = fma(a.part[part], b.part[part], c.part[part]);
  return sum;
}

// sum += a b
template <typename T>
inline void add_product(Wide<T>& sum, const Wide<T>& a, const Wide<T>& b) {
#pragma GCC unroll 2
  for (int part = 0; part < kParts<T>; ++part) sum.part[part] = fma(a.part[part], b.part[part], sum.part[part]);
}

// a + sign b for a sign that is the same in every lane.
template <typename T>
inline Wide<T> add_signed(const Wide<T>& a, double sign, const Wide<T>& b) {
  return wide_fma<T>({{broadcast(sign), broadcast(sign)}}, b, a);
}
template <>
inline Wide<double> add_signed(const Wide<double>& a, double sign, const Wide<double>& b) {
  return {{fma(broadcast(sign), b.part[0], a.part[0])}};
}

template <typename T>
inline Wide<T> square_root_wide(Wide<T> a) {
  for (int part = 0; part < kParts<T>; ++part) a.part[part] = square_root(a.part[part]);
  return a;
}

template <typename T>
inline Wide<T> load_wide(const double* from) {
  Wide<T> wide;
  for (int part = 0; part < kParts<T>; ++part) wide.part[part] = load(from + part * kWidth<double>);
  return wide;
}
template <typename T>
inline void store_wide(double* to, const Wide<T>& wide) {
  for (int part = 0; part < kParts<T>; ++part) store(to + part * kWidth<double>, wide.part[part]);
}

}  // namespace
}  // namespace kronroot::cpu
