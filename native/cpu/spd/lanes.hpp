// cholesky, spd_inverse and spd_solve with one matrix to a lane: what the kernels of spd/lanes/ take and answer.
#pragma once

#include <cstdint>

#include "../../core/crossovers.hpp"
#include "../../include/kronroot/ops.h"
#include "../lanes.hpp"

namespace kronroot::cpu {

struct SpdLanesOptions {
  // Absolute, trace, none, or relative with a value below 0.9 (see takes_spd_lanes).
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

// Whether a call computes one matrix to a lane: by the planner, but for n = 0 and for large relative ridges, for which
// eigenvalues are computed matrix by matrix.
bool takes_spd_lanes(const kr_call* call, LaneOp op, const kr_cholesky_options& options, const kr_batch& a);

// The signs of the residual probes.
void fill_probe_signs(int64_t n, double* signs);

// The report of lane l.
kr_report report_of(const SpdLanesAnswer& answer, int l);

}  // namespace kronroot::cpu
