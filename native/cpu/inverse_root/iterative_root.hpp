// The roots that are made of matrix products alone.
#pragma once

#include "definiteness.hpp"
#include "problem.hpp"

namespace kronroot::cpu {

// Composite minimax iteration (core/minimax.hpp). In f32 the first steps run in f64: an error of ulp made there reaches
// the smallest eigenvalues multiplied by the condition number, one made after k steps by the condition that is left.
// x: n x n with stride n.
template <typename T>
RootAttempt minimax_root(const RootProblem<T>& problem, const Definiteness& found, T* x);

// Coupled Newton iteration, P = ((p + 1) I - M) / p, M_0 = z (S + epsilon I), in T. Stops when |M - I|_F^2 <= ulp,
// where the step that is under way makes the error ulp; or, once |M - I|_F < 1/2, when it no longer falls. Source: Guo
// and Higham, SIAM J. Matrix Anal. Appl. 28 (2006), algorithm 3.3.
template <typename T>
RootAttempt newton_root(const RootProblem<T>& problem, const Definiteness& found, T* x);

// p = 1/b: the b-th power of the inverse by Cholesky factorisation, in f64.
template <typename T>
RootAttempt cholesky_root(const RootProblem<T>& problem, const Definiteness& found, T* x);

extern template RootAttempt minimax_root<float>(const RootProblem<float>&, const Definiteness&, float*);
extern template RootAttempt minimax_root<double>(const RootProblem<double>&, const Definiteness&, double*);
extern template RootAttempt newton_root<float>(const RootProblem<float>&, const Definiteness&, float*);
extern template RootAttempt newton_root<double>(const RootProblem<double>&, const Definiteness&, double*);
extern template RootAttempt cholesky_root<float>(const RootProblem<float>&, const Definiteness&, float*);
extern template RootAttempt cholesky_root<double>(const RootProblem<double>&, const Definiteness&, double*);

}  // namespace kronroot::cpu
