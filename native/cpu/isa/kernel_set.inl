// The table of one instruction set, filled from the templates of gemm/ and eigen/.
#pragma once

#include "../eigen/eigh.inl"
#include "../eigen/lanes/eigh.inl"
#include "../elementwise/scale.inl"
#include "../elementwise/update.inl"
#include "../gemm/each.inl"
#include "../gemm/gemm.inl"
#include "../gemm/lanes.inl"
#include "../gemm/transpose.inl"
#include "../gemm/vector_operations.inl"
#include "../inverse_root/lanes/minimax.inl"
#include "../inverse_root/lanes/partial_fractions.inl"
#include "../inverse_root/partial_fractions.inl"
#include "../norm/lanes/norm_estimate.inl"
#include "../orthogonalize/lanes/newton_schulz.inl"
#include "../qr/lanes/qr.inl"
#include "../spd/elimination.inl"
#include "../spd/lanes/cholesky.inl"
#include "../spd/lanes/spd_inverse.inl"
#include "../spd/lanes/spd_solve.inl"
#include "../svd/lanes/svd.inl"
#include "../triangular/lanes/triangular_solve.inl"
#include "../triangular/substitution.inl"

namespace kronroot::cpu {
namespace {

template <typename T>
constexpr Kernels<T> kernels_for() {
  return {
      .lanes = kWidth<T>,
      .gemm_workspace = gemm_workspace<T>,
      .gemm = gemm<T>,
      .gemm_each = gemm_each<T>,
      .product_lanes_workspace = product::product_lanes_workspace<T>,
      .product_lanes = product::product_lanes<T>,
      .eigh_workspace = eigen::eigh_workspace<T>,
      .eigh = eigen::eigh<T>,
      .eliminate = spd::eliminate<T>,
      .factorize_rows = spd::factorize_rows<T>,
      .cholesky_lanes_workspace = spd::cholesky_lanes_workspace<T>,
      .spd_inverse_lanes_workspace = spd::spd_inverse_lanes_workspace<T>,
      .spd_solve_lanes_workspace = spd::spd_solve_lanes_workspace<T>,
      .cholesky_lanes = spd::cholesky_lanes<T>,
      .spd_inverse_lanes = spd::spd_inverse_lanes<T>,
      .spd_solve_lanes = spd::spd_solve_lanes<T>,
      .root_lanes_matrix = roots::matrix_elements<T>,
      .minimax_root_lanes_workspace = roots::minimax_root_lanes_workspace<T>,
      .partial_fraction_root_lanes_workspace = roots::partial_fraction_root_lanes_workspace<T>,
      .examine_root_lanes = roots::examine_root_lanes<T>,
      .minimax_root_lanes = roots::minimax_root_lanes<T>,
      .partial_fraction_root_lanes = roots::partial_fraction_root_lanes<T>,
      .partial_fraction_root_workspace = roots::partial_fraction_root_workspace<T>,
      .examine_root = roots::examine_root<T>,
      .partial_fraction_root = roots::partial_fraction_root<T>,
      .largest_magnitude = largest_magnitude<T>,
      .extremes = extremes<T>,
      .eigh_lanes_workspace = eigen_lanes::eigh_lanes_workspace<T>,
      .eigh_lanes = eigen_lanes::eigh_lanes<T>,
      .newton_schulz_lanes_workspace = orthogonal::newton_schulz_lanes_workspace<T>,
      .newton_schulz_lanes = orthogonal::newton_schulz_lanes<T>,
      .qr_lanes_workspace = qr::qr_lanes_workspace<T>,
      .qr_lanes = qr::qr_lanes<T>,
      .svd_lanes_workspace = svd::svd_lanes_workspace<T>,
      .svd_lanes = svd::svd_lanes<T>,
      .triangular_solve_lanes_workspace = triangular::triangular_solve_lanes_workspace<T>,
      .triangular_solve_lanes = triangular::triangular_solve_lanes<T>,
      .substitute = triangular::substitute<T>,
      .norm_lanes_workspace = norms::norm_lanes_workspace<T>,
      .norm_lanes = norms::norm_lanes<T>,
      .update = elementwise::update<T>,
      .divide = elementwise::divide<T, T>,
      .divide_wide = elementwise::divide<T, double>,
      .blend_squares = elementwise::blend_squares<T>,
      .dot = dot<T, T>,
      .dot_wide = dot<T, double>,
      .dot_rows_wide = dot_rows_wide<T>,
      .magnitude_sum = magnitude_sum<T>,
      .add_magnitudes = add_magnitudes<T>,
      .axpy = axpy<T>,
      .axpy_wide = axpy_wide<T>,
      .axpy_rows_wide = axpy_rows_wide<T>,
      .transpose = transpose<T>,
  };
}

}  // namespace
}  // namespace kronroot::cpu
