// qr with one matrix to a lane: what the kernel takes and answers.
#pragma once

#include <cstdint>

#include "../lanes.hpp"

namespace kronroot::cpu {

template <typename T>
struct QrLanes {
  LaneGroup<const T> a;
  LaneGroup<T> q, r;    // data null where it is not wanted; the columns of q tell how much of Q
  const double* signs;  // +1 or -1, as many as the longer side of a

  // KR_STATUS_OK, KR_STATUS_NON_FINITE_INPUT or KR_STATUS_OVERFLOW; after a failure q and r are left as they were.
  kr_status status[kMostLanes];
  double residual[kMostLanes];
  double condition[kMostLanes];
};

}  // namespace kronroot::cpu
