// inverse_root with one matrix to a lane: which calls, and the plan of every lane for the kernels of lanes/.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "../../core/minimax.hpp"
#include "../../core/partial_fractions.hpp"
#include "../kernels.hpp"
#include "lanes.hpp"
#include "problem.hpp"

namespace kronroot::cpu {

// The method of a call that computes one matrix to a lane, nothing for one that does not: by the planner under AUTO,
// MINIMAX (p = 2 .. 16, n <= 64) and PARTIAL_FRACTIONS (p >= 1), for n >= 2.
std::optional<kr_method> root_lanes_method(const kr_call* call, const kr_inverse_root_options& options,
                                           const kr_batch& a);

// What became of a matrix in a group.
enum class LaneOutcome {
  answered,
  needs_eigenvalues,  // to decide what counts as 0, or because the condition is beyond the method
  left,               // to the path for single matrices
};

// A call for groups of matrices, one to a lane.
template <typename T>
class RootLanes {
 public:
  // For n x n matrices. Throws std::bad_alloc.
  RootLanes(const kr_call* call, const kr_inverse_root_options& options, kr_method method, int64_t n);

  // Answers the matrices of a group that the method can answer: of those x and reports[l] are set. The others, whose x
  // is left as it was, are for the ladder: diagonal ones, those that have eigenvalues which count as 0 or no answer at
  // all, and results that fail their certificate. Thread-safe.
  void answer(const LaneGroup<const T>& a, const LaneGroup<T>& x, kr_report* reports, LaneOutcome* outcomes);

  const double* signs() const { return signs_.data(); }

 private:
  struct Plan;
  int divide(int numerator) const;
  double root_of_two(int numerator) const;
  void make_plan(const LaneSpectra& found, int l, Plan& plan);
  void run_minimax(const Plan* plans, const LaneCertificate& certificate, const T* s, const LaneGroup<T>& x,
                   T* workspace, LaneRoots& roots);
  void run_fractions(const Plan* plans, const LaneCertificate& certificate, const T* s, const LaneGroup<T>& x,
                     T* workspace, LaneRoots& roots);

  const kr_call* call_;
  const kr_inverse_root_options& options_;
  const Kernels<T>& kernels_;
  Root root_;
  double reciprocal_;  // 1 / a
  kr_method method_;
  MinimaxSchedules minimax_;
  PowerFractions fractions_;
  int64_t n_;
  std::array<double, root_limit> roots_of_two_{};  // 2^{i / a}
  std::vector<double> signs_;                      // n random signs
};

}  // namespace kronroot::cpu
