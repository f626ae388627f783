// The recovery ladder: the chosen method, then eigh, then eigh in f64, until a result passes its certificate.
#pragma once

#include "problem.hpp"

namespace kronroot::cpu {

// options.residual_bound, or its default.
double residual_bound_of(const kr_inverse_root_options& options);

// x: n x n with stride n, the result times 2^-result_exponent where the report is no failure.
template <typename T>
kr_report climb(const RootProblem<T>& problem, T* x);

extern template kr_report climb<float>(const RootProblem<float>&, float*);
extern template kr_report climb<double>(const RootProblem<double>&, double*);

}  // namespace kronroot::cpu
