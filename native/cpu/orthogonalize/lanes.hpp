// Newton-Schulz with one matrix to a lane: what the kernel takes and answers.
#pragma once

#include <cstdint>

#include "../../core/orthogonalize_tables.hpp"
#include "../lanes.hpp"

namespace kronroot::cpu {

template <typename T>
struct NewtonSchulzLanes {
  LaneGroup<const T> a;
  LaneGroup<T> x;
  const Quintic* steps;
  int step_count;
  double safety;        // factor on the Frobenius norm that the starting matrix is divided by
  const double* signs;  // one random sign for each row of the short side: the vector of the residual

  // KR_STATUS_OK, KR_STATUS_RANK_DEFICIENT (A = 0, answered by 0), KR_STATUS_NON_FINITE_INPUT or KR_STATUS_OVERFLOW;
  // the outputs of the last two are left as they were.
  kr_status status[kMostLanes];
  double residual[kMostLanes];
};

}  // namespace kronroot::cpu
