// Composite minimax polynomials for the inverse p-th root, with the trough capped.
//
// On eigenvalues the coupled iteration
//   P_k = c0 I + c1 M_k + c2 M_k^2,   X_{k+1} = X_k P_k,   M_{k+1} = P_k^p M_k
// maps t = x^{1/p} in (0, 1] to f(t) = t (c0 + c1 t^p + c2 t^{2p}); X converges to M_0^{-1/p} as t goes to 1. Every
// step takes the polynomial that minimises max |1 - f| over the interval [l^{1/p}, 1] which the spectrum has reached,
// divided by 1 + E (E the minimum) so that no eigenvalue leaves (0, 1].
//
// The greedy choice lets eigenvalues in the middle fall to the trough ((1 - E) / (1 + E))^p, and with them the accuracy
// of directions that had arrived already. So l is not taken smaller than l_cap, where E(l_cap) = 0.2, and for p > 4 the
// E with the trough of p = 4, (2/3)^4. The growth at the small end hardly suffers: 6.7, 11.7, 21 times a step for
// p = 1, 2, 4.
// Derivation: docs/algorithms.md; the greedy composition is optimal: Amsel et al., arXiv 2505.16932, theorem 3.1.
#pragma once

#include <array>
#include <atomic>
#include <vector>

namespace kronroot {

struct MinimaxStep {
  double c0, c1, c2;
};

struct MinimaxFit {
  MinimaxStep step;
  double error;  // E
};

// Largest E of a step that is not the last.
double minimax_error_cap(int p);

// The best polynomial on [left^{1/p}, 1], 0 < left < 1, not divided by 1 + E. Remez exchange with weight x^{1/p}.
MinimaxFit minimax_fit(int p, double left);

// l_cap of the exponent.
double minimax_left_cap(int p);

// Steps after which |t - 1| <= tolerance for eigenvalues in [1 / condition, 1]. 1 <= p <= 64, condition >= 1.
std::vector<MinimaxStep> minimax_steps(int p, double condition, double tolerance);

// The same for the condition rounded up to a tenth of a decade, kept for the life of the process. Thread-safe.
const std::vector<MinimaxStep>& minimax_schedule(int p, double condition, double tolerance);

// The schedules of one p and tolerance, looked up without a lock once they were met: for calls of many small matrices.
// Thread-safe.
class MinimaxSchedules {
 public:
  MinimaxSchedules(int p, double tolerance) : p_(p), tolerance_(tolerance) {}
  const std::vector<MinimaxStep>& of(double condition);

 private:
  int p_;
  double tolerance_;
  std::array<std::atomic<const std::vector<MinimaxStep>*>, 256> met_{};  // by tenths of a decade
};

}  // namespace kronroot
