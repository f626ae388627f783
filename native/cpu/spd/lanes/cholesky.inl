// A + epsilon I = L L^T of a group of matrices.
#pragma once

#include "norm.inl"
#include "system.inl"
#include "write.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// |A z - L L^T z|_2 / (|A|_F |z|_2), A after the ridge.
template <typename T>
void factor_residual(const LaneSystem<T>& system, Wide<T>* product, Wide<T>* coordinates, Wide<T>* back,
                     double (&residual)[kMostLanes]) {
  const int64_t n = system.order;
  multiply_system(system, system.signs, product);
  multiply_wide<TriangleProduct::columns>(system.factor.triangle, n, system.signs, coordinates);
  multiply_wide<TriangleProduct::rows>(system.factor.triangle, n, coordinates, back);
  distance_squares(n, product, back, residual);
  double norm[kMostLanes];
  frobenius_norms(system, norm);
  for (int l = 0; l < kWidth<T>; ++l) {
    residual[l] = __builtin_sqrt(residual[l] / static_cast<double>(n)) / norm[l];
  }
}

template <typename T>
int64_t cholesky_lanes_workspace(int64_t n, int32_t ridge) {
  LaneMemory<T> memory(nullptr);
  LaneSystem<T> system(n, ridge, memory);
  memory.wide(3 * n);
  return memory.elements();
}

template <typename T>
void cholesky_lanes(const SpdLanesOptions& options, const LaneGroup<const T>& a, const LaneGroup<T>& l, T* workspace,
                    SpdLanesAnswer& answer) {
  const int64_t n = a.rows;
  LaneMemory<T> memory(workspace);
  LaneSystem<T> system(n, options.ridge.ridge, memory);
  Wide<T>* const product = memory.wide(n);
  Wide<T>* const coordinates = memory.wide(n);
  Wide<T>* const back = memory.wide(n);
  factorize_group(options, a, system, answer);
  factor_residual(system, product, coordinates, back, answer.residual);
  T* const triangle = system.factor.triangle;
  if (system.is_scaled) {
    const int64_t elements = n * (n + 1) / 2;
    scale_lanes<T>(elements, triangle, load_exponents<T>(system.exponent) / 2);
    fail_lanes<T>(finite_lanes(elements, triangle), KR_STATUS_OVERFLOW, answer);
  }
  bool wanted[kMostLanes] = {};
  list_answered<T>(answer, wanted);
  write_triangle_lanes<Above::zero>(triangle, l, wanted);
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
