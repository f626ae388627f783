// Reflectors in blocks: H_k H_{k+1} ... = I - Y S Y^T, the vectors in the columns of Y, S upper triangular,
//   s_jj = tau_j,   s_{.j} = -tau_j S Y^T y_j.
// Source: Schreiber and Van Loan, A storage-efficient WY representation, SISC 10 (1989).
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// v_k in row k of y (count x cols), which is read and written `stride` apart.
template <typename T>
struct CompactReflectors {
  int64_t batch = 0;
  int64_t count = 0;
  int64_t cols = 0;
  int64_t stride = 0;
  T* y = nullptr;
  T* factors = nullptr;  // S Y^T of the blocks, as y
  const T* tau = nullptr;
  // Whether v_k has the components below k, the last of them 1, or those from k on, the first of them 1.
  bool is_leading = false;
  // Reflectors to a block.
  static constexpr int64_t block = 32;

  // Of a block: how many there are, and the components that they touch.
  int64_t count_of(int64_t first) const { return count - first < block ? count - first : block; }
  int64_t begin_of(int64_t first) const { return is_leading ? 0 : first; }
  int64_t length_of(int64_t first) const { return is_leading ? first + count_of(first) : cols - first; }
  // Y^T or S Y^T of a block.
  BatchView<const T> rows_of(const T* rows, int64_t first) const {
    return {Global<const T>(rows) + (first * stride + begin_of(first)),
            batch,
            count_of(first),
            length_of(first),
            stride,
            count * stride};
  }
};

// Factors of `blocks` blocks from that of reflector `first` on; y is cleared beside the vectors, in the columns that a
// block touches.
template <typename T>
void form_compact(Op& op, const CompactReflectors<T>& reflectors, int64_t first, int64_t blocks, const int32_t* skip);

}  // namespace kronroot::cuda
