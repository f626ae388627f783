#include "by_blocks.hpp"

#include <algorithm>

#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "../sub_batch.hpp"
#include "../team.cuh"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
constexpr int warps = threads / warp_size;
// Right-hand sides of a block of threads, one a lane, and rows that are solved one after the other in registers.
constexpr int group = warp_size;
constexpr int panel = 16;
// Rows of an update that a warp takes at once.
constexpr int rows_at_once = 4;
constexpr int64_t most_at_once = 128, block_order = 64;

// A batch under way.
template <typename T>
struct BlockSolve {
  TriangularSystem<T> system;
  BatchView<T> w;  // C, then Y, in the layout of b
  Global<int32_t> skip;
  Global<TriangularScan> scans;
  int64_t groups;
  Global<double> sums;  // sum_j w_j y_j and sum_j w_j c_j of every group: 2 n numbers
  Global<double> bad;   // not 0: an element of Y is not finite, of every group

  __device__ T solution(int64_t m, int64_t i, int64_t j) const { return system.is_right ? w[m](j, i) : w[m](i, j); }
};

// What T and B are, C = alpha B. One block a matrix.
template <typename T>
__global__ void __launch_bounds__(threads, 2) screen_system(BlockSolve<T> solve) {
  const int64_t m = block_index();
  const TriangularSystem<T>& system = solve.system;
  SharedArena arena;
  const BlockTeam team{arena.take<double>(warps)};
  const MatrixView<const T> t = system.t[m], b = system.b[m];
  const MatrixView<T> w = solve.w[m];
  TriangularScan scan;
  for (int64_t r = warp_index(); r < t.rows; r += warp_count()) {
    for (int64_t c = lane_index(); c < t.cols; c += warp_size) {
      if (!system.counts(r, c)) continue;
      const T x = t(r, c);
      if (!(x - x == 0)) scan.bad = 1;
      if (r == c) scan.see_diagonal(r, static_cast<double>(x));
      scan.squares += static_cast<double>(x) * static_cast<double>(x);
    }
  }
  for (int64_t r = warp_index(); r < b.rows; r += warp_count()) {
    for (int64_t c = lane_index(); c < b.cols; c += warp_size) {
      const T x = b(r, c);
      if (!(x - x == 0)) scan.bad = 1;
      w(r, c) = system.alpha * x;
    }
  }
  scan.bad = team.max(scan.bad);
  scan.most = team.max(scan.most);
  scan.minus_least = team.max(scan.minus_least);
  scan.minus_zero = team.max(scan.minus_zero);
  scan.squares = team.sum(scan.squares) + (system.is_unit ? static_cast<double>(t.rows) : 0.0);
  if (thread_index() != 0) return;
  solve.scans[m] = scan;
  solve.skip[m] = is_failure(scan.report(system.is_unit)) ? 1 : 0;
}

template <typename T>
struct BlockMemory {
  Shared<T> l, reciprocals, y;
  __host__ __device__ static BlockMemory take(SharedArena& arena, int order) {
    return {arena.take<T>(order * (order | 1)), arena.take<T>(order), arena.take<T>(order * (group + 1))};
  }
};

// L_pp Y_p = C_p, where C_p and Y_p are rows (or, on the right, columns) first, ..., first + order - 1 of w.
template <typename T>
__global__ void __launch_bounds__(threads, 2) solve_block(BlockSolve<T> solve, int64_t first, int order) {
  const int64_t m = block_index() / solve.groups, j0 = block_index() % solve.groups * group;
  if (solve.skip[m] != 0) return;
  const TriangularSystem<T>& system = solve.system;
  SharedArena arena;
  const BlockMemory<T> memory = BlockMemory<T>::take(arena, order);
  const int stride = order | 1, lane = lane_index();
  const bool is_forward = system.is_forward();
  const auto place = [&](int i) { return is_forward ? i : order - 1 - i; };
  const MatrixView<const T> t = system.t[m];
  const MatrixView<T> w = solve.w[m];
  for (int r = warp_index(); r < order; r += warp_count()) {
    for (int c = lane; c < order; c += warp_size) {
      const int i = place(system.is_transposed ? c : r), k = place(system.is_transposed ? r : c);
      if (k > i) continue;
      const T x = system.counts(r, c) ? t(first + r, first + c) : T(1);
      memory.l[i * stride + k] = x;
      if (i == k) memory.reciprocals[i] = T(1) / x;
    }
  }
  const int present = static_cast<int>(std::min<int64_t>(group, system.count() - j0));
  if (system.is_right) {
    for (int j = warp_index(); j < group; j += warp_count()) {
      for (int i = lane; i < order; i += warp_size) {
        memory.y[i * (group + 1) + j] = j < present ? w(j0 + j, first + place(i)) : T(0);
      }
    }
  } else {
    for (int i = warp_index(); i < order; i += warp_count()) {
      memory.y[i * (group + 1) + lane] = lane < present ? w(first + place(i), j0 + lane) : T(0);
    }
  }
  sync_block();
  for (int p = 0; p < order; p += panel) {
    // Every warp solves the panel, so that only the rows below it have to be waited for.
    const int size = std::min(int{panel}, order - p), next = p + size;
    T y[panel];
#pragma unroll
    for (int i = 0; i < panel; ++i) y[i] = i < size ? T(memory.y[(p + i) * (group + 1) + lane]) : T(0);
#pragma unroll
    for (int i = 0; i < panel; ++i) {
      if (i >= size) break;
#pragma unroll
      for (int k = 0; k < i; ++k) y[i] -= T(memory.l[(p + i) * stride + p + k]) * y[k];
      y[i] *= T(memory.reciprocals[p + i]);
    }
    for (int i = next + warp_index() * rows_at_once; i < order; i += warp_count() * rows_at_once) {
      T sums[rows_at_once] = {};
#pragma unroll
      for (int k = 0; k < panel; ++k) {
#pragma unroll
        for (int r = 0; r < rows_at_once; ++r)
          sums[r] += T(memory.l[std::min(i + r, order - 1) * stride + p + k]) * y[k];
      }
#pragma unroll
      for (int r = 0; r < rows_at_once; ++r) {
        if (i + r < order) memory.y[(i + r) * (group + 1) + lane] -= sums[r];
      }
    }
    // What the panel was is read by all warps before it is overwritten.
    sync_block();
    if (warp_index() == 0) {
#pragma unroll
      for (int i = 0; i < panel; ++i) {
        if (i < size) memory.y[(p + i) * (group + 1) + lane] = y[i];
      }
    }
  }
  sync_block();
  if (system.is_right) {
    for (int j = warp_index(); j < present; j += warp_count()) {
      for (int i = lane; i < order; i += warp_size) w(j0 + j, first + place(i)) = memory.y[i * (group + 1) + j];
    }
  } else {
    for (int i = warp_index(); i < order; i += warp_count()) {
      if (lane < present) w(first + place(i), j0 + lane) = memory.y[i * (group + 1) + lane];
    }
  }
}

// The sums of a group of right-hand sides that the residual is made of.
template <typename T>
__global__ void __launch_bounds__(threads, 2) weigh_group(BlockSolve<T> solve) {
  const int64_t m = block_index() / solve.groups, j0 = block_index() % solve.groups * group;
  if (solve.skip[m] != 0) return;
  const TriangularSystem<T>& system = solve.system;
  const int64_t n = system.order();
  const int present = static_cast<int>(std::min<int64_t>(group, system.count() - j0));
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warps), weights = arena.take<double>(group);
  const Shared<double> squares = arena.take<double>(2 * warps * group);
  double bad = 0;
  // A right-hand side a lane on the left, a warp on the right: rows of w are read along.
  if (system.is_right) {
    for (int j = warp_index(); j < present; j += warp_count()) {
      double of_x = 0, of_b = 0;
      for (int64_t i = lane_index(); i < n; i += warp_size) {
        const double x = static_cast<double>(solve.solution(m, i, j0 + j));
        const double b = static_cast<double>(system.right(m, i, j0 + j));
        if (!(x - x == 0)) bad = 1;
        of_x += x * x;
        of_b += b * b;
      }
      of_x = warp_sum(of_x);
      of_b = warp_sum(of_b);
      if (lane_index() == 0) weights[j] = weight_of_side(j0 + j, solve.scans[m].squares, of_x, of_b);
    }
  } else {
    double of_x = 0, of_b = 0;
    for (int64_t i = warp_index(); i < n && lane_index() < present; i += warp_count()) {
      const double x = static_cast<double>(solve.solution(m, i, j0 + lane_index()));
      const double b = static_cast<double>(system.right(m, i, j0 + lane_index()));
      if (!(x - x == 0)) bad = 1;
      of_x += x * x;
      of_b += b * b;
    }
    squares[warp_index() * group + lane_index()] = of_x;
    squares[(warps + warp_index()) * group + lane_index()] = of_b;
    sync_block();
    if (thread_index() < present) {
      of_x = of_b = 0;
      for (int warp = 0; warp < warps; ++warp) {
        of_x += double(squares[warp * group + thread_index()]);
        of_b += double(squares[(warps + warp) * group + thread_index()]);
      }
      weights[thread_index()] = weight_of_side(j0 + thread_index(), solve.scans[m].squares, of_x, of_b);
    }
  }
  bad = block_max(bad, partial);
  const Global<double> of_x = solve.sums + block_index() * 2 * n, of_b = of_x + n;
  if (system.is_right) {
    for (int64_t i = thread_index(); i < n; i += block_threads()) {
      double x = 0, b = 0;
      for (int j = 0; j < present; ++j) {
        x += double(weights[j]) * static_cast<double>(solve.solution(m, i, j0 + j));
        b += double(weights[j]) * static_cast<double>(system.right(m, i, j0 + j));
      }
      of_x[i] = x;
      of_b[i] = b;
    }
  } else {
    const bool is_present = lane_index() < present;
    const double weight = is_present ? double(weights[lane_index()]) : 0.0;
    for (int64_t i = warp_index(); i < n; i += warp_count()) {
      const int64_t j = is_present ? j0 + lane_index() : j0;
      const double x = warp_sum(weight * static_cast<double>(solve.solution(m, i, j)));
      const double b = warp_sum(weight * static_cast<double>(system.right(m, i, j)));
      if (lane_index() == 0) {
        of_x[i] = x;
        of_b[i] = b;
      }
    }
  }
  if (thread_index() == 0) solve.bad[block_index()] = bad;
}

// Reports; a matrix whose answer is not finite is skipped from here on. One block a matrix.
template <typename T>
__global__ void __launch_bounds__(threads, 2) judge_solution(BlockSolve<T> solve, Global<kr_report> reports) {
  const int64_t m = block_index();
  const TriangularSystem<T>& system = solve.system;
  const int64_t n = system.order();
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warps);
  kr_report report = TriangularScan(solve.scans[m]).report(system.is_unit);
  if (!is_failure(report)) {
    const Global<double> of_x = solve.sums + m * solve.groups * 2 * n, of_b = of_x + n;
    double bad = 0;
    for (int64_t g = thread_index(); g < solve.groups; g += block_threads()) bad += solve.bad[m * solve.groups + g];
    bad = block_max(bad, partial);
    for (int64_t i = thread_index(); i < n; i += block_threads()) {
      double x = of_x[i], b = of_b[i];
      for (int64_t g = 1; g < solve.groups; ++g) {
        x += of_x[g * 2 * n + i];
        b += of_b[g * 2 * n + i];
      }
      of_x[i] = x;
      of_b[i] = system.is_unit ? x - b : -b;
    }
    sync_block();
    // E times the sum of solutions: rows of T by warps, or its columns by threads.
    const MatrixView<const T> t = system.t[m];
    double squares = 0;
    if (system.is_transposed) {
      for (int64_t c = thread_index(); c < n; c += block_threads()) {
        double sum = of_b[c];
        for (int64_t r = system.is_upper ? 0 : c; r < (system.is_upper ? c + 1 : n); ++r) {
          if (system.counts(r, c)) sum += static_cast<double>(t(r, c)) * of_x[r];
        }
        squares += sum * sum;
      }
    } else {
      for (int64_t r = warp_index(); r < n; r += warp_count()) {
        double sum = 0;
        for (int64_t c = lane_index(); c < n; c += warp_size) {
          if (system.counts(r, c)) sum += static_cast<double>(t(r, c)) * of_x[c];
        }
        sum = warp_sum(sum) + of_b[r];
        squares += lane_index() == 0 ? sum * sum : 0;
      }
    }
    report.residual = std::sqrt(block_sum(squares, partial));
    if (bad != 0) report = failed(KR_STATUS_OVERFLOW);
  }
  if (thread_index() != 0) return;
  if (is_failure(report)) solve.skip[m] = 1;
  if (reports) reports[m] = report;
}

// Y into x, a warp a row.
template <typename T>
__global__ void __launch_bounds__(threads, 2) write_solution(BlockSolve<T> solve) {
  const BatchView<T>& x = solve.system.x;
  const int64_t row = block_index() * warp_count() + warp_index(), m = row / x.rows;
  if (m >= x.batch || solve.skip[m] != 0) return;
  const MatrixView<T> from = solve.w[m], to = x[m];
  for (int64_t j = lane_index(); j < x.cols; j += warp_size) to(row % x.rows, j) = from(row % x.rows, j);
}

// C -= (what is left of E) Y_p, for the block of E and w at `first`.
template <typename T>
void update_rest(Op& op, const BlockSolve<T>& solve, int64_t first, int64_t order) {
  const TriangularSystem<T>& system = solve.system;
  const int64_t n = system.order(), k = system.count();
  const int64_t from = system.is_forward() ? first + order : 0, rest = system.is_forward() ? n - from : first;
  if (rest == 0) return;
  const BatchView<const T> of_t =
      system.is_transposed ? part_of(system.t, first, from, order, rest) : part_of(system.t, from, first, rest, order);
  Product<T> product;
  product.alpha = -1;
  product.beta = 1;
  product.skip = solve.skip.address();
  if (system.is_right) {
    product.a = as_input(part_of(solve.w, 0, first, k, order));
    product.b = of_t;
    product.transpose_b = !system.is_transposed;
    product.c = part_of(solve.w, 0, from, k, rest);
  } else {
    product.a = of_t;
    product.transpose_a = system.is_transposed;
    product.b = as_input(part_of(solve.w, first, 0, order, k));
    product.c = part_of(solve.w, from, 0, rest, k);
  }
  multiply(op, product);
}

}  // namespace

template <typename T>
void solve_by_blocks(Op& op, const TriangularSystem<T>& system, kr_report* reports) {
  const int64_t batch = system.t.batch, n = system.order(), groups = (system.count() + group - 1) / group;
  const auto bytes_of = [](int64_t order) {
    SharedArena arena;
    BlockMemory<T>::take(arena, static_cast<int>(order));
    return arena.bytes();
  };
  const bool is_whole = n <= most_at_once && bytes_of(n) <= static_cast<std::size_t>(op.device().shared_bytes);
  const int64_t step = is_whole ? n : block_order;
  BlockSolve<T> solve{};
  solve.system = system;
  solve.w = dense_view(op.scratch<T>(batch * system.b.rows * system.b.cols), batch, system.b.rows, system.b.cols);
  solve.skip = Global<int32_t>(op.scratch<int32_t>(batch));
  solve.scans = Global<TriangularScan>(op.scratch<TriangularScan>(batch));
  solve.groups = groups;
  solve.sums = Global<double>(op.scratch<double>(batch * groups * 2 * n));
  solve.bad = Global<double>(op.scratch<double>(batch * groups));
  constexpr std::size_t partial_bytes = warps * sizeof(double);
  constexpr std::size_t group_bytes = (warps + group + 2 * warps * group) * sizeof(double);
  launch<screen_system<T>>(op, {.blocks = {batch}, .threads = threads, .shared_bytes = partial_bytes}, solve);
  for (int64_t p = 0; p < n && !op.failed(); p += step) {
    const int64_t order = std::min(step, n - p), first = system.is_forward() ? p : n - p - order;
    launch<solve_block<T>>(op, {.blocks = {batch * groups}, .threads = threads, .shared_bytes = bytes_of(order)}, solve,
                           first, static_cast<int>(order));
    update_rest(op, solve, first, order);
  }
  launch<weigh_group<T>>(op, {.blocks = {batch * groups}, .threads = threads, .shared_bytes = group_bytes}, solve);
  launch<judge_solution<T>>(op, {.blocks = {batch}, .threads = threads, .shared_bytes = partial_bytes}, solve,
                            Global<kr_report>(reports));
  launch<write_solution<T>>(op, {.blocks = {(batch * system.x.rows + warps - 1) / warps}, .threads = threads}, solve);
}

template void solve_by_blocks(Op&, const TriangularSystem<float>&, kr_report*);
template void solve_by_blocks(Op&, const TriangularSystem<double>&, kr_report*);

}  // namespace kronroot::cuda
