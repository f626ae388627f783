// Batched matrix products on device memory, for every op that needs one.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// A tensor multiplied along one of its inner modes: every item of the batch is `count` matrices, so many elements
// apart. 0 is the same matrix for all of them.
struct Parts {
  int64_t count = 1;
  int64_t a_stride = 0, b_stride = 0, c_stride = 0;
};

// C = beta C + alpha op(A) op(B) + gamma I for every matrix of c. beta = 0 does not read C. A and B may be of batch
// stride 0.
template <typename T>
struct Product {
  BatchView<const T> a;
  BatchView<const T> b;
  BatchView<T> c;
  bool transpose_a = false;
  bool transpose_b = false;
  double alpha = 1;
  double beta = 0;
  double gamma = 0;
  // C is symmetric: the lower triangle is computed (and read, for beta) and mirrored.
  bool symmetric = false;
  // One for each item of the batch, in device memory, or nullptr: where it is not 0 nothing is done.
  const int32_t* skip = nullptr;
  Parts parts = {};
};

// Enqueues it. Error as of matmul in ops.h. C overlaps neither A nor B.
template <typename T>
void multiply(Op& op, const Product<T>& product);

}  // namespace kronroot::cuda
