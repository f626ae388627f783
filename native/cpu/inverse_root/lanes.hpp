// inverse_root with one matrix to a lane: what the kernels of inverse_root/lanes/ take and answer.
#pragma once

#include <cstdint>

#include "../../core/minimax.hpp"
#include "../../include/kronroot/ops.h"
#include "../lanes.hpp"

namespace kronroot::cpu {

// What examine_root_lanes finds of each lane's S = (A + A^T) / 2 times 2^-exponent.
struct LaneSpectra {
  LaneInput input;
  bool is_diagonal[kMostLanes];
  double trace[kMostLanes];
  // To n 2^-52 lambda_max; for f32, where eigenvalues are clustered at the end, to 1e-8 lambda_max.
  double lambda_min[kMostLanes];
  double lambda_max[kMostLanes];
  bool is_found[kMostLanes];  // whether both were
  int32_t rank[kMostLanes];   // eigenvalues above n ulp lambda_max
};

// What minimax_root_lanes is to make of S: the coupled iteration of core/minimax.hpp on M_0 = unit S + shift I, lane
// by lane. A lane whose schedule is shorter than `steps` multiplies by I in the end, which changes no bit of its X;
// a lane that is not wanted has unit = 0, shift = 1 and such steps only.
struct LaneSchedules {
  int root;                    // p
  int steps;                   // of the longest schedule
  int wide_steps;              // so many of them in f64
  const double* coefficients;  // c0, c1, c2 of step 0, then step 1, ..., kMostLanes numbers each
  double unit[kMostLanes], shift[kMostLanes];
  // For the certificate: B = S + epsilon I, and z - product_unit X^{p/2} B X^{p/2} z should be 0.
  const double* signs;  // z, n random signs
  double epsilon[kMostLanes], product_unit[kMostLanes];
  double residual_bound;
  int exponent[kMostLanes];  // the result is X 2^exponent
};

// Of each lane: whether it is wanted, and afterwards whether it was written; and its residual.
struct LaneRoots {
  bool wanted[kMostLanes];
  double residual[kMostLanes];
};

// Whether a call computes one matrix to a lane: by the planner, for p = 2 .. 16 under AUTO and MINIMAX
// and 2 <= n <= 64, beyond which the characteristic polynomial would overflow.
bool takes_root_lanes(const kr_call* call, const kr_inverse_root_options& options, const kr_batch& a);

// The schedules of a call, for all its groups.
template <typename T>
MinimaxSchedules lane_schedules(const kr_inverse_root_options& options);

// Answers the matrices of a group that the minimax root can answer: answered[l] says whether x and reports[l] are set.
// The others, whose x is left as it was, are for the ladder, matrix by matrix: diagonal ones, those that have
// eigenvalues which count as 0 or no answer at all, and results that fail their certificate.
template <typename T>
void answer_root_lanes(const kr_call* call, const kr_inverse_root_options& options, MinimaxSchedules& minimax,
                       const LaneGroup<const T>& a, const LaneGroup<T>& x, kr_report* reports, bool* answered);

}  // namespace kronroot::cpu
