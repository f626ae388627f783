// The roots that are made without eigenvalues.
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

// The same with the factor of third order, P = I + R/p + (1 + p) R^2 / (2 p^2), R = I - M: the first terms of
// (I - R)^{-1/p}. Source: Iannazzo, SIAM J. Matrix Anal. Appl. 28 (2006); Higham, Functions of Matrices, section 7.3.
template <typename T>
RootAttempt higher_order_root(const RootProblem<T>& problem, const Definiteness& found, T* x);

// p = 2^k: Denman-Beavers iteration in product form, which carries B^{1/2} and B^{-1/2}, once for every square root.
// Source: Higham, Functions of Matrices, section 6.3.
template <typename T>
RootAttempt newton_db_root(const RootProblem<T>& problem, const Definiteness& found, T* x);

// p = 2^k: the same with ten accelerated steps before Newton's own.
template <typename T>
RootAttempt cans_root(const RootProblem<T>& problem, const Definiteness& found, T* x);

// Any p: Chebyshev expansion of x^{-1/p} over [lambda_min bound, lambda_max] (core/chebyshev.hpp), its scale included.
// Unsuitable where ulp is not reached by degree 256, from conditions of about 1e3 on.
template <typename T>
RootAttempt chebyshev_root(const RootProblem<T>& problem, const Definiteness& found, T* x);

// Coupled rational minimax iteration of type (0, 1) in M, P = p mu^{p-1} (M + (p - 1) mu^p I)^{-1}: a Cholesky inverse
// a step, 4 to 8 steps whatever the condition. p = 1/b: cholesky_root. Source: Gawlik, "Rational minimax iterations for
// computing the matrix pth root", Constr. Approx. 54 (2021).
template <typename T>
RootAttempt rational_root(const RootProblem<T>& problem, const Definiteness& found, T* x);

// p >= 1: the sum of resolvents of core/partial_fractions.hpp on the tridiagonal form of S, which says itself whether
// it is invertible.
template <typename T>
RootAttempt partial_fraction_root(const RootProblem<T>& problem, T* x);

// p = 1/b: the b-th power of the inverse by Cholesky factorisation, in f64.
template <typename T>
RootAttempt cholesky_root(const RootProblem<T>& problem, const Definiteness& found, T* x);

extern template RootAttempt minimax_root<float>(const RootProblem<float>&, const Definiteness&, float*);
extern template RootAttempt minimax_root<double>(const RootProblem<double>&, const Definiteness&, double*);
extern template RootAttempt newton_root<float>(const RootProblem<float>&, const Definiteness&, float*);
extern template RootAttempt newton_root<double>(const RootProblem<double>&, const Definiteness&, double*);
extern template RootAttempt higher_order_root<float>(const RootProblem<float>&, const Definiteness&, float*);
extern template RootAttempt higher_order_root<double>(const RootProblem<double>&, const Definiteness&, double*);
extern template RootAttempt newton_db_root<float>(const RootProblem<float>&, const Definiteness&, float*);
extern template RootAttempt newton_db_root<double>(const RootProblem<double>&, const Definiteness&, double*);
extern template RootAttempt cans_root<float>(const RootProblem<float>&, const Definiteness&, float*);
extern template RootAttempt cans_root<double>(const RootProblem<double>&, const Definiteness&, double*);
extern template RootAttempt chebyshev_root<float>(const RootProblem<float>&, const Definiteness&, float*);
extern template RootAttempt chebyshev_root<double>(const RootProblem<double>&, const Definiteness&, double*);
extern template RootAttempt rational_root<float>(const RootProblem<float>&, const Definiteness&, float*);
extern template RootAttempt rational_root<double>(const RootProblem<double>&, const Definiteness&, double*);
extern template RootAttempt partial_fraction_root<float>(const RootProblem<float>&, float*);
extern template RootAttempt partial_fraction_root<double>(const RootProblem<double>&, double*);
extern template RootAttempt cholesky_root<float>(const RootProblem<float>&, const Definiteness&, float*);
extern template RootAttempt cholesky_root<double>(const RootProblem<double>&, const Definiteness&, double*);

}  // namespace kronroot::cpu
