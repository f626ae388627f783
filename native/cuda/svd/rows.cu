// One block a matrix in every kernel.
#include "rows.hpp"

#include <cmath>

#include "../../core/random.hpp"
#include "../../core/report.hpp"
#include "../eigen/scale.cuh"
#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int row_threads = 256;
constexpr std::size_t partial_bytes = row_threads / warp_size * sizeof(double);

__device__ __forceinline__ double probe(int64_t i) { return random_sign(probe_stream, static_cast<uint64_t>(i)); }

template <typename T>
__global__ void read_rectangles(BatchView<const T> a, bool is_tall, BatchView<T> wide, Global<double> wide_f64,
                                Rectangles rectangles) {
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warp_count());
  const int64_t b = block_index();
  const MatrixView<const T> from = a[b];
  double largest = 0, is_bad = 0;
  for (int64_t i = warp_index(); i < from.rows; i += warp_count()) {
    for (int64_t j = lane_index(); j < from.cols; j += warp_size) {
      const T x = from(i, j);
      if (x - x == 0) {
        largest = std::max(largest, std::abs(static_cast<double>(x)));
      } else {
        is_bad = 1;
      }
    }
  }
  largest = block_max(largest, partial);
  const bool is_finite = block_max(is_bad, partial) == 0;
  int exponent = 0;
  if (largest > 0) std::frexp(largest, &exponent);
  if (thread_index() == 0) {
    Global<int32_t>(rectangles.status)[b] = is_finite ? KR_STATUS_OK : KR_STATUS_NON_FINITE_INPUT;
    Global<int32_t>(rectangles.exponent)[b] = exponent;
    if (rectangles.sweeps != nullptr) Global<int32_t>(rectangles.sweeps)[b] = 0;
  }
  if (!is_finite) return;
  const PowerOfTwo unit(-exponent);
  const MatrixView<T> to = wide[b];
  for (int64_t i = warp_index(); i < to.rows; i += warp_count()) {
    for (int64_t j = lane_index(); j < to.cols; j += warp_size) {
      const T x = static_cast<T>(unit.times(static_cast<double>(is_tall ? from(j, i) : from(i, j))));
      if (wide.data) to(i, j) = x;
      if (wide_f64) wide_f64[(b * to.rows + i) * to.cols + j] = static_cast<double>(x);
    }
  }
}

template <typename T>
__global__ void take_rows(Global<const double> v, Global<const int32_t> of_eigen, BatchView<T> j,
                          Rectangles rectangles) {
  const int64_t b = block_index(), m = j.rows;
  const Global<int32_t> status(rectangles.status);
  const bool was_sound = status[b] == KR_STATUS_OK, is_solved = was_sound && of_eigen[b] == KR_STATUS_OK;
  sync_block();
  if (was_sound && !is_solved && thread_index() == 0) status[b] = of_eigen[b];
  if (!is_solved) return;
  const MatrixView<T> rows = j[b];
  for (int64_t k = warp_index(); k < m; k += warp_count()) {
    for (int64_t i = lane_index(); i < m; i += warp_size) {
      rows(k, i) = static_cast<T>(v[(b * m + i) * m + m - 1 - k]);
    }
  }
}

template <typename T>
__device__ double square_of_row(const MatrixView<T>& rows, int64_t i) {
  double sum = 0;
  for (int64_t k = lane_index(); k < rows.cols; k += warp_size) {
    const double x = static_cast<double>(rows(i, k));
    sum += x * x;
  }
  return warp_sum(sum);
}

// In falling order, the first of equals first.
__device__ int32_t place_of(Global<const double> squares, int64_t m, int64_t i) {
  const double own = squares[i];
  int32_t before = 0;
  for (int64_t k = 0; k < m; ++k) {
    const double other = squares[k];
    before += other > own || (other == own && k < i) ? 1 : 0;
  }
  return before;
}

template <typename T>
__global__ void take_values(Global<const double> squares, Global<const int32_t> of_eigen, BatchView<T> w,
                            Global<double> lengths, Global<T> s, Rectangles rectangles) {
  const int64_t b = block_index(), m = w.rows;
  const Global<int32_t> status(rectangles.status);
  const bool was_sound = status[b] == KR_STATUS_OK;
  const bool is_solved = was_sound && (!squares || of_eigen[b] == KR_STATUS_OK);
  sync_block();
  if (was_sound && !is_solved && thread_index() == 0) status[b] = of_eigen[b];
  if (!is_solved) return;
  if (squares) {
    for (int64_t k = thread_index(); k < m; k += block_threads()) {
      s[b * m + k] = static_cast<T>(std::sqrt(std::max(0.0, squares[b * m + m - 1 - k])));
    }
    return;
  }
  const MatrixView<T> rows = w[b];
  const Global<double> square = lengths + b * m;
  for (int64_t i = warp_index(); i < m; i += warp_count()) {
    const double sum = square_of_row(rows, i);
    if (lane_index() == 0) square[i] = sum;
  }
  sync_block();
  for (int64_t i = thread_index(); i < m; i += block_threads()) {
    s[b * m + place_of(square, m, i)] = static_cast<T>(std::sqrt(square[i]));
  }
}

template <typename T>
__global__ void sort_by_length(BatchView<T> w, BatchView<T> j, BatchView<T> sorted_w, BatchView<T> sorted_j,
                               Global<double> lengths, Rectangles rectangles) {
  const int64_t b = block_index(), m = w.rows;
  if (Global<const int32_t>(rectangles.status)[b] != KR_STATUS_OK) return;
  const MatrixView<T> from_w = w[b], from_j = j[b], to_w = sorted_w[b], to_j = sorted_j[b];
  const Global<double> square = lengths + b * m;
  for (int64_t i = warp_index(); i < m; i += warp_count()) {
    const double sum = square_of_row(from_w, i);
    if (lane_index() == 0) square[i] = sum;
  }
  sync_block();
  for (int64_t i = warp_index(); i < m; i += warp_count()) {
    const int32_t place = place_of(square, m, i);
    for (int64_t k = lane_index(); k < from_w.cols; k += warp_size) to_w(place, k) = from_w(i, k);
    for (int64_t k = lane_index(); k < m; k += warp_size) to_j(place, k) = from_j(i, k);
  }
}

// |R y - y|_2^2 for R = X X^T, the rows of X orthonormal but for rounding. `sums`: as many numbers as X has columns.
template <typename T>
__device__ double lost_orthonormality(const MatrixView<T>& x, Global<double> sums, Shared<double> partial) {
  for (int64_t j = thread_index(); j < x.cols; j += block_threads()) {
    double sum = 0;
    for (int64_t k = 0; k < x.rows; ++k) sum += probe(k) * static_cast<double>(x(k, j));
    sums[j] = sum;
  }
  sync_block();
  double squares = 0;
  for (int64_t k = warp_index(); k < x.rows; k += warp_count()) {
    double sum = 0;
    for (int64_t j = lane_index(); j < x.cols; j += warp_size) sum += static_cast<double>(x(k, j)) * sums[j];
    const double error = warp_sum(sum) - probe(k);
    squares += lane_index() == 0 ? error * error : 0.0;
  }
  return block_sum(squares, partial);
}

// The largest of |B^T z - Q diag(s) J z|_2 / (|B|_F |z|_2) and what J and Q lost of orthonormality.
template <typename T>
__device__ double residual_of(const Factors<T>& factors, int64_t index, Global<const T> s, Global<double> sums,
                              Global<double> coordinates, Shared<double> partial) {
  const MatrixView<T> b = factors.b[index], j = factors.j[index], q = factors.q[index];
  for (int64_t k = warp_index(); k < b.rows; k += warp_count()) {
    double sum = 0;
    for (int64_t i = lane_index(); i < b.rows; i += warp_size) sum += static_cast<double>(j(k, i)) * probe(i);
    sum = warp_sum(sum);
    if (lane_index() == 0) coordinates[k] = sum * static_cast<double>(s[k]);
  }
  sync_block();
  double squares = 0, size = 0;
  for (int64_t i = thread_index(); i < b.cols; i += block_threads()) {
    double error = 0;
    for (int64_t k = 0; k < b.rows; ++k) {
      const double x = static_cast<double>(b(k, i));
      size += x * x;
      error += x * probe(k) - static_cast<double>(q(k, i)) * coordinates[k];
    }
    squares += error * error;
  }
  squares = block_sum(squares, partial);
  size = block_sum(size, partial);
  const double m = static_cast<double>(b.rows);
  const double of_product = squares == 0 ? 0 : squares / (size * m);
  const double of_j = lost_orthonormality(j, sums, partial) / m;
  sync_block();
  const double of_q = lost_orthonormality(q, sums, partial) / m;
  return std::sqrt(std::max(of_product, std::max(of_j, of_q)));
}

template <typename T>
__global__ void write_outputs(Factors<T> factors, bool is_tall, BatchView<T> s_out, BatchView<T> u, BatchView<T> v,
                              Global<kr_report> reports, Global<double> sums, Global<double> coordinates,
                              Rectangles rectangles) {
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warp_count());
  const int64_t b = block_index(), m = factors.b.rows, n = factors.b.cols;
  int32_t status = m == 0 ? KR_STATUS_OK : Global<const int32_t>(rectangles.status)[b];
  kr_report report = answered(m == 0 ? KR_METHOD_DIRECT : KR_METHOD_JACOBI);
  if (status == KR_STATUS_OK && m > 0) {
    const Global<T> s = Global<T>(factors.s) + b * m;
    if (thread_index() == 0) {
      // Rounding may disturb the order of equals: none may exceed the one before it.
      for (int64_t k = 1; k < m; ++k) s[k] = std::min(s[k], s[k - 1]);
    }
    sync_block();
    const int exponent = Global<const int32_t>(rectangles.exponent)[b];
    const T largest = s[0], smallest = s[m - 1];
    const T scaled = scaled_back<T>(static_cast<double>(largest), exponent, n);
    if (!(scaled - scaled == 0)) status = KR_STATUS_OVERFLOW;
    report.condition = largest == 0 ? not_measured : static_cast<double>(largest) / static_cast<double>(smallest);
    report.iterations = Global<const int32_t>(rectangles.sweeps)[b];
    if (status == KR_STATUS_OK) {
      const MatrixView<T> s_matrix = s_out[b];
      for (int64_t k = thread_index(); k < m; k += block_threads()) {
        s_matrix(k, 0) = scaled_back<T>(static_cast<double>(s[k]), exponent, n);
      }
    }
    if (status == KR_STATUS_OK && factors.j.data) {
      report.residual = residual_of<T>(factors, b, s, sums + b * n, coordinates + b * m, partial);
      const MatrixView<T> j = factors.j[b], q = factors.q[b], shorter = (is_tall ? v : u)[b],
                          longer = (is_tall ? u : v)[b];
      for (int64_t k = warp_index(); k < m; k += warp_count()) {
        // The component of largest magnitude, the first of equals.
        T peak = 0;
        int64_t at = m;
        for (int64_t i = lane_index(); i < m; i += warp_size) {
          const T x = j(k, i);
          if (std::abs(x) > std::abs(peak)) {
            peak = x;
            at = i;
          }
        }
        for (int flip = warp_size / 2; flip > 0; flip /= 2) {
          const T other = shuffle_xor(peak, flip);
          const int64_t other_at = shuffle_xor(at, flip);
          const bool is_larger = std::abs(other) > std::abs(peak);
          const bool is_first = std::abs(other) == std::abs(peak) && other_at < at;
          peak = is_larger || is_first ? other : peak;
          at = is_larger || is_first ? other_at : at;
        }
        const T sign = peak < 0 ? T(-1) : T(1);
        for (int64_t i = lane_index(); i < m; i += warp_size) shorter(i, k) = sign * j(k, i);
        for (int64_t i = lane_index(); i < n; i += warp_size) longer(i, k) = sign * q(k, i);
      }
    }
  }
  if (thread_index() == 0 && reports) {
    reports[b] = status == KR_STATUS_OK ? report : failed(static_cast<kr_status>(status));
  }
}

}  // namespace

template <typename T>
void read_wide(Op& op, const BatchView<const T>& a, bool is_tall, const BatchView<T>& b, double* wide,
               const Rectangles& rectangles) {
  launch<read_rectangles<T>>(op, {{a.batch}, row_threads, partial_bytes}, a, is_tall, b, Global<double>(wide),
                             rectangles);
}

template <typename T>
void take_eigenvectors(Op& op, const double* v, const int32_t* status, const BatchView<T>& j,
                       const Rectangles& rectangles) {
  launch<take_rows<T>>(op, {{j.batch}, row_threads, 0}, Global<const double>(v), Global<const int32_t>(status), j,
                       rectangles);
}

template <typename T>
void values_of(Op& op, const double* squares, const int32_t* status, const BatchView<T>& w, T* s,
               const Rectangles& rectangles) {
  double* const lengths = op.scratch<double>(w.batch * w.rows);
  launch<take_values<T>>(op, {{w.batch}, row_threads, 0}, Global<const double>(squares), Global<const int32_t>(status),
                         w, Global<double>(lengths), Global<T>(s), rectangles);
}

template <typename T>
void sort_rows(Op& op, const BatchView<T>& w, const BatchView<T>& j, const BatchView<T>& sorted_w,
               const BatchView<T>& sorted_j, const Rectangles& rectangles) {
  double* const lengths = op.scratch<double>(w.batch * w.rows);
  launch<sort_by_length<T>>(op, {{w.batch}, row_threads, 0}, w, j, sorted_w, sorted_j, Global<double>(lengths),
                            rectangles);
}

template <typename T>
void write_factors(Op& op, const Factors<T>& factors, bool is_tall, const BatchView<T>& s, const BatchView<T>& u,
                   const BatchView<T>& v, kr_report* reports, const Rectangles& rectangles) {
  const int64_t batch = factors.b.batch;
  double* const sums = op.scratch<double>(batch * factors.b.cols);
  double* const coordinates = op.scratch<double>(batch * factors.b.rows);
  launch<write_outputs<T>>(op, {{batch}, row_threads, partial_bytes}, factors, is_tall, s, u, v,
                           Global<kr_report>(reports), Global<double>(sums), Global<double>(coordinates), rectangles);
}

template void read_wide(Op&, const BatchView<const float>&, bool, const BatchView<float>&, double*, const Rectangles&);
template void read_wide(Op&, const BatchView<const double>&, bool, const BatchView<double>&, double*,
                        const Rectangles&);
template void take_eigenvectors(Op&, const double*, const int32_t*, const BatchView<float>&, const Rectangles&);
template void take_eigenvectors(Op&, const double*, const int32_t*, const BatchView<double>&, const Rectangles&);
template void values_of(Op&, const double*, const int32_t*, const BatchView<float>&, float*, const Rectangles&);
template void values_of(Op&, const double*, const int32_t*, const BatchView<double>&, double*, const Rectangles&);
template void sort_rows(Op&, const BatchView<float>&, const BatchView<float>&, const BatchView<float>&,
                        const BatchView<float>&, const Rectangles&);
template void sort_rows(Op&, const BatchView<double>&, const BatchView<double>&, const BatchView<double>&,
                        const BatchView<double>&, const Rectangles&);
template void write_factors(Op&, const Factors<float>&, bool, const BatchView<float>&, const BatchView<float>&,
                            const BatchView<float>&, kr_report*, const Rectangles&);
template void write_factors(Op&, const Factors<double>&, bool, const BatchView<double>&, const BatchView<double>&,
                            const BatchView<double>&, kr_report*, const Rectangles&);

}  // namespace kronroot::cuda
