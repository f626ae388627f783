// inverse_root with one matrix to a lane: what the kernels of inverse_root/lanes/ take and answer.
#pragma once

#include <cstdint>

#include "../../include/kronroot/ops.h"
#include "../lanes.hpp"

namespace kronroot::cpu {

// What examine_root_lanes finds of each lane's S = (A + A^T) / 2 times 2^-exponent.
struct LaneSpectra {
  LaneInput input;
  int32_t is_diagonal[kMostLanes];  // not 0 where it is
  double trace[kMostLanes];
  // To n 2^-52 lambda_max; for f32, where eigenvalues are clustered at the end, to 1e-8 lambda_max.
  double lambda_min[kMostLanes];
  double lambda_max[kMostLanes];
  int32_t is_found[kMostLanes];  // not 0 where both were
  int32_t rank[kMostLanes];      // eigenvalues above n ulp lambda_max
};

// The certificate: B = S + epsilon I, and z - product_unit W z should be 0 for W of a factors X and b factors B
// (../inverse_root/certificate.hpp). A result that passes is X 2^exponent.
struct LaneCertificate {
  int a, b;             // p = a / b
  const double* signs;  // z, n random signs
  double epsilon[kMostLanes], product_unit[kMostLanes];
  double residual_bound;
  int exponent[kMostLanes];
};

// What minimax_root_lanes is to make of S: the coupled iteration of core/minimax.hpp on M_0 = unit S + shift I, lane
// by lane. A lane whose schedule is shorter than `steps` multiplies by I in the end, which changes no bit of its X;
// a lane that is not wanted has unit = 0, shift = 1 and such steps only.
struct LaneSchedules {
  int steps;                   // of the longest schedule
  int wide_steps;              // so many of them in f64
  const double* coefficients;  // c0, c1, c2 of step 0, then step 1, ..., kMostLanes numbers each
  double unit[kMostLanes], shift[kMostLanes];
  const LaneCertificate* certificate;
};

// The kernels sum so many fractions at a time; as fraction_group (core/partial_fractions.hpp), which they cannot
// include.
inline constexpr int kFractionGroup = 4;

// What partial_fraction_root_lanes is to make of S: scale times the sum of w_k (M + s_k I)^{-1} with M = unit S +
// shift I. A lane that is not wanted has no fractions, unit = 0 and shift = 1.
struct LaneFractions {
  int terms;                        // the most that a lane has, rounded up to whole groups
  int count[kMostLanes];            // of each lane
  const double* poles[kMostLanes];  // s_0, s_1, ... of each lane
  const double* weights[kMostLanes];
  double scale[kMostLanes], unit[kMostLanes], shift[kMostLanes];
  const LaneCertificate* certificate;
};

// Of each lane: whether it is wanted, and afterwards whether it was written; and its residual.
struct LaneRoots {
  bool wanted[kMostLanes];
  double residual[kMostLanes];
};

}  // namespace kronroot::cpu
