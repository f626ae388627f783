// cholesky, spd_inverse and spd_solve for matrices that fit into shared memory: one launch, one block to a matrix.
#pragma once

#include "../launch.hpp"
#include "in_shared.cuh"

namespace kronroot::cuda {

inline constexpr int spd_warps = spd_threads / warp_size;

// What all three need beside the triangle.
template <typename T>
struct SpdShared {
  Triangle<T> triangle;
  Shared<T> diagonal;
  Shared<double> partial;

  __host__ __device__ static SpdShared take(SharedArena& arena, int n) {
    return {Triangle<T>::take(arena, n), arena.take<T>(n), arena.take<double>(spd_warps)};
  }
};

// |A z - L L^T z|_2 / (|A|_F |z|_2) for random signs z.
template <typename T>
struct CholeskyShared {
  SpdShared<T> spd;
  Shared<double> z, coordinates;
  __host__ __device__ static CholeskyShared take(SharedArena& arena, int n) {
    return {SpdShared<T>::take(arena, n), arena.take<double>(n), arena.take<double>(n)};
  }
};

template <typename T>
__global__ void __launch_bounds__(spd_threads)
    cholesky_in_shared(BatchView<const T> a, SpdRidge ridge, BatchView<T> out, Global<kr_report> reports) {
  const int64_t b = block_index();
  const int n = static_cast<int>(a.rows), thread = thread_index(), lane = lane_index();
  SharedArena arena;
  const CholeskyShared<T> shared = CholeskyShared<T>::take(arena, n);
  const Triangle<T>& l = shared.spd.triangle;
  const SharedInput<T> input = read_shared(a[b], ridge, b, l, shared.spd.diagonal, shared.spd.partial);
  kr_report report = failed(static_cast<kr_status>(input.status));
  if (input.status == KR_STATUS_OK) {
    factorize_shared(l);
    report = report_of_triangle(l, shared.spd.partial);
  }
  if (!is_failure(report)) {
    for (int i = thread; i < n; i += block_threads()) shared.z[i] = random_sign(probe_stream, static_cast<uint64_t>(i));
    sync_block();
    for (int k = thread; k < n; k += block_threads()) {
      double sum = 0;
      for (int i = k; i < n; ++i) {
        sum += static_cast<double>(T(l.elements[l.at(i, k)])) * static_cast<double>(shared.z[i]);
      }
      shared.coordinates[k] = sum;
    }
    sync_block();
    double squares = 0;
    for (int i = thread; i < n; i += block_threads()) {
      double difference = multiply_kept_row(l, shared.spd.diagonal, input.epsilon, i, shared.z);
      for (int k = 0; k <= i; ++k) {
        difference -= static_cast<double>(T(l.elements[l.at(i, k)])) * static_cast<double>(shared.coordinates[k]);
      }
      squares += difference * difference;
    }
    report.residual = std::sqrt(block_sum(squares, shared.spd.partial) / (input.squares * n));
    const double up = 1 / input.scale.half;  // |l_ij| <= sqrt(a_ii + epsilon): in range
    const MatrixView<T> to = out[b];
    for (int i = warp_index(); i < n; i += warp_count()) {
      for (int j = lane; j < n; j += warp_size) {
        to(i, j) = j > i ? T{0} : static_cast<T>(static_cast<double>(T(l.elements[l.at(i, j)])) * up);
      }
    }
  }
  if (reports && thread == 0) reports[b] = report;
}

// |(A + epsilon I) X z - z|_2 / |z|_2
template <typename T>
struct SpdInverseShared {
  SpdShared<T> spd;
  Shared<double> solution, image;
  __host__ __device__ static SpdInverseShared take(SharedArena& arena, int n) {
    return {SpdShared<T>::take(arena, n), arena.take<double>(n), arena.take<double>(n)};
  }
};

template <typename T>
__global__ void __launch_bounds__(spd_threads)
    spd_inverse_in_shared(BatchView<const T> a, SpdRidge ridge, BatchView<T> out, Global<kr_report> reports) {
  const int64_t b = block_index();
  const int n = static_cast<int>(a.rows), thread = thread_index(), lane = lane_index();
  SharedArena arena;
  const SpdInverseShared<T> shared = SpdInverseShared<T>::take(arena, n);
  const Triangle<T>& x = shared.spd.triangle;
  const Shared<T> diagonal = shared.spd.diagonal;
  const Shared<double> partial = shared.spd.partial;
  const SharedInput<T> input = read_shared(a[b], ridge, b, x, diagonal, partial);
  kr_report report = failed(static_cast<kr_status>(input.status));
  if (input.status == KR_STATUS_OK) {
    factorize_shared(x);
    report = report_of_triangle(x, partial);
  }
  const auto element = [&](int i, int j) -> double {
    const T value = i == j ? T(diagonal[i]) : T(x.elements[i < j ? x.at(i, j) : x.at(j, i)]);
    return static_cast<double>(value);
  };
  if (!is_failure(report)) {
    invert_shared(x);
    square_shared(x, diagonal);
    double bad = 0;
    for (int i = thread; i < n; i += block_threads()) {
      double sum = 0;
      for (int j = 0; j < n; ++j) {
        const double of_x = element(i, j);
        sum += of_x * random_sign(probe_stream, static_cast<uint64_t>(j));
        if (!is_finite(static_cast<T>(input.scale.down(of_x)))) bad = 1;
      }
      shared.solution[i] = sum;
    }
    if (block_max(bad, partial) != 0) report = failed(KR_STATUS_OVERFLOW);
  }
  if (!is_failure(report)) {
    multiply_lower(a[b], input.scale, input.epsilon, shared.solution, shared.image);
    double squares = 0;
    for (int i = thread; i < n; i += block_threads()) {
      const double image = shared.image[i];
      const double difference = image - random_sign(probe_stream, static_cast<uint64_t>(i));
      squares += difference * difference;
    }
    report.residual = std::sqrt(block_sum(squares, partial) / n);
    const MatrixView<T> to = out[b];
    for (int i = warp_index(); i < n; i += warp_count()) {
      for (int j = lane; j < n; j += warp_size) to(i, j) = static_cast<T>(input.scale.down(element(i, j)));
    }
  }
  if (reports && thread == 0) reports[b] = report;
}

// Right-hand sides that a warp takes at once, each without gaps.
inline constexpr int columns_of_warp = 4;

// L y = b, then L^T x = y, in place, by one warp for its columns: within a panel element by element in registers, then
// the elements that depend on it.
template <typename T>
__device__ void substitute_shared(const Triangle<T>& l, Shared<T> x) {
  const int n = l.n, lane = lane_index(), i = lane % panel;
  const int last = (n - 1) / panel * panel;
  for (int p = 0; p < n; p += panel) {
    T row[panel], solved[columns_of_warp];
    load_block(l, p, row);
    const bool is_there = p + i < n;
    const T reciprocal = is_there ? T(l.reciprocals[p + i]) : T{1};
#pragma unroll
    for (int c = 0; c < columns_of_warp; ++c) solved[c] = is_there ? T(x[c * n + p + i]) : T{0};
#pragma unroll
    for (int k = 0; k < panel; ++k) {
#pragma unroll
      for (int c = 0; c < columns_of_warp; ++c) {
        if (i == k) solved[c] *= reciprocal;
        const T known = shuffle(solved[c], k, panel);
        if (i > k) solved[c] -= row[k] * known;
      }
    }
    sync_warp();
#pragma unroll
    for (int c = 0; c < columns_of_warp; ++c) {
      if (lane < panel && is_there) x[c * n + p + i] = solved[c];
    }
    sync_warp();
    for (int r = p + panel + lane; r < n; r += warp_size) {
      T sums[columns_of_warp] = {};
#pragma unroll
      for (int k = 0; k < panel; ++k) {
        const T coefficient = l.elements[l.at(r, p + k)];
#pragma unroll
        for (int c = 0; c < columns_of_warp; ++c) sums[c] += coefficient * T(x[c * n + p + k]);
      }
#pragma unroll
      for (int c = 0; c < columns_of_warp; ++c) x[c * n + r] -= sums[c];
    }
    sync_warp();
  }
  for (int p = last; p >= 0; p -= panel) {
    T solved[columns_of_warp];
    const bool is_there = p + i < n;
    const T reciprocal = is_there ? T(l.reciprocals[p + i]) : T{1};
#pragma unroll
    for (int c = 0; c < columns_of_warp; ++c) solved[c] = is_there ? T(x[c * n + p + i]) : T{0};
#pragma unroll
    for (int k = panel - 1; k >= 0; --k) {
      T coefficient = 0;
      if (i < k && p + k < n) coefficient = l.elements[l.at(p + k, p + i)];
#pragma unroll
      for (int c = 0; c < columns_of_warp; ++c) {
        if (i == k) solved[c] *= reciprocal;
        const T known = shuffle(solved[c], k, panel);
        solved[c] -= coefficient * known;
      }
    }
    sync_warp();
#pragma unroll
    for (int c = 0; c < columns_of_warp; ++c) {
      if (lane < panel && is_there) x[c * n + p + i] = solved[c];
    }
    sync_warp();
    for (int r = lane; r < p; r += warp_size) {
      T sums[columns_of_warp] = {};
      for (int k = 0; k < panel && p + k < n; ++k) {
        const T coefficient = l.elements[l.at(p + k, r)];
#pragma unroll
        for (int c = 0; c < columns_of_warp; ++c) sums[c] += coefficient * T(x[c * n + p + k]);
      }
#pragma unroll
      for (int c = 0; c < columns_of_warp; ++c) x[c * n + r] -= sums[c];
    }
    sync_warp();
  }
}

template <typename T>
struct SpdSolveShared {
  SpdShared<T> spd;
  Shared<T> solutions;
  __host__ __device__ static SpdSolveShared take(SharedArena& arena, int n) {
    return {SpdShared<T>::take(arena, n), arena.take<T>(spd_warps * columns_of_warp * n)};
  }
};

// Columns [first, first + columns_of_warp) of B by one warp; beyond the last, zeros.
template <typename T>
__device__ __forceinline__ void load_columns(const MatrixView<const T>& b, int64_t first, Shared<T> x) {
  const int n = static_cast<int>(b.rows);
  for (int e = lane_index(); e < n * columns_of_warp; e += warp_size) {
    const int c = e % columns_of_warp, i = e / columns_of_warp;
    x[c * n + i] = first + c < b.cols ? b(i, first + c) : T{0};
  }
  sync_warp();
}

// The largest over the columns of |(A + epsilon I) x - b|_2 / (|A|_F |x|_2 + |b|_2), 0 for b = 0. The right-hand sides
// are gone through twice as in spd_solve_in_parts, where a warp has more than one group of them.
template <typename T>
__global__ void __launch_bounds__(spd_threads)
    spd_solve_in_shared(BatchView<const T> a, SpdRidge ridge, BatchView<const T> b, BatchView<T> out,
                        Global<kr_report> reports) {
  const int64_t index = block_index();
  const int n = static_cast<int>(a.rows), lane = lane_index(), warp = warp_index();
  SharedArena arena;
  const SpdSolveShared<T> shared = SpdSolveShared<T>::take(arena, n);
  const Triangle<T>& l = shared.spd.triangle;
  const Shared<double> partial = shared.spd.partial;
  const Shared<T> x = shared.solutions + warp * columns_of_warp * n;
  const MatrixView<const T> right = b[index];
  const SharedInput<T> input = read_shared(a[index], ridge, index, l, shared.spd.diagonal, partial);
  double bad = 0;
  for (int64_t e = thread_index(); e < n * right.cols; e += block_threads()) {
    if (!is_finite(right(e / right.cols, e % right.cols))) bad = 1;
  }
  kr_report report = failed(static_cast<kr_status>(input.status));
  if (block_max(bad, partial) != 0) {
    report = failed(KR_STATUS_NON_FINITE_INPUT);
  } else if (input.status == KR_STATUS_OK) {
    factorize_shared(l);
    report = report_of_triangle(l, partial);
  }
  const int64_t step = int64_t{spd_warps} * columns_of_warp, start = int64_t{warp} * columns_of_warp;
  if (!is_failure(report)) {
    const double size = std::sqrt(input.squares);
    double residual = 0;
    for (int64_t first = start; first < right.cols; first += step) {
      load_columns(right, first, x);
      substitute_shared(l, x);
      for (int c = 0; c < columns_of_warp && first + c < right.cols; ++c) {
        double errors = 0, solutions = 0, rights = 0;
        for (int i = lane; i < n; i += warp_size) {
          const double solution = static_cast<double>(T(x[c * n + i])),
                       given = static_cast<double>(right(i, first + c));
          const double error = multiply_kept_row(l, shared.spd.diagonal, input.epsilon, i, x + c * n) - given;
          errors += error * error;
          solutions += solution * solution;
          rights += given * given;
          if (!is_finite(static_cast<T>(input.scale.down(solution)))) bad = 1;
        }
        errors = warp_sum(errors);
        const double scale = size * std::sqrt(warp_sum(solutions)) + std::sqrt(warp_sum(rights));
        if (errors > 0) residual = std::max(residual, std::sqrt(errors) / scale);
      }
    }
    report.residual = block_max(residual, partial);
    if (block_max(bad, partial) != 0) report = failed(KR_STATUS_OVERFLOW);
  }
  if (!is_failure(report)) {
    const MatrixView<T> to = out[index];
    for (int64_t first = start; first < right.cols; first += step) {
      if (right.cols > step) {
        load_columns(right, first, x);
        substitute_shared(l, x);
      }
      for (int e = lane; e < n * columns_of_warp; e += warp_size) {
        const int c = e % columns_of_warp, i = e / columns_of_warp;
        if (first + c >= right.cols) continue;
        to(i, first + c) = static_cast<T>(input.scale.down(static_cast<double>(T(x[c * n + i]))));
      }
      sync_warp();
    }
  }
  if (reports && thread_index() == 0) reports[index] = report;
}

}  // namespace kronroot::cuda
