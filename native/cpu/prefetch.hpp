// Memory asked for ahead of its use.
#pragma once

#include <cstdint>

#include "../core/matrix.hpp"

namespace kronroot::cpu {

// Has a matrix brought to the L2 cache that is about to be read in an order which the processor does not foresee. Worth
// its instructions for middle sizes only: a small matrix is a few lines, and of a large one the first rows are in use
// long before the last arrive.
template <typename T>
void prefetch(const Matrix<T>& a) {
  constexpr int64_t kFewestBytes = 4 * 1024, kMostBytes = 64 * 1024, kLine = 64 / int64_t{sizeof(T)};
  constexpr int kForReading = 0, kToL2 = 2;
  const int64_t bytes = a.rows * a.cols * int64_t{sizeof(T)};
  if (bytes < kFewestBytes || bytes > kMostBytes) return;
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.cols; j += kLine) __builtin_prefetch(&a(i, j), kForReading, kToL2);
  }
}

}  // namespace kronroot::cpu
