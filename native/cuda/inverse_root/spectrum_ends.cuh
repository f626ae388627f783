// Both ends of the spectrum of a tridiagonal matrix, and its inertia.
#pragma once

#include "tridiagonal.cuh"

namespace kronroot::cuda {

struct SpectrumEnds {
  double smallest, largest;
};

// Number of eigenvalues above `shift`: of the positive pivots of T - shift I (Sylvester's law of inertia).
template <typename Vector>
__attribute__((noinline)) __device__ int count_above(const Tridiagonal<Vector>& t, double shift) {
  constexpr double least_pivot = 1e-290;
  int count = 0;
  double pivot = 1, square = 0;
  for (int k = 0; k < t.n; ++k) {
    const double here = t.diagonal[k];
    pivot = here - shift - square / pivot;
    if (std::abs(pivot) < least_pivot) pivot = -least_pivot;
    count += pivot > 0 ? 1 : 0;
    const double coupling = k + 1 < t.n ? static_cast<double>(t.couplings[k]) : 0;
    square = coupling * coupling;
  }
  return count;
}

// Enclosures of both ends, cut into as many parts as half of the team has threads until they are no wider than
// tolerance times the size of T; the upper ends are returned.
template <typename Team, typename Vector>
__attribute__((noinline)) __device__ SpectrumEnds spectrum_ends(const Team& team, const Tridiagonal<Vector>& t,
                                                                double tolerance) {
  double low = 0, high = 0;  // by Gershgorin's theorem, of -T and of T
  for (int k = team.rank(); k < t.n; k += team.size()) {
    const double centre = t.diagonal[k];
    const double before = k > 0 ? std::abs(static_cast<double>(t.couplings[k - 1])) : 0;
    const double after = k + 1 < t.n ? std::abs(static_cast<double>(t.couplings[k])) : 0;
    high = std::max(high, centre + before + after);
    low = std::max(low, before + after - centre);
  }
  high = team.max(high);
  low = -team.max(low);
  const double size = std::max(high, -low);
  const double margin = 1e-15 * size + 1e-300;
  // [bottom, top) of the largest eigenvalue, and of the smallest.
  double bottoms[2] = {low - margin, low - margin}, tops[2] = {high + margin, high + margin};
  const int parts = team.size() / 2;
  const bool seeks_smallest = team.rank() >= parts;
  const int mine = team.rank() % parts + 1;
  while (std::max(tops[0] - bottoms[0], tops[1] - bottoms[1]) > tolerance * size) {
    const double bottom = seeks_smallest ? bottoms[1] : bottoms[0], top = seeks_smallest ? tops[1] : tops[0];
    const double x = bottom + (top - bottom) * mine / (parts + 1);
    const int above = count_above(t, x);
    // Whether the eigenvalue sought is above x.
    const bool is_above = seeks_smallest ? above == t.n : above > 0;
    const bool takes_part = team.rank() < 2 * parts;
    const double passed[2] = {team.sum(is_above && takes_part && !seeks_smallest ? 1.0 : 0.0),
                              team.sum(is_above && takes_part && seeks_smallest ? 1.0 : 0.0)};
    bool has_moved = false;
#pragma unroll
    for (int end = 0; end < 2; ++end) {
      const double width = tops[end] - bottoms[end], from = bottoms[end];
      if (passed[end] > 0) bottoms[end] = from + width * passed[end] / (parts + 1);
      if (passed[end] < parts) tops[end] = from + width * (passed[end] + 1) / (parts + 1);
      has_moved |= tops[end] - bottoms[end] < width;
    }
    if (!has_moved) break;
  }
  return {bottoms[1], tops[0]};
}

}  // namespace kronroot::cuda
