// cholesky, spd_inverse and spd_solve for n <= 32: one launch, several matrices to a block, everything in registers;
// shared memory holds A, for the residual, and turns rows into columns: N (N + 1) elements a matrix, twice that in
// spd_solve.
#pragma once

#include "../launch.hpp"
#include "../triangular/forward.cuh"
#include "part.cuh"

namespace kronroot::cuda {

template <typename T, int N>
__host__ __device__ Shared<T> take_tiles(SharedArena& arena) {
  return arena.take<T>(parts_of_block<N> * tile_elements<N>);
}

template <typename T, int N>
__device__ __forceinline__ T diagonal_of(const T (&row)[N]) {
  T own = 0;
#pragma unroll
  for (int j = 0; j < N; ++j) {
    if (j == thread_index() % N) own = row[j];
  }
  return own;
}

// Register j of the lanes into column j of the tile.
template <typename T, int N>
__device__ __forceinline__ void store_rows(Shared<T> tile, const T (&row)[N]) {
  const int lane = thread_index() % N;
  sync_warp();
#pragma unroll
  for (int j = 0; j < N; ++j) tile[lane * tile_stride<N> + j] = row[j];
  sync_warp();
}

// A tile into global memory, a row at a time, times a factor.
template <typename T, int N>
__device__ __forceinline__ void write_tile(Shared<T> tile, double factor, const MatrixView<T>& to) {
  const int n = static_cast<int>(to.rows), lane = thread_index() % N;
  for (int i = 0; i < n; ++i) {
    const T x = tile[i * tile_stride<N> + lane];
    if (lane < n) to(i, lane) = static_cast<T>(static_cast<double>(x) * factor);
  }
}

// The residual is |A z - L L^T z|_2 / (|A|_F |z|_2) for random signs z.
template <typename T, int N>
__global__ void __launch_bounds__(part_threads)
    cholesky_in_parts(BatchView<const T> a, SpdRidge ridge, BatchView<T> l, Global<kr_report> reports) {
  const PartPlace<N> place = PartPlace<N>::of(a.batch);
  const int n = static_cast<int>(a.rows);
  SharedArena arena;
  const Shared<T> tile = take_tiles<T, N>(arena) + place.part * tile_elements<N>;
  T row[N], reciprocal = 1;
  const PartInput<T> input = read_part(a[place.b], ridge, place.b, tile, row);
  const double z = sign_of_lane<N>(n);
  const double product = multiply_part<T, N>(tile, input.epsilon, z);
  const int failing = factorize_part(row, reciprocal);
  store_rows(tile, row);
  double coordinate = 0, difference = product;
#pragma unroll 8
  for (int i = 0; i < N; ++i) {
    const T element = tile[i * tile_stride<N> + place.lane];
    coordinate += static_cast<double>(element) * shuffle(z, i, N);
  }
#pragma unroll
  for (int k = 0; k < N; ++k) difference -= static_cast<double>(row[k]) * shuffle(coordinate, k, N);
  if (place.lane >= n) difference = 0;
  kr_report report = report_of_part<T, N>(input, failing, diagonal_of(row), n);
  const double error = std::sqrt(part_sum<N>(difference * difference));
  if (!place.is_present) return;
  if (!is_failure(report)) {
    report.residual = error / std::sqrt(input.squares * n);
    write_tile<T, N>(tile, 1 / input.scale.half, l[place.b]);  // |l_ij| <= sqrt(a_ii + epsilon): in range
  }
  if (reports && place.lane == 0) reports[place.b] = report;
}

// The residual is |(A + epsilon I) X z - z|_2 / |z|_2.
template <typename T, int N>
__global__ void __launch_bounds__(part_threads)
    spd_inverse_in_parts(BatchView<const T> a, SpdRidge ridge, BatchView<T> out, Global<kr_report> reports) {
  const PartPlace<N> place = PartPlace<N>::of(a.batch);
  const int n = static_cast<int>(a.rows);
  SharedArena arena;
  const Shared<T> tile = take_tiles<T, N>(arena) + place.part * tile_elements<N>;
  T row[N], x[N], reciprocal = 1;
  const PartInput<T> input = read_part(a[place.b], ridge, place.b, tile, row);
  const int failing = factorize_part(row, reciprocal);
  kr_report report = report_of_part<T, N>(input, failing, diagonal_of(row), n);
  T column[N];
  invert_part(row, reciprocal, column);
  square_part(column, x);
  const double z = sign_of_lane<N>(n);
  double solution = 0;
  bool finite = true;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    solution += static_cast<double>(x[i]) * shuffle(z, i, N);
    x[i] = static_cast<T>(input.scale.down(static_cast<double>(x[i])));
    finite = finite && is_finite(x[i]);
  }
  finite = all_of_part<N>(finite);
  const double back = multiply_part<T, N>(tile, input.epsilon, solution);
  const double difference = place.lane < n ? back - z : 0;
  const double squares = part_sum<N>(difference * difference);
  store_rows(tile, x);
  if (!place.is_present) return;
  if (!is_failure(report) && !finite) report = failed(KR_STATUS_OVERFLOW);
  if (!is_failure(report)) {
    report.residual = std::sqrt(squares / n);
    write_tile<T, N>(tile, 1, out[place.b]);
  }
  if (reports && place.lane == 0) reports[place.b] = report;
}

// Lane i holds element i of some right-hand sides: L y = b, then L^T x = y with the columns of L from the tile.
template <typename T, int N>
__device__ __forceinline__ void substitute_part(const T (&row)[N], Shared<T> factor, T reciprocal,
                                                T (&x)[columns_of_part]) {
  const int lane = thread_index() % N;
  substitute_forward(row, reciprocal, x);
#pragma unroll 8
  for (int k = N - 1; k >= 0; --k) {
    const T coefficient = factor[k * tile_stride<N> + lane];
#pragma unroll
    for (int c = 0; c < columns_of_part; ++c) {
      if (lane == k) x[c] *= reciprocal;
      const T solved = shuffle(x[c], k, N);
      if (lane < k) x[c] -= coefficient * solved;
    }
  }
}

// The residual is the largest over the columns of |(A + epsilon I) x - b|_2 / (|A|_F |x|_2 + |b|_2), 0 for b = 0. A
// first pass over the right-hand sides tells whether the matrix can be answered, a second one writes (x may be b); of
// few of them the solutions are still there.
template <typename T, int N>
__global__ void __launch_bounds__(part_threads)
    spd_solve_in_parts(BatchView<const T> a, SpdRidge ridge, BatchView<const T> b, BatchView<T> out,
                       Global<kr_report> reports) {
  const PartPlace<N> place = PartPlace<N>::of(a.batch);
  const int n = static_cast<int>(a.rows);
  SharedArena arena;
  const Shared<T> tile = take_tiles<T, N>(arena) + place.part * tile_elements<N>;
  const Shared<T> factor = take_tiles<T, N>(arena) + place.part * tile_elements<N>;
  T row[N], reciprocal = 1;
  const PartInput<T> input = read_part(a[place.b], ridge, place.b, tile, row);
  const int failing = factorize_part(row, reciprocal);
  kr_report report = report_of_part<T, N>(input, failing, diagonal_of(row), n);
  store_rows(factor, row);
  const MatrixView<const T> right = b[place.b];
  const bool has_row = place.lane < n;
  const double size = std::sqrt(input.squares);
  double residual = 0;
  bool finite = true, given = true;
  T x[columns_of_part];
  for (int64_t first = 0; first < right.cols; first += columns_of_part) {
    T of_b[columns_of_part];
#pragma unroll
    for (int c = 0; c < columns_of_part; ++c) {
      of_b[c] = has_row && first + c < right.cols ? right(place.lane, first + c) : T{0};
      given = given && is_finite(of_b[c]);
      x[c] = of_b[c];
    }
    substitute_part(row, factor, reciprocal, x);
#pragma unroll
    for (int c = 0; c < columns_of_part; ++c) {
      const double solution = static_cast<double>(x[c]), given_b = static_cast<double>(of_b[c]);
      const double product = multiply_part<T, N>(tile, input.epsilon, solution);
      x[c] = static_cast<T>(input.scale.down(solution));
      finite = finite && is_finite(x[c]);
      const double error = has_row ? product - given_b : 0;
      const double error_squares = part_sum<N>(error * error);
      const double scale =
          size * std::sqrt(part_sum<N>(solution * solution)) + std::sqrt(part_sum<N>(given_b * given_b));
      if (error_squares > 0) residual = std::max(residual, std::sqrt(error_squares) / scale);
    }
  }
  given = all_of_part<N>(given);
  finite = all_of_part<N>(finite);
  if (!given) {
    report = failed(KR_STATUS_NON_FINITE_INPUT);
  } else if (!is_failure(report) && !finite) {
    report = failed(KR_STATUS_OVERFLOW);
  }
  const bool writes = place.is_present && has_row && !is_failure(report);
  for (int64_t first = 0; first < right.cols; first += columns_of_part) {
    if (right.cols > columns_of_part) {
#pragma unroll
      for (int c = 0; c < columns_of_part; ++c) {
        x[c] = has_row && first + c < right.cols ? right(place.lane, first + c) : T{0};
      }
      substitute_part(row, factor, reciprocal, x);
#pragma unroll
      for (int c = 0; c < columns_of_part; ++c) x[c] = static_cast<T>(input.scale.down(static_cast<double>(x[c])));
    }
#pragma unroll
    for (int c = 0; c < columns_of_part; ++c) {
      if (writes && first + c < right.cols) out[place.b](place.lane, first + c) = x[c];
    }
  }
  if (!is_failure(report)) report.residual = residual;
  if (reports && place.is_present && place.lane == 0) reports[place.b] = report;
}

}  // namespace kronroot::cuda
