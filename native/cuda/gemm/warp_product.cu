// Small products, several to a warp: 32 elements of C, 4 x 8, to a lane. A and B go through shared memory, `order` deep
// at a time, so that global memory is read along its lines whatever is transposed; 2 order (order + 1) elements a
// matrix, lines padded by one against bank conflicts.
#include "../launch.hpp"
#include "product_kernels.hpp"
#include "product_views.cuh"

namespace kronroot::cuda {
namespace {

template <typename T, int Order>
struct WarpTile {
  static constexpr int order = Order, stride = Order + 1, elements = Order * stride;
  static constexpr int lanes = Order * Order / 32, matrices = 32 / lanes;  // to a matrix, to a warp
  static constexpr int warps = 4;
  Shared<T> a, b;  // by depth: element (k, row) and (k, col), matrix after matrix

  __host__ __device__ explicit WarpTile(SharedArena& arena)
      : a(arena.take<T>(warps * matrices * elements)), b(arena.take<T>(warps * matrices * elements)) {}
};

// Order x Order elements from (row, col) on, zeros where the operand ends or there is no matrix, by all lanes of the
// warp for one matrix after the other. `is_transposed`: element (row, col) goes to (col, row).
template <typename T, int Order>
__device__ __forceinline__ void load_squares(Shared<T> to, const Product<T>& p, int64_t first, int64_t count, bool is_b,
                                             bool is_transposed, int64_t row, int64_t col) {
  using Tile = WarpTile<T, Order>;
  constexpr int lines = warp_size / Order;  // at a time
  const int i = lane_index() / Order, j = lane_index() % Order;
  for (int matrix = 0; matrix < Tile::matrices; ++matrix) {
    const int64_t index = first + matrix < count ? first + matrix : first;
    const ProductViews<T> views(p, index);
    const MatrixView<const T>& from = is_b ? views.b : views.a;
    const bool is_present = first + matrix < count && !views.is_skipped && col + j < from.cols;
    const Shared<T> square = to + matrix * Tile::elements + (is_transposed ? j * Tile::stride : j);
    const int64_t at = (row + i) * from.stride + col + j;
#pragma unroll 4
    for (int line = 0; line < Order; line += lines) {
      T x = 0;
      if (is_present && row + i + line < from.rows) x = from.data[at + line * from.stride];
      square[is_transposed ? i + line : (i + line) * Tile::stride] = x;
    }
  }
}

// The sums of one matrix to C, by all lanes of the warp.
template <typename T, int Order>
__device__ __forceinline__ void store_square(Shared<T> sums, const Product<T>& p, int64_t index) {
  constexpr int lines = warp_size / Order, stride = WarpTile<T, Order>::stride;
  const ProductViews<T> views(p, index);
  if (views.is_skipped) return;
  const ProductOutput<T> output(p, views.c);
  const MatrixView<T>& c = views.c;
  const int j = lane_index() % Order;
  // The values first: where C is symmetric its lower triangle has to be read before the upper one is written.
  for (int i = lane_index() / Order; i < Order; i += lines) {
    if (i >= c.rows || j >= c.cols || (p.symmetric && j > i)) continue;
    const T sum = sums[i * stride + j];
    const T x = output.value(sum, p.beta != 0 ? c(i, j) : 0, i == j);
    sums[i * stride + j] = x;
    if (p.symmetric) sums[j * stride + i] = x;
  }
  sync_warp();
  for (int i = lane_index() / Order; i < Order; i += lines) {
    if (i >= c.rows || j >= c.cols) continue;
    const T x = sums[i * stride + j];
    c(i, j) = x;
  }
}

template <typename T, int Order>
__global__ void __launch_bounds__(128) multiply_in_warp(Product<T> p, int64_t count) {
  using Tile = WarpTile<T, Order>;
  SharedArena arena;
  const Tile tile(arena);
  const int64_t first = (block_index() * Tile::warps + warp_index()) * Tile::matrices;
  const Shared<T> a = tile.a + warp_index() * Tile::matrices * Tile::elements;
  const Shared<T> b = tile.b + warp_index() * Tile::matrices * Tile::elements;
  const int matrix = lane_index() / Tile::lanes, part = lane_index() % Tile::lanes;
  const int row = part / (Order / 8) * 4, col = part % (Order / 8) * 8;
  const int64_t depth = p.transpose_a ? p.a.rows : p.a.cols;
  T sums[4][8];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 8; ++j) sums[i][j] = 0;
  }
  if (first >= count) return;
  for (int64_t k = 0; k < depth; k += Order) {
    load_squares<T, Order>(a, p, first, count, false, !p.transpose_a, p.transpose_a ? k : 0, p.transpose_a ? 0 : k);
    load_squares<T, Order>(b, p, first, count, true, p.transpose_b, p.transpose_b ? 0 : k, p.transpose_b ? k : 0);
    sync_warp();
    const int deep = depth - k < Order ? static_cast<int>(depth - k) : Order;
    for (int l = 0; l < deep; ++l) {
      T x[4], y[8];
#pragma unroll
      for (int i = 0; i < 4; ++i) x[i] = a[matrix * Tile::elements + l * Tile::stride + row + i];
#pragma unroll
      for (int j = 0; j < 8; ++j) y[j] = b[matrix * Tile::elements + l * Tile::stride + col + j];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 8; ++j) sums[i][j] += x[i] * y[j];
      }
    }
    sync_warp();
  }
  // Through shared memory again: C is read and written along its lines too.
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 8; ++j) a[matrix * Tile::elements + (row + i) * Tile::stride + col + j] = sums[i][j];
  }
  sync_warp();
  for (int m = 0; m < Tile::matrices && first + m < count; ++m) {
    store_square<T, Order>(a + m * Tile::elements, p, first + m);
  }
}

template <typename T, int Order>
void launch_order(Op& op, const Product<T>& product) {
  using Tile = WarpTile<T, Order>;
  constexpr int in_block = Tile::warps * Tile::matrices;
  const int64_t count = product.c.batch * product.parts.count;
  SharedArena arena;
  const Tile tile(arena);
  launch<multiply_in_warp<T, Order>>(op,
                                     {.blocks = {(count + in_block - 1) / in_block},
                                      .threads = Tile::warps * warp_size,
                                      .shared_bytes = arena.bytes()},
                                     product, count);
}

}  // namespace

template <typename T>
void multiply_in_warps(int order, Op& op, const Product<T>& product) {
  if (order == 8) return launch_order<T, 8>(op, product);
  order == 16 ? launch_order<T, 16>(op, product) : launch_order<T, 32>(op, product);
}

template void multiply_in_warps(int, Op&, const Product<float>&);
template void multiply_in_warps(int, Op&, const Product<double>&);

}  // namespace kronroot::cuda
