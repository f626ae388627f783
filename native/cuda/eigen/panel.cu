// A panel of 32 rows is reduced against the matrix as it was before the panel, which is only read:
//   A_now = A - V W^T - W V^T,   A_now x = A x - V (W^T x) - W (V^T x),
// with the v and w of the panel so far in the columns of V and W; then one symmetric product updates A. The reading of
// A, one triangle for each row that is reduced, is what the reduction costs: every element serves as a_ij and as a_ji.
// One block a matrix. Source: Dongarra, Hammarling and Sorensen, J. Comput. Appl. Math. 27 (1989).
// Shared memory: 3 n + 128 elements, and n for each warp.
#include "panel.hpp"

#include "../../core/check.hpp"
#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "reflector.cuh"
#include "warp_sums.cuh"

namespace kronroot::cuda {
namespace {

constexpr int panel_rows = 32;
constexpr int most_panel_threads = 512;
constexpr int rows_at_once = 8;

// [V^T; W^T] and [W^T; V^T] of every matrix, 2 panel_rows rows each, so that one product makes the update.
template <typename T>
struct PanelBatch {
  Global<T> left;
  Global<T> right;
  int64_t stride;
};

template <typename T>
struct PanelMemory {
  SharedArena arena;
  Shared<T> row, v, y;  // y: the rows of A v
  Shared<T> columns;    // what the rows of a warp add to other elements of A v, for every warp
  Shared<T> here;       // V_k. and W_k., the row of the panel that is reduced
  Shared<T> along;      // W^T v and V^T v
  Shared<T> partial;

  __host__ __device__ PanelMemory(int width, int warps)
      : row(arena.take<T>(width)),
        v(arena.take<T>(width)),
        y(arena.take<T>(width)),
        columns(arena.take<T>(warps * width)),
        here(arena.take<T>(2 * panel_rows)),
        along(arena.take<T>(2 * panel_rows)),
        partial(arena.take<T>(warps)) {}
};

// v is zero from its end to a multiple of what a warp loads at a time.
template <typename T>
constexpr int64_t loads_width(int64_t n) {
  constexpr int64_t whole = warp_size * 16 / sizeof(T);
  return (n + whole - 1) / whole * whole;
}

template <typename T>
class Panel {
 public:
  __device__ Panel(const MatrixView<T>& a, Global<T> left, Global<T> right, const PanelMemory<T>& memory)
      : a_(a), left_(left), right_(right), memory_(memory), width_(static_cast<int>(loads_width<T>(a.rows))) {}

  // Rows first - 1, ..., first - panel_rows. d, e and tau of them.
  __device__ void reduce(int first, Global<double> d, Global<double> e, Global<T> tau_out) {
    for (int j = thread_index(); j < width_; j += block_threads()) memory_.v[j] = 0;
    for (int s = 0; s < panel_rows; ++s) {
      const int k = first - 1 - s;
      for (int t = thread_index(); t < 2 * panel_rows; t += block_threads()) {
        memory_.here[t] = t % panel_rows < s ? left_[t * a_.stride + k] : T(0);
      }
      sync_block();
      for (int j = thread_index(); j <= k; j += block_threads()) {
        T x = a_(k, j);
        for (int t = 0; t < s; ++t) {
          x -= T(memory_.here[t]) * w_row(t)[j] + T(memory_.here[panel_rows + t]) * v_row(t)[j];
        }
        memory_.row[j] = x;
      }
      sync_block();
      T squares = 0;
      for (int j = lane_index(); j < k - 1; j += warp_size) squares += T(memory_.row[j]) * T(memory_.row[j]);
      const T alpha = memory_.row[k - 1];
      const Reflector<T> reflector = reflector_of(warp_sum(squares), alpha);
      for (int j = thread_index(); j <= k; j += block_threads()) {
        const T own = reflector.tau == 0 || j == k ? T(0) : j == k - 1 ? T(1) : T(memory_.row[j]) * reflector.scale;
        memory_.v[j] = own;
        v_row(s)[j] = right_[(panel_rows + s) * a_.stride + j] = own;
        if (j < k) a_(k, j) = own;
      }
      if (thread_index() == 0) {
        d[k] = static_cast<double>(T(memory_.row[k]));
        e[k - 1] = static_cast<double>(reflector.beta);
        tau_out[k] = reflector.tau;
      }
      sync_block();
      multiply_triangle(k);
      multiply_panel(k, s);
      sync_block();
      T product = 0;
      for (int i = thread_index(); i < k; i += block_threads()) {
        T x = memory_.y[i];
        for (int warp = 0; warp < warp_count(); ++warp) x += T(memory_.columns[warp * width_ + i]);
        for (int t = 0; t < s; ++t) {
          x -= T(memory_.along[t]) * v_row(t)[i] + T(memory_.along[panel_rows + t]) * w_row(t)[i];
        }
        memory_.y[i] = x;
        product += x * T(memory_.v[i]);
      }
      const T half = -reflector.tau / 2 * block_sum(product, memory_.partial);
      for (int i = thread_index(); i <= k; i += block_threads()) {
        const T own = i == k ? T(0) : reflector.tau * (T(memory_.y[i]) + half * T(memory_.v[i]));
        w_row(s)[i] = right_[s * a_.stride + i] = own;
      }
      sync_block();
    }
  }

 private:
  __device__ Global<T> v_row(int t) const { return left_ + t * a_.stride; }
  __device__ Global<T> w_row(int t) const { return left_ + (panel_rows + t) * a_.stride; }

  // A v below k: rows to y, from the diagonal to the left, and columns below the diagonal to the sums of the warp.
  __device__ __forceinline__ void multiply_triangle(int k) {
    constexpr int width = 16 / sizeof(T);
    const Shared<T> columns = memory_.columns + warp_index() * width_;
    for (int j = lane_index() * width; j < k; j += warp_size * width) store_vector(columns, j, Vector<T, width>{});
    for (int first = warp_index() * rows_at_once; first < k; first += warp_count() * rows_at_once) {
      T sum[rows_at_once], own[rows_at_once];
#pragma unroll
      for (int r = 0; r < rows_at_once; ++r) {
        sum[r] = 0;
        own[r] = first + r < k ? T(memory_.v[first + r]) : T(0);
      }
      const int last = std::min(first + rows_at_once, k) - 1;
      for (int j = lane_index() * width; j <= last; j += warp_size * width) {
        Vector<T, width> a[rows_at_once];
#pragma unroll
        for (int r = 0; r < rows_at_once; ++r) {
          // A row beyond the last is read again in its place; it counts nowhere.
          a[r] = load_vector<width>(a_.data, int64_t{std::min(first + r, k - 1)} * a_.stride + j);
        }
        const Vector<T, width> x = load_vector<width>(memory_.v, j);
        Vector<T, width> column = load_vector<width>(columns, j);
        const bool meets_diagonal = j + width > first;
#pragma unroll
        for (int r = 0; r < rows_at_once; ++r) {
#pragma unroll
          for (int c = 0; c < width; ++c) {
            sum[r] += !meets_diagonal || j + c <= first + r ? a[r][c] * x[c] : T(0);
            column[c] += !meets_diagonal || j + c < first + r ? a[r][c] * own[r] : T(0);
          }
        }
        store_vector(columns, j, column);
      }
      const T total = sum_for_lane(sum);
      const int row = first + sum_of_lane<rows_at_once>();
      if (lane_index() % (warp_size / rows_at_once) == 0 && row < k) memory_.y[row] = total;
    }
  }

  // W^T v and V^T v.
  __device__ __forceinline__ void multiply_panel(int k, int s) {
    for (int t = warp_index(); t < 2 * s; t += warp_count()) {
      const Global<T> row = t < s ? w_row(t) : v_row(t - s);
      T sum = 0;
      for (int j = lane_index(); j < k; j += warp_size) sum += row[j] * T(memory_.v[j]);
      sum = warp_sum(sum);
      if (lane_index() == 0) memory_.along[t < s ? t : panel_rows + t - s] = sum;
    }
  }

  MatrixView<T> a_;
  Global<T> left_, right_;
  PanelMemory<T> memory_;
  int width_;
};

template <typename T>
__global__ void __launch_bounds__(most_panel_threads, 1)
    reduce_panel(TridiagonalBatch<T> form, PanelBatch<T> panels, int first, Global<const int32_t> skip) {
  const int64_t b = block_index(), n = form.order;
  if (skip && skip[b] != 0) return;
  const PanelMemory<T> memory(static_cast<int>(loads_width<T>(n)), warp_count());
  const int64_t of_panel = b * 2 * panel_rows * panels.stride;
  Panel<T>({Global<T>(form.reflectors) + b * n * form.stride, n, n, form.stride}, panels.left + of_panel,
           panels.right + of_panel, memory)
      .reduce(first, Global<double>(form.d) + b * form.padded, Global<double>(form.e) + b * form.padded,
              Global<T>(form.tau) + b * n);
}

// A to the rows of the reflectors, zeros between n and the stride.
template <typename T>
__global__ void copy_matrix(BatchView<const T> a, TridiagonalBatch<T> form, Global<const int32_t> skip) {
  const int64_t n = form.order, b = block_index() / n, i = block_index() % n;
  if (skip && skip[b] != 0) return;
  const MatrixView<const T> from = a[b];
  const Global<T> to = Global<T>(form.reflectors) + (b * n + i) * form.stride;
  for (int64_t j = thread_index(); j < form.stride; j += block_threads()) to[j] = j < n ? from(i, j) : T(0);
}

}  // namespace

template <typename T>
int64_t reduce_panels(Op& op, const BatchView<const T>& a, const TridiagonalBatch<T>& form, int64_t most,
                      const int32_t* skip) {
  const int64_t n = form.order, batch = form.batch, elements = 2 * panel_rows * form.stride;
  const Global<const int32_t> skipped(skip);
  launch<copy_matrix<T>>(op, {{batch * n}, 128, 0}, a, form, skipped);
  const PanelBatch<T> panels{Global<T>(op.scratch<T>(batch * elements)), Global<T>(op.scratch<T>(batch * elements)),
                             form.stride};
  const int width = static_cast<int>(loads_width<T>(n));
  const auto bytes_of = [&](int threads) { return PanelMemory<T>(width, threads / warp_size).arena.bytes(); };
  const auto most_bytes = static_cast<std::size_t>(op.device().shared_bytes);
  int threads = most_panel_threads;
  while (bytes_of(threads) > most_bytes && threads > 2 * warp_size) threads /= 2;
  if (bytes_of(threads) > most_bytes)
    op.fail(
        fail(op.call(), KR_BAD_SHAPE, "order %lld is beyond what the device decomposes", static_cast<long long>(n)));
  int64_t left = n;
  while (left > most) {
    launch<reduce_panel<T>>(op, {{batch}, threads, bytes_of(threads)}, form, panels, static_cast<int>(left), skipped);
    left -= panel_rows;
    const auto rows_of = [&](const Global<T>& rows) {
      return BatchView<const T>{rows, batch, 2 * panel_rows, left, form.stride, elements};
    };
    multiply<T>(op, {.a = rows_of(panels.left),
                     .b = rows_of(panels.right),
                     .c = {Global<T>(form.reflectors), batch, left, left, form.stride, n * form.stride},
                     .transpose_a = true,
                     .alpha = -1,
                     .beta = 1,
                     .symmetric = true,
                     .skip = skip});
  }
  return left;
}

template int64_t reduce_panels(Op&, const BatchView<const float>&, const TridiagonalBatch<float>&, int64_t,
                               const int32_t*);
template int64_t reduce_panels(Op&, const BatchView<const double>&, const TridiagonalBatch<double>&, int64_t,
                               const int32_t*);

}  // namespace kronroot::cuda
