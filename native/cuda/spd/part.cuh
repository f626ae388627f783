// Symmetric matrices of order n <= N in the registers of N lanes (parts.cuh). Lane i holds row i of a lower triangle,
// or column i of one. Rows from n on are those of the identity.
#pragma once

#include "../../core/random.hpp"
#include "../parts.cuh"
#include "input.cuh"

namespace kronroot::cuda {

// Elements of a tile in shared memory; its rows are an odd number of elements apart.
template <int N>
inline constexpr int tile_stride = N + 1;
template <int N>
inline constexpr int tile_elements = N* tile_stride<N>;

// A matrix that was read: what the registers do not hold.
template <typename T>
struct PartInput {
  int32_t status;  // KR_STATUS_OK, NON_FINITE_INPUT, or OVERFLOW where the ridge leads out of the range
  SpdScale<T> scale;
  double epsilon;
  double squares;  // |A + epsilon I|_F^2
};

// The lower triangle of A 2^-exponent into `tile`, its rows with the ridge into `row`.
template <typename T, int N>
__device__ __forceinline__ PartInput<T> read_part(const MatrixView<const T>& a, const SpdRidge& ridge, int64_t b,
                                                  Shared<T> tile, T (&row)[N]) {
  const int n = static_cast<int>(a.rows), lane = thread_index() % N;
  T largest = 0;
  bool finite = true;
  for (int i = 0; i < N; ++i) {
    T x = 0;
    if (lane <= i && i < n) x = a(i, lane);
    finite = finite && is_finite(x);
    const T magnitude = x < 0 ? -x : x;
    largest = magnitude > largest ? magnitude : largest;
    tile[i * tile_stride<N> + lane] = x;
  }
  sync_warp();
  PartInput<T> input{};
  input.status = all_of_part<N>(finite) ? KR_STATUS_OK : KR_STATUS_NON_FINITE_INPUT;
  const double usable = input.status == KR_STATUS_OK ? static_cast<double>(largest) : 0.0;
  input.scale = SpdScale<T>::of(part_max<N>(usable), ridge);
  T own = 0;
  double squares = 0;
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const T x = tile[lane * tile_stride<N> + j];
    row[j] = static_cast<T>(input.scale.down(static_cast<double>(x)));
    if (input.status != KR_STATUS_OK) row[j] = 0;
    tile[lane * tile_stride<N> + j] = row[j];
    if (j == lane) own = row[j];
    if (j < lane) squares += 2 * static_cast<double>(row[j]) * static_cast<double>(row[j]);
  }
  input.epsilon = scaled_epsilon(ridge, b, input.scale, part_sum<N>(static_cast<double>(own)), n);
  const double diagonal = static_cast<double>(own) + input.epsilon;
  input.squares = part_sum<N>(squares + (lane < n ? diagonal * diagonal : 0));
  own = lane < n ? static_cast<T>(diagonal) : T{1};
  if (!all_of_part<N>(is_finite(own))) input.status = KR_STATUS_OVERFLOW;
#pragma unroll
  for (int j = 0; j < N; ++j) {
    if (j == lane) row[j] = own;
  }
  sync_warp();
  return input;
}

// Rows of L from rows of A, column by column; the index of the first pivot that is not positive, or -1. `reciprocal`:
// 1 / l_ii of the lane's own row. (Golub and Van Loan, Matrix Computations, algorithm 4.2.2, outer products.)
template <typename T, int N>
__device__ __forceinline__ int factorize_part(T (&row)[N], T& reciprocal) {
  const int lane = thread_index() % N;
  int failing = -1;
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const T pivot = shuffle(row[j], j, N);
    if (!(pivot > 0) && failing < 0) failing = j;
    const T root = std::sqrt(pivot);
    const T inverse = T{1} / root;
    if (lane == j) reciprocal = inverse;
    row[j] = lane == j ? root : lane < j ? T{0} : row[j] * inverse;
#pragma unroll
    for (int k = j + 1; k < N; ++k) row[k] -= row[j] * shuffle(row[j], k, N);
  }
  return failing;
}

// Column `lane` of M = L^{-1}: m_ij = ([i = j] - sum_{k < i} l_ik m_kj) / l_ii.
template <typename T, int N>
__device__ __forceinline__ void invert_part(const T (&row)[N], T reciprocal, T (&column)[N]) {
  const int lane = thread_index() % N;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    T sum = lane == i ? T{1} : T{0};
#pragma unroll
    for (int k = 0; k < i; ++k) sum -= shuffle(row[k], i, N) * column[k];
    column[i] = sum * shuffle(reciprocal, i, N);
  }
}

// Column `lane` of M^T M. Zeros above the diagonal of M are added too, so that x_ij and x_ji are the same sums.
template <typename T, int N>
__device__ __forceinline__ void square_part(const T (&column)[N], T (&x)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) {
    T sum = 0;
#pragma unroll
    for (int k = i; k < N; ++k) sum += shuffle(column[k], i, N) * column[k];
    x[i] = sum;
  }
}

// Element `lane` of (A + epsilon I) x in f64, x spread over the lanes.
template <typename T, int N>
__device__ __forceinline__ double multiply_part(Shared<T> tile, double epsilon, double x) {
  const int lane = thread_index() % N;
  double sum = epsilon * x;
#pragma unroll 8
  for (int j = 0; j < N; ++j) {
    const T element = tile[j <= lane ? lane * tile_stride<N> + j : j * tile_stride<N> + lane];
    sum += static_cast<double>(element) * shuffle(x, j, N);
  }
  return sum;
}

template <int N>
__device__ __forceinline__ double sign_of_lane(int64_t n) {
  const int lane = thread_index() % N;
  return lane < n ? random_sign(probe_stream, static_cast<uint64_t>(lane)) : 0;
}

// The factor's part of the report.
template <typename T, int N>
__device__ __forceinline__ kr_report report_of_part(const PartInput<T>& input, int failing, T own_root, int64_t n) {
  const bool counts = thread_index() % N < n;
  const double root = static_cast<double>(own_root), infinity = std::numeric_limits<double>::infinity();
  const double most = part_max<N>(counts ? root : 0.0);
  const double least = -part_max<N>(counts ? -root : -infinity);
  // After the maxima: the lanes of a warp hold matrices that were read and others.
  if (input.status != KR_STATUS_OK) return failed(static_cast<kr_status>(input.status));
  return factorised(failing, most, least);
}

}  // namespace kronroot::cuda
