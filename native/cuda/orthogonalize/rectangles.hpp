// How the iterations of orthogonalize begin and end, across the whole device: from A to a scaled X, and from X to the
// certified answer.
#pragma once

#include "../op.hpp"
#include "problem.cuh"

namespace kronroot::cuda {

// Matrices [first, first + count) of a batch, in their wide view.
template <typename T>
struct WidePart {
  OrthogonalizeRequest request;
  OrthogonalizeBatch<T> batch;
  int64_t first, count;
  BatchView<T> x;              // m x n
  Global<double> vectors;      // 2 m + n for each matrix
  Global<int32_t> is_settled;  // not 0: answered or refused already
};

// X = A 2^-e / (safety |A|_F), |A|_F in f64, or A 2^-e where rows are scaled afterwards. Settles what is not finite,
// and zeros.
template <typename T>
void read_rectangles(Op& op, const WidePart<T>& part);

// Writes the others, with their residuals |G^2 z - G z|_2 / |z|_2, G = X X^T; what is not finite is OVERFLOW.
template <typename T>
void publish_rectangles(Op& op, const WidePart<T>& part);

}  // namespace kronroot::cuda
