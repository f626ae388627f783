// eigh of a lane group, between the op and the kernels of the instruction sets.
#pragma once

#include <cstdint>

#include "../lanes.hpp"

namespace kronroot::cpu {

// What goes in, and what is said of each lane.
template <typename T>
struct EighLanes {
  LaneGroup<const T> a;
  LaneGroup<T> values;   // n x 1, ascending
  LaneGroup<T> vectors;  // n x n, signs fixed as eigh promises; data null for values only
  const double* signs;   // n numbers +1 or -1: the vector that the residual is measured with

  LaneInput input;
  bool answered[kMostLanes];  // outputs of other lanes are left as they were
  int64_t sweeps[kMostLanes];
  double residual[kMostLanes];  // not set for values only
  double condition[kMostLanes];
};

}  // namespace kronroot::cpu
