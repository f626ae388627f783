// Divide and conquer for the symmetric tridiagonal eigenproblem: the matrix is cut into parts of at most 16 by taking
// rank-one matrices out of it, half a warp decomposes each of them by Jacobi's method, and the parts are put together
// again two by two (merge.cuh), all matrices of the batch at once: a level is one launch, or five where it is large,
// and one batched product. Source: Cuppen, Numer. Math. 36 (1981); Gu and Eisenstat, SIAM J. Matrix Anal. Appl. 16
// (1995).
#include "divide_and_conquer.hpp"

#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "jacobi.cuh"
#include "merge_kernels.cuh"

namespace kronroot::cuda {
namespace {

// Half a warp a leaf.
constexpr int largest_leaf = 16;
constexpr int leaf_threads = 128;
constexpr int leaves_of_block = leaf_threads / largest_leaf;
// Merges up to this order take one launch.
constexpr int64_t most_in_block = 128;

template <typename T>
struct LeafMemory {
  static constexpr int leaf_elements = largest_leaf * (largest_leaf + 1);
  SharedArena arena;
  Shared<T> angles, vectors;
  __host__ __device__ explicit LeafMemory(int leaf)
      : angles(arena.take<T>(leaves_of_block * 2 * largest_leaf) + leaf * 2 * largest_leaf),
        vectors(arena.take<T>(leaves_of_block * leaf_elements) + leaf * leaf_elements) {}
};

// The eigenvectors of leaves by columns, leaf x leaf, and their eigenvalues.
template <typename T>
__global__ void __launch_bounds__(leaf_threads)
    decompose_leaves(TridiagonalBatch<T> form, int leaf, Global<double> values, Global<T> vectors,
                     Global<int32_t> unsolved, Global<int32_t> most_sweeps, Global<const int32_t> skip) {
  const int64_t leaves_of_matrix = form.padded / leaf;
  const int lane = thread_index() % largest_leaf, in_block = thread_index() / largest_leaf;
  const int64_t index = block_index() * leaves_of_block + in_block;
  const int64_t b = index / leaves_of_matrix;
  const bool is_present = b < form.batch && (!skip || skip[b] == 0);
  const LeafMemory<T> memory(in_block);
  const bool is_first = index % leaves_of_matrix == 0, is_last = (index + 1) % leaves_of_matrix == 0;
  const Global<const double> d = Global<const double>(form.d) + index * leaf;
  const Global<const double> e = Global<const double>(form.e) + index * leaf;

  const bool is_row = is_present && lane < leaf;
  const double above = is_row && lane > 0 ? e[lane - 1] : 0.0;
  const double below = is_row && lane < leaf - 1 ? e[lane] : 0.0;
  double diagonal = is_row ? d[lane] : 0.0;
  // The couplings to the neighbours are taken out with their rank-one matrices.
  if (is_row && lane == 0 && !is_first) diagonal -= std::abs(e[-1]);
  if (is_row && lane == leaf - 1 && !is_last) diagonal -= std::abs(e[leaf - 1]);
  Jacobi<T, largest_leaf, true> jacobi;
#pragma unroll
  for (int i = 0; i < largest_leaf; ++i) {
    jacobi.a[i] = static_cast<T>(i == lane ? diagonal : i == lane - 1 ? above : i == lane + 1 ? below : 0.0);
  }
  const double bound = is_present ? Global<const double>(form.bound)[b] : 0.0;
  const int sweeps = jacobi.run(static_cast<T>(ulp_of<T> / (8 * largest_leaf) * bound), memory.angles);
  const int place = jacobi.rank(leaf);
#pragma unroll
  for (int k = 0; k < largest_leaf; ++k) {
    memory.vectors[lane * (largest_leaf + 1) + shuffle(place, k, largest_leaf)] = jacobi.v[k];
  }
  sync_warp();
  if (!is_present) return;
  if (place < leaf) values[index * leaf + place] = static_cast<double>(jacobi.value);
  if (lane == 0) {
    atomic_max(unsolved, b, sweeps < 0 ? int32_t{1} : int32_t{0});
    atomic_max(most_sweeps, b, int32_t{sweeps});
  }
  for (int i = 0; i < leaf; ++i) {
    if (lane < leaf) vectors[(index * leaf + i) * leaf + lane] = memory.vectors[i * (largest_leaf + 1) + lane];
  }
}

__global__ void clear_flags(Global<int32_t> unsolved, Global<int32_t> sweeps, int64_t count) {
  const int64_t b = block_index() * block_threads() + thread_index();
  if (b < count) unsolved[b] = sweeps[b] = 0;
}

MergeArrays arrays_of(Op& op, int64_t count, double* values) {
  MergeArrays arrays{};
  double* const numbers = op.scratch<double>(9 * count);
  int32_t* const indices = op.scratch<int32_t>(7 * count);
  if (op.failed()) return arrays;
  arrays.values = values;
  double** const in_f64[] = {&arrays.pole,        &arrays.z,      &arrays.kept_pole, &arrays.kept_z,
                             &arrays.corrected_z, &arrays.offset, &arrays.cosine,    &arrays.deflated_value,
                             &arrays.sine};
  int32_t** const in_i32[] = {&arrays.column,       &arrays.kept_column,   &arrays.origin, &arrays.deflated_column,
                              &arrays.turned_first, &arrays.turned_second, &arrays.source};
  for (int i = 0; i < 9; ++i) *in_f64[i] = numbers + i * count;
  for (int i = 0; i < 7; ++i) *in_i32[i] = indices + i * count;
  return arrays;
}

// One level: parts of order level.half at `from` become parts of twice the order at `to`.
template <typename T>
void merge(Op& op, const MergeLevel& level, const T* from, T* weights, T* to) {
  const int64_t n = 2 * level.half;
  const Global<const T> parts(from);
  const Global<T> w(weights);
  if (n <= most_in_block) {
    constexpr int lanes = 8;
    const int threads = n <= 32 ? 128 : 256;
    launch<prepare_merge<T, lanes>>(op, {{level.merges}, threads, threads * sizeof(double)}, level, parts, w);
  } else {
    constexpr int threads = 256, warps = threads / warp_size;
    const int64_t groups = (n + warp_size - 1) / warp_size, warp_blocks = (level.merges * n + warps - 1) / warps;
    launch<deflate_merge<T>>(op, {{level.merges}, threads, warps * sizeof(double)}, level, parts);
    launch<find_roots<T>>(op, {{warp_blocks}, threads, 0}, level);
    launch<correct_merge<T>>(op, {{warp_blocks}, threads, 0}, level);
    launch<order_merge<T>>(op, {{level.merges}, threads, 0}, level);
    launch<form_weights_of_merge<T>>(op, {{level.merges * groups}, threads, threads * sizeof(double)}, level, w);
  }
  multiply<T>(op, {.a = dense_view<const T>(from, 2 * level.merges, level.half, level.half),
                   .b = dense_view<const T>(weights, 2 * level.merges, level.half, n),
                   .c = dense_view<T>(to, 2 * level.merges, level.half, n),
                   .skip = level.skip_parts});
}

}  // namespace

Division division_of(int64_t n) {
  Division division{n, 0};
  while (division.leaf > largest_leaf) {
    ++division.levels;
    division.leaf = (n + (int64_t{1} << division.levels) - 1) >> division.levels;
  }
  return division;
}

template <typename T>
T* divide_and_conquer(Op& op, const TridiagonalBatch<T>& form, double* values, int32_t* unsolved, int32_t* sweeps,
                      const int32_t* skip) {
  const Division division = division_of(form.order);
  const int64_t count = form.batch * form.padded;
  const int64_t leaves = count / division.leaf;
  T* now = op.scratch<T>(count * form.padded);
  T* next = op.scratch<T>(count * form.padded);
  T* const weights = op.scratch<T>(count * form.padded);
  MergeLevel level;
  level.arrays = arrays_of(op, count, values);
  level.counts = op.scratch<MergeCounts>(leaves);
  level.skip_parts = op.scratch<int32_t>(leaves);
  level.e = form.e;
  level.bound = form.bound;
  level.skip = skip;
  level.unsolved = unsolved;

  launch<clear_flags>(op, {{(form.batch + 255) / 256}, 256, 0}, Global<int32_t>(unsolved), Global<int32_t>(sweeps),
                      form.batch);
  launch<decompose_leaves<T>>(
      op, {{(leaves + leaves_of_block - 1) / leaves_of_block}, leaf_threads, LeafMemory<T>(0).arena.bytes()}, form,
      static_cast<int>(division.leaf), Global<double>(values), Global<T>(now), Global<int32_t>(unsolved),
      Global<int32_t>(sweeps), Global<const int32_t>(skip));
  for (int64_t half = division.leaf; half < form.padded; half *= 2) {
    level.half = static_cast<int>(half);
    level.merges = count / (2 * half);
    level.merges_of_matrix = static_cast<int>(form.padded / (2 * half));
    merge(op, level, now, weights, next);
    std::swap(now, next);
  }
  return now;
}

template float* divide_and_conquer(Op&, const TridiagonalBatch<float>&, double*, int32_t*, int32_t*, const int32_t*);
template double* divide_and_conquer(Op&, const TridiagonalBatch<double>&, double*, int32_t*, int32_t*, const int32_t*);

}  // namespace kronroot::cuda
