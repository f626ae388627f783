// triangular_solve with one matrix to a lane: what the kernel takes and answers.
#pragma once

#include <cstdint>

#include "../../include/kronroot/ops.h"
#include "../lanes.hpp"

namespace kronroot::cpu {

template <typename T>
struct TriangularLanes {
  kr_triangular_solve_options options;
  double alpha;
  LaneGroup<const T> t, b;
  LaneGroup<T> x;
  const double* signs;  // +1 or -1, one for each right-hand side

  // KR_STATUS_OK, KR_STATUS_NON_FINITE_INPUT, KR_STATUS_SINGULAR or KR_STATUS_OVERFLOW; after a failure x is left as it
  // was.
  kr_status status[kMostLanes];
  int32_t zero[kMostLanes];  // index of the zero on the diagonal
  double residual[kMostLanes];
  double condition[kMostLanes];
};

}  // namespace kronroot::cpu
