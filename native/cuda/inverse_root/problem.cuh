// What inverse_root is asked, and what its kernels find out about every matrix.
#pragma once

#include "../../core/matrix.hpp"
#include "../../core/rational.hpp"
#include "../../core/report.hpp"
#include "../../core/ridge.hpp"
#include "../device.cuh"

namespace kronroot::cuda {

// The options, as kernels take them.
struct RootRequest {
  Root root;
  int32_t dtype;
  int32_t method;  // kr_method, AUTO decided already
  int32_t ridge;
  double ridge_value;
  double residual_bound;
  bool full_residual;
  int32_t most_iterations;

  __host__ __device__ bool is_pseudo_inverse() const { return ridge == KR_RIDGE_PSEUDO_INVERSE; }
};

// How S = (A + A^T) / 2 times 2^-exponent, of largest magnitude in [1/2, 1) or, where the absolute ridge is larger,
// below, goes together with the scale of its root:
//   (2^exponent)^{-b/a} = 2^result 2^{remainder / a},   0 <= remainder < a.
// Kernels compute x 2^-result.
struct RootScale {
  int exponent;
  int result;
  int remainder;

  __device__ static RootScale of(const Root& root, int exponent) {
    const int power = (root.inverse ? -1 : 1) * exponent * root.b;
    const int remainder = (power % root.a + root.a) % root.a;
    return {exponent, (power - remainder) / root.a, remainder};
  }
};

// Who has to answer a matrix next.
enum RootStage : int32_t {
  root_is_settled = 0,   // answered or refused: the report says it all
  root_is_iterated = 1,  // the iteration, with the plan of its RootPlan
  root_is_chosen = 2,    // the eigendecomposition, as the first rung of the ladder
  root_is_next = 3,      // the eigendecomposition, as the second rung
};

// Of one matrix.
struct RootPlan {
  int32_t stage;  // RootStage
  int32_t method;
  int32_t rank;
  RootScale scale;
  double epsilon;  // in units of S
  double condition;
  double unit;         // the iteration starts at M = unit (S + epsilon I)
  double multiplier;   // its result times this is the root
  int32_t first_step;  // of the schedule
  int32_t steps;
};

// Elements of a root are finite in the element type or the matrix fails.
template <typename T>
__device__ __forceinline__ bool is_finite(T x) {
  return x - x == 0;
}

}  // namespace kronroot::cuda
