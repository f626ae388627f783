// inverse_root of one matrix by partial fractions: what the kernels of partial_fractions.inl take and answer.
#pragma once

#include <cstdint>

namespace kronroot::cpu {

// Of S, to n ulp lambda_max.
struct RootSpectrum {
  double null_ulp;  // given: the ulp below
  double lambda_min, lambda_max;
  bool is_found;  // whether both were
  int64_t rank;   // eigenvalues above n ulp lambda_max
};

// X = scale sum_k weights[k] (unit S + (shift + poles[k]) I)^{-1}
struct RootFractions {
  int terms;
  const double* poles;
  const double* weights;
  double unit, shift, scale;
};

}  // namespace kronroot::cpu
