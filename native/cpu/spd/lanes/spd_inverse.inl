// X = (A + epsilon I)^{-1} of a group of matrices.
#pragma once

#include "inverse.inl"
#include "system.inl"
#include "write.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// |(A + epsilon I) X z - z|_2 / |z|_2; X is scaled as the factor is.
template <typename T>
void inverse_residual(const LaneSystem<T>& system, const T* x, Wide<T>* solution, Wide<T>* back,
                      double (&residual)[kMostLanes]) {
  const int64_t n = system.order;
  multiply_wide<TriangleProduct::symmetric>(x, n, system.signs, solution);
  multiply_system(system, solution, back);
  distance_squares(n, back, system.signs, residual);
  for (int l = 0; l < kWidth<T>; ++l) residual[l] = __builtin_sqrt(residual[l] / static_cast<double>(n));
}

template <typename T>
int64_t spd_inverse_lanes_workspace(int64_t n, int32_t ridge) {
  LaneMemory<T> memory(nullptr);
  LaneSystem<T> system(n, ridge, memory);
  memory.wide(2 * n);
  return memory.elements();
}

template <typename T>
void spd_inverse_lanes(const SpdLanesOptions& options, const LaneGroup<const T>& a, const LaneGroup<T>& out,
                       T* workspace, SpdLanesAnswer& answer) {
  const int64_t n = a.rows;
  LaneMemory<T> memory(workspace);
  LaneSystem<T> system(n, options.ridge.ridge, memory);
  Wide<T>* const solution = memory.wide(n);
  Wide<T>* const back = memory.wide(n);
  factorize_group(options, a, system, answer);
  invert_factor_lanes(system.factor);
  T* const x = system.factor.triangle;
  multiply_by_transpose_lanes(x, n);
  inverse_residual(system, x, solution, back, answer.residual);
  bool is_suspect = system.is_scaled;  // an element that is not finite shows in the residual
  for (int l = 0; l < kWidth<T>; ++l) is_suspect |= !(answer.residual[l] < __builtin_inf());
  if (is_suspect) {
    const int64_t elements = n * (n + 1) / 2;
    scale_lanes<T>(elements, x, -load_exponents<T>(system.exponent));
    fail_lanes<T>(finite_lanes(elements, x), KR_STATUS_OVERFLOW, answer);
  }
  bool wanted[kMostLanes] = {};
  list_answered<T>(answer, wanted);
  write_triangle_lanes<Above::mirrored>(x, out, wanted);
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
