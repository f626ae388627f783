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
// that one stays. What is left has distinct poles and nonzero z. By a block; `partial` holds a number for each warp.
template <typename T>
__device__ void deflate(const MergeLevel& level, int64_t m, Global<const T> parts, Shared<double> partial) {
  const int h = level.half, n = 2 * h;
  const int64_t base = m * n;
  const Global<const double> values = Global<const double>(level.arrays.values) + base;
  const Global<double> pole = Global<double>(level.arrays.pole) + base, z = Global<double>(level.arrays.z) + base;
  const Global<int32_t> column = Global<int32_t>(level.arrays.column) + base;
  const Global<const T> upper = parts + 2 * m * h * h, lower = upper + int64_t{h} * h;
  const double coupling = Global<const double>(level.e)[base + h - 1];
  const auto z_of = [&](int i) {
    if (i < h) return static_cast<double>(upper[int64_t{h - 1} * h + i]);
    const double first = static_cast<double>(lower[i - h]);
    return coupling < 0 ? -first : first;
  };

  double squares = 0;
  for (int i = thread_index(); i < n; i += block_threads()) squares += z_of(i) * z_of(i);
  // |z|^2 is 2 but for rounding of the eigenvectors.
  squares = block_sum(squares, partial);
  const double scale = 1 / std::sqrt(squares), rho = std::abs(coupling) * squares;
  for (int i = thread_index(); i < n; i += block_threads()) {
    const double value = values[i];
    const int place =
        i < h ? i + count_below(values + h, h, value, false) : i - h + count_below(values, h, value, true);
    pole[place] = value;
    z[place] = z_of(i) * scale;
    column[place] = i;
  }
  sync_block();
  if (thread_index() != 0) return;

  // A few ulp of the norm are far below the n ulp that eigh may err by, and each one more deflates more.
  const double tolerance = 2 * ulp_of<T> * Global<const double>(level.bound)[m / level.merges_of_matrix];
  const Global<double> kept_pole = Global<double>(level.arrays.kept_pole) + base;
  const Global<double> kept_z = Global<double>(level.arrays.kept_z) + base;
  const Global<int32_t> kept_column = Global<int32_t>(level.arrays.kept_column) + base;
  const Global<double> deflated_value = Global<double>(level.arrays.deflated_value) + base;
  const Global<int32_t> deflated_column = Global<int32_t>(level.arrays.deflated_column) + base;
  int kept = 0, deflated = 0, rotations = 0;
  bool has_previous = false;
  double d_previous = 0, z_previous = 0;
  int column_previous = 0;
  // The next pole is loaded before this one is looked at.
  double d_next = pole[0], z_next = z[0];
  int column_next = column[0];
  for (int s = 0; s < n; ++s) {
    double ds = d_next, zs = z_next;
    const int column_s = column_next, next = s + 1 < n ? s + 1 : s;
    d_next = pole[next];
    z_next = z[next];
    column_next = column[next];
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
  Global<MergeCounts>(level.counts)[m] = {kept, deflated, rotations, rho};
}

__device__ __forceinline__ Secular secular_of(const MergeLevel& level, int64_t m, const MergeCounts& counts) {
  const int64_t base = m * 2 * level.half;
  return {counts.kept, Global<const double>(level.arrays.kept_pole) + base,
          Global<const double>(level.arrays.kept_z) + base, counts.rho};
}

// Root p of merge m by `lanes` lanes, where p < kept. All lanes of a warp call it for the same merge.
template <typename T, int lanes>
__device__ void find_root(const MergeLevel& level, int64_t m, const MergeCounts& counts, int p) {
  if (counts.kept == 0) return;
  const bool is_needed = p < counts.kept;
  const SecularRoot root = secular_root<T, lanes>(secular_of(level, m, counts), is_needed ? p : 0, is_needed);
  if (!is_needed || lane_index() % lanes != 0) return;
  const int64_t at = m * 2 * level.half + p;
  Global<int32_t>(level.arrays.origin)[at] = root.origin;
  Global<double>(level.arrays.offset)[at] = root.offset;
  if (!root.is_found) atomic_max(Global<int32_t>(level.unsolved), m / level.merges_of_matrix, int32_t{1});
}

// Component p of the corrected z, likewise.
template <int lanes>
__device__ void correct_weight(const MergeLevel& level, int64_t m, const MergeCounts& counts, int p) {
  if (counts.kept == 0) return;
  const int64_t base = m * 2 * level.half;
  const Secular f = secular_of(level, m, counts);
  const bool is_needed = p < counts.kept;
  const double size = corrected_weight<lanes>(f, Global<const int32_t>(level.arrays.origin) + base,
                                              Global<const double>(level.arrays.offset) + base, is_needed ? p : 0);
  if (!is_needed || lane_index() % lanes != 0) return;
  Global<double>(level.arrays.corrected_z)[base + p] = std::copysign(size, f.z[p]);
}

// The eigenvalues of the whole in ascending order, and where each comes from. By a block.
__device__ inline void order_values(const MergeLevel& level, int64_t m, const MergeCounts& counts) {
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

// Columns first, ..., first + 31 of W. By a block; `partial` holds a number for each thread.
template <typename T>
__device__ void form_weights(const MergeLevel& level, int64_t m, const MergeCounts& counts, int first,
                             Global<T> weights, Shared<double> partial) {
  const int n = 2 * level.half, c = first + lane_index();
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

// Whether the matrix of merge m is skipped, said of its parts to the product that follows.
__device__ __forceinline__ bool skips(const MergeLevel& level, int64_t m) {
  const bool is_skipped = level.skip != nullptr && Global<const int32_t>(level.skip)[m / level.merges_of_matrix] != 0;
  if (thread_index() == 0) {
    Global<int32_t>(level.skip_parts)[2 * m] = Global<int32_t>(level.skip_parts)[2 * m + 1] = is_skipped ? 1 : 0;
    if (is_skipped) Global<MergeCounts>(level.counts)[m] = {0, 0, 0, 0};
  }
  return is_skipped;
}

// A small merge, one block. Shared memory: a number for each thread.
template <typename T, int lanes>
__global__ void prepare_merge(MergeLevel level, Global<const T> parts, Global<T> weights) {
  const int64_t m = block_index();
  if (skips(level, m)) return;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(block_threads());
  deflate(level, m, parts, partial);
  sync_block();
  const MergeCounts counts = Global<const MergeCounts>(level.counts)[m];
  const int group = thread_index() / lanes, groups = block_threads() / lanes;
  const int rounds = (2 * level.half + groups - 1) / groups;
  for (int r = 0; r < rounds; ++r) find_root<T, lanes>(level, m, counts, r * groups + group);
  sync_block();
  for (int r = 0; r < rounds; ++r) correct_weight<lanes>(level, m, counts, r * groups + group);
  sync_block();
  order_values(level, m, counts);
  sync_block();
  for (int first = 0; first < 2 * level.half; first += warp_size) {
    form_weights(level, m, counts, first, weights, partial);
    sync_block();
  }
}

// Large merges, step by step. One block each; shared memory: a number for each warp.
template <typename T>
__global__ void deflate_merge(MergeLevel level, Global<const T> parts) {
  if (skips(level, block_index())) return;
  SharedArena arena;
  deflate(level, block_index(), parts, arena.take<double>(warp_count()));
}

// Number `which` of the 2 h of merge m, for the warp.
struct WarpOfMerge {
  int64_t m;
  int which;
  __device__ explicit WarpOfMerge(int half) {
    const int64_t warp = block_index() * warp_count() + warp_index();
    m = warp / (2 * half);
    which = static_cast<int>(warp % (2 * half));
  }
};

template <typename T>
__global__ void find_roots(MergeLevel level) {
  const WarpOfMerge warp(level.half);
  if (warp.m >= level.merges) return;
  find_root<T, warp_size>(level, warp.m, Global<const MergeCounts>(level.counts)[warp.m], warp.which);
}

template <typename T>
__global__ void correct_merge(MergeLevel level) {
  const WarpOfMerge warp(level.half);
  if (warp.m >= level.merges) return;
  correct_weight<warp_size>(level, warp.m, Global<const MergeCounts>(level.counts)[warp.m], warp.which);
}

template <typename T>
__global__ void order_merge(MergeLevel level) {
  order_values(level, block_index(), Global<const MergeCounts>(level.counts)[block_index()]);
}

// 32 columns a block. Shared memory: a number for each thread.
template <typename T>
__global__ void form_weights_of_merge(MergeLevel level, Global<T> weights) {
  const int64_t groups = (2 * level.half + warp_size - 1) / warp_size;
  const int64_t m = block_index() / groups;
  const MergeCounts counts = Global<const MergeCounts>(level.counts)[m];
  if (counts.kept + counts.deflated == 0) return;  // skipped: nothing says where its columns come from
  SharedArena arena;
  form_weights(level, m, counts, static_cast<int>(block_index() % groups) * warp_size, weights,
               arena.take<double>(block_threads()));
}

}  // namespace kronroot::cuda
