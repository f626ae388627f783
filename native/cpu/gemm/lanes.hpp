// matmul and gram with one matrix to a lane: what the kernel takes.
#pragma once

#include "../lanes.hpp"

namespace kronroot::cpu {

// C = beta C + alpha op(A) op(B) for a group. beta == 0 does not read C.
template <typename T>
struct ProductLanes {
  LaneGroup<const T> a, b;
  bool transpose_a = false, transpose_b = false;
  bool is_gram = false;  // op(B) = op(A)^T, and there is no b: the lower triangle is computed and mirrored
  T alpha = 1, beta = 0;
  LaneGroup<T> c;
};

}  // namespace kronroot::cpu
