// The Frobenius norm of A + epsilon I in lanes, in f64.
#pragma once

#include "system.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// |A + epsilon I|_F 2^-exponent
template <typename T>
void frobenius_norms(const LaneSystem<T>& system, double (&norm)[kMostLanes]) {
  const int64_t n = system.order;
  Wide<T> off_diagonal{}, diagonal{};
  for (int64_t i = 0; i < n; ++i) {
    const T* row = row_of(system.a, i);
    Wide<T> sum{};
    for (int64_t j = 0; j < i; ++j) {
      const Wide<T> element = widen<T>(row + j * kWidth<T>);
      add_product(sum, element, element);
    }
    Wide<T> element = widen<T>(row + i * kWidth<T>);
    for (int p = 0; p < kParts<T>; ++p) {
      off_diagonal.part[p] += sum.part[p];
      element.part[p] += load(system.epsilon + p * kWidth<double>);
    }
    add_product(diagonal, element, element);
  }
  for (int p = 0; p < kParts<T>; ++p) {
    const Vec<double> squares = diagonal.part[p] + 2 * off_diagonal.part[p];
    store(norm + p * kWidth<double>, square_root(squares));
  }
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
