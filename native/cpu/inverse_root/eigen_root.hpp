// The root by eigendecomposition: X = V diag((max(w, 0) + epsilon)^{-1/p}) V^T. Every defined answer is served here.
#pragma once

#include "problem.hpp"

namespace kronroot::cpu {

// x: n x n with stride n. Work is the type of the decomposition, T or double.
template <typename Work, typename T>
RootAttempt eigen_root(const RootProblem<T>& problem, T* x);

// The same for a diagonal S, where V = I.
template <typename T>
RootAttempt diagonal_root(const RootProblem<T>& problem, T* x);

extern template RootAttempt eigen_root<float, float>(const RootProblem<float>&, float*);
extern template RootAttempt eigen_root<double, float>(const RootProblem<float>&, float*);
extern template RootAttempt eigen_root<double, double>(const RootProblem<double>&, double*);
extern template RootAttempt diagonal_root<float>(const RootProblem<float>&, float*);
extern template RootAttempt diagonal_root<double>(const RootProblem<double>&, double*);

}  // namespace kronroot::cpu
