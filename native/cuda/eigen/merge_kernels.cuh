// The steps of a level of divide and conquer (merge.cuh) before the product Q W.
#pragma once

#include <cmath>

#include "../../core/matrix.hpp"
#include "merge.cuh"
#include "secular.cuh"

namespace kronroot::cuda {

// Of numbers in ascending order, how many are below x, or up to it.
__device__ __forceinline__ int count_below(Global<const double> sorted, int count, double x, bool or_equal) {
  int low = 0, high = count;
  while (low < high) {
    const int middle = (low + high) / 2;
    const double at = sorted[middle];
    if (at < x || (or_equal && at == x)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// z and the order of the poles, then deflation: an eigenvector with rho |z_j| below the tolerance stays as it is; of
// two whose eigenvalues are so close that a rotation which makes one z_j zero leaves a coupling below the tolerance,
// that one stays. What is left has distinct poles and nonzero z. One block a merge; shared memory: a number for each
// warp.
template <typename T>
__global__ void deflate(MergeLevel level, Global<const T> parts) {
  const int64_t m = block_index();
  const int64_t matrix = m / level.merges_of_matrix;
  const Global<MergeCounts> counts(level.counts);
  const bool is_skipped = level.skip != nullptr && Global<const int32_t>(level.skip)[matrix] != 0;
  if (is_skipped) {
    if (thread_index() == 0) {
      counts[m] = {0, 0, 0, 1, 0};
      Global<int32_t>(level.skip_parts)[2 * m] = Global<int32_t>(level.skip_parts)[2 * m + 1] = 1;
    }
    return;
  }
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warp_count());
  const int h = level.half, n = 2 * h;
  const int64_t base = m * n;
  const Global<const double> values = Global<const double>(level.arrays.values) + base;
  const Global<double> pole = Global<double>(level.arrays.pole) + base, z = Global<double>(level.arrays.z) + base;
  const Global<int32_t> column = Global<int32_t>(level.arrays.column) + base;
  const Global<const T> upper = parts + 2 * m * h * h, lower = upper + int64_t{h} * h;
  const double coupling = Global<const double>(level.e)[base + h - 1];

  double squares = 0;
  for (int i = thread_index(); i < n; i += block_threads()) {
    const double zi = i < h          ? static_cast<double>(upper[int64_t{h - 1} * h + i])
                      : coupling < 0 ? -static_cast<double>(lower[i - h])
                                     : static_cast<double>(lower[i - h]);
    squares += zi * zi;
  }
  // |z|^2 is 2 but for rounding of the eigenvectors.
  squares = block_sum(squares, partial);
  const double scale = 1 / std::sqrt(squares), rho = std::abs(coupling) * squares;
  for (int i = thread_index(); i < n; i += block_threads()) {
    const double value = values[i];
    const int place =
        i < h ? i + count_below(values + h, h, value, false) : i - h + count_below(values, h, value, true);
    const double zi = i < h ? static_cast<double>(upper[int64_t{h - 1} * h + i]) : static_cast<double>(lower[i - h]);
    pole[place] = value;
    z[place] = (i >= h && coupling < 0 ? -zi : zi) * scale;
    column[place] = i;
  }
  sync_block();
  if (thread_index() != 0) return;

  // A few ulp of the norm are far below the n ulp that eigh may err by, and each one more deflates more.
  const double tolerance = 2 * ulp_of<T> * Global<const double>(level.bound)[matrix];
  const Global<double> kept_pole = Global<double>(level.arrays.kept_pole) + base;
  const Global<double> kept_z = Global<double>(level.arrays.kept_z) + base;
  const Global<int32_t> kept_column = Global<int32_t>(level.arrays.kept_column) + base;
  const Global<double> deflated_value = Global<double>(level.arrays.deflated_value) + base;
  const Global<int32_t> deflated_column = Global<int32_t>(level.arrays.deflated_column) + base;
  int kept = 0, deflated = 0, rotations = 0;
  bool has_previous = false;
  double d_previous = 0, z_previous = 0;
  int column_previous = 0;
  for (int s = 0; s < n; ++s) {
    double ds = pole[s], zs = z[s];
    const int column_s = column[s];
    if (rho * std::abs(zs) <= tolerance) {
      deflated_value[deflated] = ds;
      deflated_column[deflated++] = column_s;
      continue;
    }
    if (has_previous) {
      const double gap = ds - d_previous, square = zs * zs + z_previous * z_previous;
      if (std::abs(gap * zs * z_previous) <= tolerance * square) {
        const double size = std::sqrt(square), c = zs / size, sine = z_previous / size;
        Global<int32_t>(level.arrays.turned_first)[base + rotations] = column_previous;
        Global<int32_t>(level.arrays.turned_second)[base + rotations] = column_s;
        Global<double>(level.arrays.cosine)[base + rotations] = c;
        Global<double>(level.arrays.sine)[base + rotations] = sine;
        ++rotations;
        const double moved = gap * sine * sine;
        deflated_value[deflated] = d_previous + moved;
        deflated_column[deflated++] = column_previous;
        ds -= moved;
        zs = size;
      } else {
        kept_pole[kept] = d_previous;
        kept_z[kept] = z_previous;
        kept_column[kept++] = column_previous;
      }
    }
    has_previous = true;
    d_previous = ds;
    z_previous = zs;
    column_previous = column_s;
  }
  if (has_previous) {
    kept_pole[kept] = d_previous;
    kept_z[kept] = z_previous;
    kept_column[kept++] = column_previous;
  }
  counts[m] = {kept, deflated, rotations, 0, rho};
  Global<int32_t>(level.skip_parts)[2 * m] = Global<int32_t>(level.skip_parts)[2 * m + 1] = 0;
}

// Of the merge of a warp that takes number `which` of 2 h in it.
struct WarpOfMerge {
  int64_t m;
  int which;
  __device__ explicit WarpOfMerge(int half) {
    const int64_t warp = block_index() * warp_count() + warp_index();
    m = warp / (2 * half);
    which = static_cast<int>(warp % (2 * half));
  }
};

__device__ __forceinline__ Secular secular_of(const MergeLevel& level, int64_t m, const MergeCounts& counts) {
  const int64_t base = m * 2 * level.half;
  return {counts.kept, Global<const double>(level.arrays.kept_pole) + base,
          Global<const double>(level.arrays.kept_z) + base, counts.rho};
}

// A warp a root.
template <typename T>
__global__ void solve_secular(MergeLevel level) {
  const WarpOfMerge warp(level.half);
  if (warp.m >= level.merges) return;
  const MergeCounts counts = Global<const MergeCounts>(level.counts)[warp.m];
  if (warp.which >= counts.kept) return;
  const SecularRoot root = secular_root<T>(secular_of(level, warp.m, counts), warp.which);
  if (lane_index() != 0) return;
  const int64_t at = warp.m * 2 * level.half + warp.which;
  Global<int32_t>(level.arrays.origin)[at] = root.origin;
  Global<double>(level.arrays.offset)[at] = root.offset;
  if (!root.is_found) atomic_max(Global<int32_t>(level.unsolved), warp.m / level.merges_of_matrix, int32_t{1});
}

// A warp a pole: z corrected; and lane by lane nothing else.
template <typename T>
__global__ void correct_weights(MergeLevel level) {
  const WarpOfMerge warp(level.half);
  if (warp.m >= level.merges) return;
  const MergeCounts counts = Global<const MergeCounts>(level.counts)[warp.m];
  if (warp.which >= counts.kept) return;
  const int64_t base = warp.m * 2 * level.half;
  const Secular f = secular_of(level, warp.m, counts);
  const double size = corrected_weight(f, Global<const int32_t>(level.arrays.origin) + base,
                                       Global<const double>(level.arrays.offset) + base, warp.which);
  if (lane_index() == 0) {
    Global<double>(level.arrays.corrected_z)[base + warp.which] = std::copysign(size, f.z[warp.which]);
  }
}

// The eigenvalues of the whole in ascending order, and where each comes from. One block a merge.
template <typename T>
__global__ void order_values(MergeLevel level) {
  const int64_t m = block_index();
  const MergeCounts counts = Global<const MergeCounts>(level.counts)[m];
  const int64_t base = m * 2 * level.half;
  const Global<const double> pole = Global<const double>(level.arrays.kept_pole) + base;
  const Global<const double> deflated = Global<const double>(level.arrays.deflated_value) + base;
  const Global<const double> offset = Global<const double>(level.arrays.offset) + base;
  const Global<const int32_t> origin = Global<const int32_t>(level.arrays.origin) + base;
  // The roots take the place of z, which is not needed any more.
  const Global<double> roots = Global<double>(level.arrays.z) + base;
  for (int p = thread_index(); p < counts.kept; p += block_threads()) roots[p] = pole[origin[p]] + offset[p];
  sync_block();
  for (int item = thread_index(); item < counts.kept + counts.deflated; item += block_threads()) {
    const bool is_root = item < counts.kept;
    const int q = item - counts.kept;
    const double value = is_root ? roots[item] : deflated[q];
    int place = is_root ? item : count_below(roots, counts.kept, value, true);
    for (int other = 0; other < counts.deflated; ++other) {
      const double x = deflated[other];
      if (x < value || (!is_root && x == value && other < q)) ++place;
    }
    Global<double>(level.arrays.values)[base + place] = value;
    Global<int32_t>(level.arrays.source)[base + place] = is_root ? item : -1 - q;
  }
}

// W, 32 columns a block of 256 threads. Shared memory: 256 sums.
template <typename T>
__global__ void form_weights(MergeLevel level, Global<T> weights) {
  const int n = 2 * level.half;
  const int64_t groups = (n + warp_size - 1) / warp_size;
  const int64_t m = block_index() / groups;
  const MergeCounts counts = Global<const MergeCounts>(level.counts)[m];
  if (counts.is_skipped != 0) return;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(block_threads());
  const int c = static_cast<int>(block_index() % groups) * warp_size + lane_index();
  const int64_t base = m * n;
  const Global<T> w = weights + m * n * n;
  const Global<const double> pole = Global<const double>(level.arrays.kept_pole) + base;
  const Global<const double> z = Global<const double>(level.arrays.corrected_z) + base;
  const Global<const int32_t> kept_column = Global<const int32_t>(level.arrays.kept_column) + base;
  const Global<const int32_t> deflated_column = Global<const int32_t>(level.arrays.deflated_column) + base;
  const bool is_column = c < n;
  const int source = is_column ? Global<const int32_t>(level.arrays.source)[base + c] : -1;
  const bool is_root = source >= 0;
  const double origin = is_root ? pole[Global<const int32_t>(level.arrays.origin)[base + source]] : 0;
  const double offset = is_root ? Global<const double>(level.arrays.offset)[base + source] : 0;
  double squares = 0;
  for (int p = warp_index(); p < counts.kept && is_root; p += warp_count()) {
    const double weight = z[p] / ((pole[p] - origin) - offset);
    squares += weight * weight;
  }
  partial[thread_index()] = squares;
  sync_block();
  squares = 0;
  for (int part = 0; part < warp_count(); ++part) squares += partial[part * warp_size + lane_index()];
  const double scale = is_root ? 1 / std::sqrt(squares) : 0;
  if (is_column) {
    for (int p = warp_index(); p < counts.kept; p += warp_count()) {
      const double weight = is_root ? z[p] / ((pole[p] - origin) - offset) * scale : 0;
      w[int64_t{kept_column[p]} * n + c] = static_cast<T>(weight);
    }
    for (int q = warp_index(); q < counts.deflated; q += warp_count()) {
      w[int64_t{deflated_column[q]} * n + c] = source == -1 - q ? T(1) : T(0);
    }
  }
  sync_block();
  if (warp_index() != 0 || !is_column) return;
  // Q G1 G2 ... times W: the last rotation comes first.
  for (int r = counts.rotations - 1; r >= 0; --r) {
    const int64_t i = int64_t{Global<const int32_t>(level.arrays.turned_first)[base + r]} * n + c;
    const int64_t j = int64_t{Global<const int32_t>(level.arrays.turned_second)[base + r]} * n + c;
    const T cosine = static_cast<T>(Global<const double>(level.arrays.cosine)[base + r]);
    const T sine = static_cast<T>(Global<const double>(level.arrays.sine)[base + r]);
    const T x = w[i], y = w[j];
    w[i] = cosine * x + sine * y;
    w[j] = cosine * y - sine * x;
  }
}

}  // namespace kronroot::cuda
