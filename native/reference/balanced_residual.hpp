// The certificate of inverse_root.
#pragma once

#include "../core/rational.hpp"
#include "dense.hpp"

namespace kronroot::reference {

enum class Measure {
  probe,  // |R z|_2 / |z|_2 for one random sign vector z: O(n^2) per factor
  full,   // |R|_F / sqrt(n), which is what the probe estimates
};

// How far X is from B^{-1/p}, p = a/b, where B = A + epsilon I (with the eigenvalues that count as 0 set to 0):
//
//   R = S - I,   S the product of a factors X and b factors B, spread evenly:
//                X^{a/2} B X^{a/2} for even integers, (X^{(a-1)/2} B X^{(a+1)/2} + its mirror image) / 2 for odd ones,
//                X B X B X B X for 4/3
//
// Why balanced: an error E of X appears between partial products that are powers of B, and an even spread keeps their
// exponents small on both sides. A correctly rounded X has |R| of about ulp cond^{max(b/a, 1/2)}. Gathered
// factors raise false alarms: B^b X^a has ulp cond^b and X^{a/2} B^b X^{a/2} ulp cond^{b/2}, 0.45 where the even
// spread has 1e-4 (p = 4/3, f32, condition 1e6, n = 32). A residual of the iterate, |M - I|, stays small where X is
// wrong.
//
// Positive powers (root.inverse false) have no such form: R = X^a - B^b, measured against |B^b z| (|B^b|_F).
//
// Vectors carry an exponent of their own, so that no power of any scale over- or underflows.
double balanced_residual(const Dense& b, const Dense& x, const Root& root, Measure measure);

// For pseudo-inverses S = X^{p/2} A X^{p/2} has to be a projector: R = S^2 - S.
double projector_residual(const Dense& a, const Dense& x, const Root& root, Measure measure);

}  // namespace kronroot::reference
