// svd with one matrix to a lane: what the kernel takes and answers.
#pragma once

#include <cstdint>

#include "../lanes.hpp"

namespace kronroot::cpu {

template <typename T>
struct SvdLanes {
  LaneGroup<const T> a;
  LaneGroup<T> s;       // min(m, n) x 1
  LaneGroup<T> u, v;    // data null for values only
  const double* signs;  // +1 or -1, as many as the shorter side of a

  // KR_STATUS_OK, KR_STATUS_NON_FINITE_INPUT, KR_STATUS_OVERFLOW or KR_STATUS_NOT_CONVERGED; after a failure the
  // outputs are left as they were.
  kr_status status[kMostLanes];
  int sweeps[kMostLanes];
  double residual[kMostLanes];  // not set for values only
  double condition[kMostLanes];
};

}  // namespace kronroot::cpu
