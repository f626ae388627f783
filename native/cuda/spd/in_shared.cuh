// Cholesky factorisation and what follows from it for matrices that fit into shared memory, one to a block: n (n | 1)
// elements, rows an odd number of elements apart, so that neither rows nor columns meet in one bank.
//
// By panels of 16 columns (Golub and Van Loan, Matrix Computations, 4.2.6): one warp factorises the block on the
// diagonal in registers, a thread solves each row below it, and all update what is right of it, a warp four rows at a
// time.
#pragma once

#include "part.cuh"

namespace kronroot::cuda {

inline constexpr int spd_threads = 256;
inline constexpr int panel = 16;
// Of an update: rows that a warp takes at once, and columns of a lane, 32 apart.
inline constexpr int rows_at_once = 4, columns_at_once = 4;

// The lower triangle of a matrix in shared memory.
template <typename T>
struct Triangle {
  Shared<T> elements;
  Shared<T> reciprocals;  // 1 / l_ii
  Shared<int> failing;    // index of the first pivot that is not positive, or -1
  int n;

  __host__ __device__ static Triangle take(SharedArena& arena, int n) {
    return {arena.take<T>(n * (n | 1)), arena.take<T>(n), arena.take<int>(1), n};
  }
  __host__ __device__ int stride() const { return n | 1; }
  __host__ __device__ int at(int i, int j) const { return i * (n | 1) + j; }
};

// Rows [p, p + panel) of the block on the diagonal into the registers of half a warp, and back. Both halves do the
// same.
template <typename T>
__device__ __forceinline__ void load_block(const Triangle<T>& a, int p, T (&row)[panel]) {
  const int i = lane_index() % panel;
#pragma unroll
  for (int j = 0; j < panel; ++j) {
    row[j] = i == j ? T{1} : T{0};
    if (j <= i && p + i < a.n) row[j] = a.elements[a.at(p + i, p + j)];
  }
}
template <typename T>
__device__ __forceinline__ void store_block(const Triangle<T>& a, int p, const T (&row)[panel]) {
  const int i = lane_index();
#pragma unroll
  for (int j = 0; j < panel; ++j) {
    if (j <= i && i < panel && p + i < a.n) a.elements[a.at(p + i, p + j)] = row[j];
  }
}

// a_ij -= sum over the panel at p of a_ik a_jk for rows [i, i + 4) and columns first, first + 32, ... of the lanes, on
// and below the diagonal.
template <typename T>
__device__ __forceinline__ void subtract_outer(const Triangle<T>& a, int p, int i, int first) {
  const int n = a.n, lane = lane_index(), last = std::min(i + rows_at_once, n) - 1;
  T sums[rows_at_once][columns_at_once] = {};
#pragma unroll 4
  for (int k = p; k < p + panel; ++k) {
    T left[rows_at_once];
#pragma unroll
    for (int r = 0; r < rows_at_once; ++r) left[r] = a.elements[a.at(std::min(i + r, last), k)];
#pragma unroll
    for (int c = 0; c < columns_at_once; ++c) {
      if (first + c * warp_size > last) break;
      const T right = a.elements[a.at(std::min(first + c * warp_size + lane, last), k)];
#pragma unroll
      for (int r = 0; r < rows_at_once; ++r) sums[r][c] += left[r] * right;
    }
  }
#pragma unroll
  for (int c = 0; c < columns_at_once; ++c) {
    const int j = first + c * warp_size + lane;
#pragma unroll
    for (int r = 0; r < rows_at_once; ++r) {
      if (i + r < n && j <= i + r) a.elements[a.at(i + r, j)] -= sums[r][c];
    }
  }
}

// L in the place of A, by the whole block; ends with a barrier. a.failing tells whether it is there.
template <typename T>
__device__ void factorize_shared(const Triangle<T>& a) {
  const int n = a.n, thread = thread_index(), warp = warp_index(), lane = lane_index();
  if (thread == 0) a.failing[0] = -1;
  for (int p = 0; p < n; p += panel) {
    sync_block();
    if (warp == 0) {
      T row[panel], reciprocal = 1;
      load_block(a, p, row);
      const int failing = factorize_part<T, panel>(row, reciprocal);
      sync_warp();
      store_block(a, p, row);
      if (lane < panel && p + lane < n) a.reciprocals[p + lane] = reciprocal;
      if (lane == 0 && failing >= 0) a.failing[0] = p + failing;
    }
    sync_block();
    const int found = a.failing[0];
    if (found >= 0) break;
    const int next = p + panel;
    for (int i = next + thread; i < n; i += block_threads()) {
      T x[panel];
#pragma unroll
      for (int j = 0; j < panel; ++j) {
        x[j] = a.elements[a.at(i, p + j)];
#pragma unroll
        for (int k = 0; k < j; ++k) x[j] -= x[k] * static_cast<T>(a.elements[a.at(p + j, p + k)]);
        x[j] *= static_cast<T>(a.reciprocals[p + j]);
      }
#pragma unroll
      for (int j = 0; j < panel; ++j) a.elements[a.at(i, p + j)] = x[j];
    }
    sync_block();
    for (int i = next + warp * rows_at_once; i < n; i += warp_count() * rows_at_once) {
      for (int j = next; j < n && j < i + rows_at_once; j += warp_size * columns_at_once) {
        subtract_outer(a, p, i, j);
      }
    }
  }
  sync_block();
}

// M = L^{-1} in the place of L; ends with a barrier. First the blocks on the diagonal, a warp each, then panel after
// panel of rows: with L_p the rows left of block p, M_p = -(M_pp L_p) M, of which a lane computes a column, half a
// panel of rows.
template <typename T>
__device__ void invert_shared(const Triangle<T>& l) {
  constexpr int half = panel / 2;
  const int n = l.n, warp = warp_index(), lane = lane_index();
  for (int p = warp * panel; p < n; p += warp_count() * panel) {
    T row[panel], column[panel];
    load_block(l, p, row);
    const int i = lane % panel;
    T reciprocal = 1;
    if (p + i < n) reciprocal = l.reciprocals[p + i];
    invert_part<T, panel>(row, reciprocal, column);
    sync_warp();
#pragma unroll
    for (int r = 0; r < panel; ++r) {
      if (lane < panel && lane <= r && p + r < n) l.elements[l.at(p + r, p + lane)] = column[r];
    }
  }
  for (int p = panel; p < n; p += panel) {
    const int rows = std::min(int{panel}, n - p);
    sync_block();
    for (int j = thread_index(); j < p; j += block_threads()) {
      T x[panel];
#pragma unroll
      for (int r = 0; r < panel; ++r) x[r] = r < rows ? static_cast<T>(l.elements[l.at(p + r, j)]) : T{0};
#pragma unroll
      for (int r = panel - 1; r >= 0; --r) {
        if (r >= rows) continue;
        T sum = 0;
#pragma unroll
        for (int k = 0; k <= r; ++k) sum += static_cast<T>(l.elements[l.at(p + r, p + k)]) * x[k];
        l.elements[l.at(p + r, j)] = sum;
      }
    }
    // Chunks of 32 columns from left to right: a chunk needs what later ones overwrite, but nothing of earlier ones.
    const int chunks = (p + warp_size - 1) / warp_size, at_once = warp_count() / 2;
    for (int chunk = warp / 2; chunk - warp / 2 < chunks; chunk += at_once) {
      const int first = chunk * warp_size, j = first + lane, from = warp % 2 * half;
      T sums[half] = {};
      sync_block();
      for (int k = first; k < p; ++k) {
        const T right = k >= j ? static_cast<T>(l.elements[l.at(k, j)]) : T{0};
#pragma unroll
        for (int r = 0; r < half; ++r) {
          sums[r] += static_cast<T>(l.elements[l.at(p + std::min(from + r, rows - 1), k)]) * right;
        }
      }
      sync_block();
#pragma unroll
      for (int r = 0; r < half; ++r) {
        if (j < p && from + r < rows) l.elements[l.at(p + from + r, j)] = -sums[r];
      }
    }
  }
  sync_block();
}

// X = M^T M: what is above the diagonal in its place, the diagonal into `diagonal`; M stays. Ends with a barrier.
template <typename T>
__device__ void square_shared(const Triangle<T>& m, Shared<T> diagonal) {
  const int n = m.n, lane = lane_index();
  for (int i = warp_index() * rows_at_once; i < n; i += warp_count() * rows_at_once) {
    for (int first = i / warp_size * warp_size; first < n; first += warp_size) {
      const int j = first + lane;
      T sums[rows_at_once] = {};
      for (int k = std::max(first, i); k < n; ++k) {
        const T right = j <= k ? static_cast<T>(m.elements[m.at(k, std::min(j, k))]) : T{0};
#pragma unroll
        for (int r = 0; r < rows_at_once; ++r) {
          const T left = i + r <= k ? static_cast<T>(m.elements[m.at(k, std::min(i + r, k))]) : T{0};
          sums[r] += left * right;
        }
      }
#pragma unroll
      for (int r = 0; r < rows_at_once; ++r) {
        if (i + r == j && j < n) diagonal[j] = sums[r];
        if (i + r < j && j < n) m.elements[m.at(i + r, j)] = sums[r];
      }
    }
  }
  sync_block();
}

// A matrix that was read.
template <typename T>
struct SharedInput {
  int32_t status;
  SpdScale<T> scale;
  double epsilon;
  double squares;  // |A + epsilon I|_F^2
};

// The lower triangle of (A + epsilon I) 2^-exponent into `to`, by the whole block; ends with a barrier. What A has
// below its diagonal is kept above that of `to` as well, and its diagonal, without the ridge, in `diagonal`.
template <typename T>
__device__ SharedInput<T> read_shared(const MatrixView<const T>& a, const SpdRidge& ridge, int64_t b,
                                      const Triangle<T>& to, Shared<T> diagonal, Shared<double> partial) {
  const int n = to.n, lane = lane_index();
  T largest = 0;
  double bad = 0;
  for (int i = warp_index(); i < n; i += warp_count()) {
    for (int j = lane; j <= i; j += warp_size) {
      const T x = a(i, j);
      const T magnitude = x < 0 ? -x : x;
      if (!is_finite(x)) bad = 1;
      largest = magnitude > largest ? magnitude : largest;
      to.elements[to.at(i, j)] = x;
    }
  }
  SharedInput<T> input{};
  input.status = block_max(bad, partial) == 0 ? KR_STATUS_OK : KR_STATUS_NON_FINITE_INPUT;
  if (input.status != KR_STATUS_OK) return input;
  input.scale = SpdScale<T>::of(block_max(static_cast<double>(largest), partial), ridge);
  double trace = 0, squares = 0;
  for (int i = warp_index(); i < n; i += warp_count()) {
    for (int j = lane; j <= i; j += warp_size) {
      const T given = to.elements[to.at(i, j)];
      const T x = static_cast<T>(input.scale.down(static_cast<double>(given)));
      to.elements[to.at(i, j)] = x;
      if (i == j) {
        diagonal[i] = x;
        trace += static_cast<double>(x);
      } else {
        to.elements[to.at(j, i)] = x;
        squares += 2 * static_cast<double>(x) * static_cast<double>(x);
      }
    }
  }
  input.epsilon = scaled_epsilon(ridge, b, input.scale, block_sum(trace, partial), n);
  for (int i = thread_index(); i < n; i += block_threads()) {
    const T x = diagonal[i];
    const double ridged = static_cast<double>(x) + input.epsilon;
    to.elements[to.at(i, i)] = static_cast<T>(ridged);
    if (!is_finite(static_cast<T>(ridged))) bad = 1;
    squares += ridged * ridged;
  }
  input.squares = block_sum(squares, partial);
  if (block_max(bad, partial) != 0) input.status = KR_STATUS_OVERFLOW;
  return input;
}

// Row i of A + epsilon I times x, A as read_shared keeps it, in f64.
template <typename T, typename X>
__device__ __forceinline__ double multiply_kept_row(const Triangle<T>& kept, Shared<T> diagonal, double epsilon, int i,
                                                    Shared<X> x) {
  const T own = diagonal[i];
  const X of_x = x[i];
  double sum = (static_cast<double>(own) + epsilon) * static_cast<double>(of_x);
  for (int j = 0; j < kept.n; ++j) {
    if (j == i) continue;
    const T element = kept.elements[j < i ? kept.at(j, i) : kept.at(i, j)];
    const X other = x[j];
    sum += static_cast<double>(element) * static_cast<double>(other);
  }
  return sum;
}

// y = (A + epsilon I) x in f64 from the lower triangle of A in global memory; ends with a barrier. First the rows, a
// warp each, then the columns, a thread each.
template <typename T>
__device__ void multiply_lower(const MatrixView<const T>& a, const SpdScale<T>& scale, double epsilon, Shared<double> x,
                               Shared<double> y) {
  const int n = static_cast<int>(a.rows), lane = lane_index();
  for (int i = warp_index(); i < n; i += warp_count()) {
    double sum = 0;
    for (int j = lane; j <= i; j += warp_size)
      sum += scale.down(static_cast<double>(a(i, j))) * static_cast<double>(x[j]);
    sum = warp_sum(sum);
    if (lane == 0) y[i] = sum + epsilon * static_cast<double>(x[i]);
  }
  sync_block();
  for (int j = thread_index(); j < n; j += block_threads()) {
    double sum = 0;
    for (int i = j + 1; i < n; ++i) sum += scale.down(static_cast<double>(a(i, j))) * static_cast<double>(x[i]);
    y[j] += sum;
  }
  sync_block();
}

// The factor's part of the report, the same in all threads.
template <typename T>
__device__ kr_report report_of_triangle(const Triangle<T>& l, Shared<double> partial) {
  const int failing = l.failing[0];
  double most = 0, least = -std::numeric_limits<double>::infinity();
  for (int i = thread_index(); i < l.n && failing < 0; i += block_threads()) {
    const T root = l.elements[l.at(i, i)];
    most = std::max(most, static_cast<double>(root));
    least = std::max(least, -static_cast<double>(root));
  }
  most = block_max(most, partial);
  least = -block_max(least, partial);
  return factorised(failing, most, least);
}

}  // namespace kronroot::cuda
