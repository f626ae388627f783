// The certificate of inverse_root: how far the X that is returned is from the root of A + epsilon I.
#pragma once

#include "problem.hpp"

namespace kronroot::cpu {

// |R z|_2 / |z|_2 for one vector z of random signs, or (options.full_residual) |R|_F / sqrt(n), where, with
// B = A + epsilon I, its negative eigenvalues set to 0 first, and p = a/b in lowest terms,
//   R = W - I               W the product of a factors X and b factors B, spread evenly:
//                           X^{a/2} B X^{a/2} for integer p, X B X B X B X for 4/3;
//                           where a and b are odd, the mean of the two most even orders, each the other's mirror image
//   R = W^2 - W             pseudo-inverses, epsilon = 0
//   R = X^a - B^b           positive powers, measured against |B^b z| (|B^b|_F)
// Why evenly: an error dX of X appears in R between powers B^s and B^t of what stands on its two sides, s + t = b/a.
// While neither is far below 0 the rounding of X alone, ulp |X|, costs no more than ulp condition^max(b/a, 1/2); the
// order X^{a/2} B^b X^{a/2} would cost ulp condition^{b/2}, 100 for p = 4/3, f32 and condition 1e6.
// x: n x n with stride n, the result times 2^-result_exponent. All sums are in f64.
template <typename T>
double balanced_residual(const RootProblem<T>& problem, double epsilon, const NegativePart& negative, const T* x);

extern template double balanced_residual<float>(const RootProblem<float>&, double, const NegativePart&, const float*);
extern template double balanced_residual<double>(const RootProblem<double>&, double, const NegativePart&,
                                                 const double*);

}  // namespace kronroot::cpu
