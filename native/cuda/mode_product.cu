// Y = X x_1 op(A_1) x_2 .. x_k op(A_k), one product of matrices a mode.
#include <algorithm>
#include <array>

#include "../core/check.hpp"
#include "../core/modes.hpp"
#include "copy_batch.cuh"
#include "gemm/product.hpp"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

// Tensors without gaps, one after the other at a distance of `stride`.
template <typename T>
struct Tensors {
  Global<T> data;
  int64_t batch = 0, stride = 0;

  BatchView<T> as_matrices(int64_t rows, int64_t cols) const { return {data, batch, rows, cols, cols, stride}; }
};

// to = from x_i op(A): tensors of outer x length x inner with the mode in the middle. Each of the `outer` matrices is
// multiplied from the left, save for the last mode, where all of them together are one, times op(A)^T from the right.
template <typename T>
void multiply_mode(Op& op, const Mode& mode, int64_t outer, int64_t inner, const Tensors<const T>& from,
                   const Tensors<T>& to) {
  const BatchView<const T> factor = view_of<const T>(*mode.factor);
  if (inner == 1) {
    multiply(op, Product<T>{.a = from.as_matrices(outer, mode.from),
                            .b = factor,
                            .c = to.as_matrices(outer, mode.to),
                            .transpose_b = !mode.is_transposed});
  } else {
    multiply(op, Product<T>{.a = factor,
                            .b = from.as_matrices(mode.from, inner),
                            .c = to.as_matrices(mode.to, inner),
                            .transpose_a = mode.is_transposed,
                            .parts = {.count = outer, .b_stride = mode.from * inner, .c_stride = mode.to * inner}});
  }
}

template <typename T>
void enqueue(Op& op, const Modes& modes, const kr_batch& x, const kr_batch& y) {
  if (y.batch * y.rows * y.cols == 0) return;
  if (modes.count == 0) return copy_batch(op, view_of<const T>(x), view_of<T>(y));
  std::array<int64_t, KR_MOST_MODES> dims{};
  for (int i = 0; i < modes.order; ++i) dims[static_cast<size_t>(i)] = modes.by_dimension[static_cast<size_t>(i)].from;
  // Products alternate between two tensors; the last one is Y.
  std::array<int64_t, 2> elements{};
  for (int turn = 1; turn < modes.count; ++turn) {
    int64_t& most = elements[static_cast<size_t>(turn % 2)];
    most = std::max(most, modes.elements(turn));
  }
  const std::array<T*, 2> between = {op.scratch<T>(y.batch * elements[0]), op.scratch<T>(y.batch * elements[1])};
  Tensors<const T> from{Global<const T>(static_cast<const T*>(x.data)), y.batch, x.batch_stride};
  for (int turn = 0; turn < modes.count; ++turn) {
    const Mode& mode = modes.by_dimension[static_cast<size_t>(modes.in_turn[static_cast<size_t>(turn)])];
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < modes.order; ++i) {
      if (i != mode.number) (i < mode.number ? outer : inner) *= dims[static_cast<size_t>(i)];
    }
    const auto next = static_cast<size_t>((turn + 1) % 2);
    const Tensors<T> to = turn + 1 == modes.count
                              ? Tensors<T>{Global<T>(static_cast<T*>(y.data)), y.batch, y.batch_stride}
                              : Tensors<T>{Global<T>(between[next]), y.batch, elements[next]};
    multiply_mode(op, mode, outer, inner, from, to);
    from = {to.data, to.batch, to.stride};
    dims[static_cast<size_t>(mode.number)] = mode.to;
  }
}

}  // namespace

kr_code mode_product(const kr_call* call, const kr_mode_product_options* options, const kr_batch* x,
                     const kr_batch* const* factors, const kr_batch* y) {
  if (const kr_code code = check_mode_product(call, options, x, factors, y)) return code;
  const Modes modes = modes_of(options, *x, factors);
  Op op(call, "mode_product");
  y->dtype == KR_F32 ? enqueue<float>(op, modes, *x, *y) : enqueue<double>(op, modes, *x, *y);
  return op.finish();
}

}  // namespace kronroot::cuda
