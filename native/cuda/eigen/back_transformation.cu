// V = H_{n-1} ... H_1 Z: a warp for each column, which lies in shared memory while all reflectors pass over it. Shared
// memory: n elements for each warp.
#include "../launch.hpp"
#include "tridiagonal.hpp"

namespace kronroot::cuda {
namespace {

constexpr int columns_of_block = 8;

template <typename T>
__global__ void __launch_bounds__(columns_of_block* warp_size)
    apply_reflectors(TridiagonalBatch<T> form, Global<const T> z, BatchView<T> vectors, Global<const int32_t> skip) {
  const int n = static_cast<int>(form.order);
  const int64_t groups = (n + columns_of_block - 1) / columns_of_block;
  const int64_t b = block_index() / groups;
  if (skip && skip[b] != 0) return;
  const int first = static_cast<int>(block_index() % groups) * columns_of_block;
  SharedArena arena;
  const Shared<T> columns = arena.take<T>(columns_of_block * n);
  const Global<const T> from = z + b * form.padded * form.padded;
  for (int e = thread_index(); e < n * columns_of_block; e += block_threads()) {
    const int i = e / columns_of_block, c = e % columns_of_block;
    columns[c * n + i] = first + c < n ? from[i * form.padded + first + c] : T(0);
  }
  sync_block();
  const Shared<T> column = columns + warp_index() * n;
  const Global<const T> tau = Global<const T>(form.tau) + b * n;
  for (int k = 1; k < n; ++k) {
    const Global<const T> v = Global<const T>(form.reflectors) + (b * n + k) * n;
    const T factor = tau[k];
    T sum = 0;
    for (int i = lane_index(); i < k; i += warp_size) sum += v[i] * T(column[i]);
    const T share = factor * warp_sum(sum);
    for (int i = lane_index(); i < k; i += warp_size) column[i] -= share * v[i];
  }
  sync_block();
  const MatrixView<T> to = vectors[b];
  for (int e = thread_index(); e < n * columns_of_block; e += block_threads()) {
    const int i = e / columns_of_block, c = e % columns_of_block;
    if (first + c < n) to(i, first + c) = columns[c * n + i];
  }
}

}  // namespace

template <typename T>
void back_transform(Op& op, const TridiagonalBatch<T>& form, const T* z, const BatchView<T>& vectors,
                    const int32_t* skip) {
  const int64_t groups = (form.order + columns_of_block - 1) / columns_of_block;
  launch<apply_reflectors<T>>(op,
                              {.blocks = {form.batch * groups},
                               .threads = columns_of_block * warp_size,
                               .shared_bytes = static_cast<std::size_t>(columns_of_block * form.order) * sizeof(T)},
                              form, Global<const T>(z), vectors, Global<const int32_t>(skip));
}

template void back_transform(Op&, const TridiagonalBatch<float>&, const float*, const BatchView<float>&,
                             const int32_t*);
template void back_transform(Op&, const TridiagonalBatch<double>&, const double*, const BatchView<double>&,
                             const int32_t*);

}  // namespace kronroot::cuda
