// cholesky, spd_inverse and spd_solve with one matrix to a lane: what the kernels of spd/lanes/ take and answer.
#pragma once

#include <cstdint>

#include "../../core/crossovers.hpp"
#include "../../include/kronroot/ops.h"
#include "../lanes.hpp"

namespace kronroot::cpu {

// Relative ridges from here on need eigenvalues (spd_factor.cpp says why), which are computed matrix by matrix.
inline constexpr double kLargeRelativeRidge = 0.9;

struct SpdLanesOptions {
  // If relative, below kLargeRelativeRidge.
  kr_cholesky_options ridge;
  // n random signs for the residual probes.
  const double* signs;
};

// What became of each lane; only the first `count` lanes of the group count.
struct SpdLanesAnswer {
  kr_status status[kMostLanes];
  // Index of the first pivot that is not positive, where the status says so; -1 otherwise.
  int32_t pivot[kMostLanes];
  double residual[kMostLanes];
  double condition[kMostLanes];
};

// Whether a call computes one matrix to a lane: by the planner, but not for n = 0 nor for large relative ridges.
bool takes_spd_lanes(const kr_call* call, LaneOp op, const kr_cholesky_options& options, const kr_batch& a);

// The signs of the residual probes.
void fill_probe_signs(int64_t n, double* signs);

// The report of lane l.
kr_report report_of(const SpdLanesAnswer& answer, int l);

}  // namespace kronroot::cpu
