// Lanes of T in f64: kWidth<double> at a time.
#pragma once

#include "../../gemm/vector_operations.inl"
#include "../../isa/lanes.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// So many f64 vectors hold the lanes of one Vec<T>.
template <typename T>
constexpr int kHalves = int{sizeof(double) / sizeof(T)};

// One f64 number a lane, rounded to T.
template <typename T>
inline Vec<T> load_coefficient(const double* values) {
  Vec<T> lanes{};
  for (int half = 0; half < kHalves<T>; ++half) {
    store_double(reinterpret_cast<T*>(&lanes) + half * kWidth<double>, load(values + half * kWidth<double>));
  }
  return lanes;
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
