// Memory asked for ahead of its use.
#pragma once

#include <cstdint>

namespace kronroot::cpu {
namespace {

// Has a matrix brought to the L2 cache that is about to be used in an order which the processor does not foresee: the
// operands of symmetric products, which do little with much memory. Worth its instructions for middle sizes only: a
// small matrix is a few lines, and of a large one the first rows are in use long before the last arrive. Inlined
// always: g++ takes a call of a function that does nothing else for dead code.
template <bool ForWriting, typename T>
[[gnu::always_inline]] inline void prefetch(int64_t rows, int64_t cols, const T* a, int64_t stride) {
  constexpr int64_t kFewestBytes = 8 * 1024, kMostBytes = 64 * 1024, kLine = 64 / int64_t{sizeof(T)};
  constexpr int kToL2 = 2;
  const int64_t bytes = rows * cols * int64_t{sizeof(T)};
  if (bytes < kFewestBytes || bytes > kMostBytes) return;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; j += kLine) __builtin_prefetch(a + i * stride + j, ForWriting, kToL2);
  }
}

}  // namespace
}  // namespace kronroot::cpu
