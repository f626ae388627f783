// norm_estimate with one matrix to a lane: what the kernel takes and answers.
#pragma once

#include <cstdint>

#include "../../include/kronroot/ops.h"
#include "../lanes.hpp"

namespace kronroot::cpu {

template <typename T>
struct NormLanes {
  int32_t kind;    // kr_norm
  int iterations;  // of SPECTRAL_LOWER
  LaneGroup<const T> a;

  kr_status status[kMostLanes];  // KR_STATUS_OK or KR_STATUS_NON_FINITE_INPUT
  double norm[kMostLanes];       // in f64, perhaps beyond the range of T
};

}  // namespace kronroot::cpu
