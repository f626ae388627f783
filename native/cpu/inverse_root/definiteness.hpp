// What has to be known of a matrix before a method without eigenvalues may invert it.
#pragma once

#include "problem.hpp"

namespace kronroot::cpu {

// Of S, without its eigenvalues.
struct Definiteness {
  // Every eigenvalue is positive, or so little below 0 (1/64 of the ridge) that the ridge makes up for it. Where this
  // does not hold the eigendecomposition has to decide what counts as 0.
  bool invertible = false;
  double lambda_max = 0;
  double epsilon = 0;
  double lambda_min_bound = 0;  // lower bound of the smallest eigenvalue of S + epsilon I
  int64_t rank = 0;             // eigenvalues above n ulp lambda_max

  double condition_bound() const { return (lambda_max + epsilon) / lambda_min_bound; }
};

// How far below 0 an eigenvalue may be left as it is under a ridge of epsilon.
double tolerated_negative(double epsilon, int64_t n);

template <typename T>
Definiteness examine(const RootProblem<T>& problem);

extern template Definiteness examine<float>(const RootProblem<float>&);
extern template Definiteness examine<double>(const RootProblem<double>&);

}  // namespace kronroot::cpu
