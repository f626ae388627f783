// Y = X x_1 op(A_1) x_2 .. x_k op(A_k).
#include <algorithm>
#include <array>

#include "../core/check.hpp"
#include "../core/matrix.hpp"
#include "../core/modes.hpp"
#include "batch_loop.hpp"
#include "device.hpp"
#include "product.hpp"

namespace kronroot::cpu {
namespace {

// A tensor without gaps: outer x length x inner, with the mode that is multiplied in the middle.
struct Unfolding {
  int64_t outer = 1, length = 1, inner = 1;
};

Unfolding unfolded(const std::array<int64_t, KR_MOST_MODES>& dims, int order, int mode) {
  Unfolding at;
  for (int i = 0; i < order; ++i) {
    (i < mode ? at.outer : i == mode ? at.length : at.inner) *= dims[static_cast<size_t>(i)];
  }
  return at;
}

// Below this many elements of a row an op(A) x_i is a product too thin for vectors, but op(A) with the identity of the
// inner modes is still a small matrix: all `outer` products become one. Its zeros spread NaN within the tensor only.
constexpr int64_t kThinRow = 4;
constexpr int64_t kMostExpanded = 32;

// (op(A) (x) I)^T, I of order `inner`.
template <typename T>
Matrix<T> expanded(const Matrix<T>& a, bool is_transposed, int64_t rows, int64_t length, int64_t inner,
                   Scratch& scratch) {
  const Matrix<T> wide{scratch.take<T>(length * inner * rows * inner), length * inner, rows * inner, rows * inner};
  std::fill_n(wide.data, wide.rows * wide.cols, T{0});
  for (int64_t j = 0; j < rows; ++j) {
    for (int64_t i = 0; i < length; ++i) {
      const T element = is_transposed ? a(i, j) : a(j, i);
      for (int64_t q = 0; q < inner; ++q) wide(i * inner + q, j * inner + q) = element;
    }
  }
  return wide;
}

// Rows of a product, and of the one that it is a part of (Product::whole_m).
struct Rows {
  int64_t count, whole;
};

// to = from op(B) with `from` of `rows` rows.
template <typename T>
void multiply_rows(const Kernels<T>& kernels, Rows rows, const T* from, const Matrix<T>& b, bool transpose_b, T* to) {
  Product<T> product;
  product.m = rows.count;
  product.whole_m = rows.whole;
  product.n = transpose_b ? b.rows : b.cols;
  product.k = transpose_b ? b.cols : b.rows;
  product.a = from;
  product.a_stride = product.k;
  product.b = b.data;
  product.b_stride = b.stride;
  product.transpose_b = transpose_b;
  product.c = to;
  product.c_stride = product.n;
  multiply(kernels, product);
}

// to = from x_i op(A), op(A) of `rows` rows: each of the `outer` matrices is multiplied from the left, save for the
// last mode, where all of them together are one matrix, multiplied by op(A)^T from the right.
template <typename T>
void multiply_mode(const Kernels<T>& kernels, const Matrix<T>& a, bool is_transposed, Rows rows, const Unfolding& shape,
                   int64_t whole_outer, const T* from, T* to) {
  const Rows outer{shape.outer, whole_outer};
  if (shape.inner == 1) {
    const Matrix<T> part{a.data, is_transposed ? shape.length : rows.count, is_transposed ? rows.count : shape.length,
                         a.stride};
    return multiply_rows(kernels, outer, from, part, !is_transposed, to);
  }
  if (shape.inner <= kThinRow && shape.inner * std::max(shape.length, rows.count) <= kMostExpanded) {
    Scratch scratch;
    const Matrix<T> wide = expanded(a, is_transposed, rows.count, shape.length, shape.inner, scratch);
    return multiply_rows(kernels, outer, from, wide, false, to);
  }
  Product<T> product;
  product.m = rows.count;
  product.whole_m = rows.whole;
  product.n = shape.inner;
  product.k = shape.length;
  product.a = a.data;
  product.a_stride = a.stride;
  product.transpose_a = is_transposed;
  product.b_stride = product.c_stride = shape.inner;
  for (int64_t o = 0; o < shape.outer; ++o) {
    product.b = from + o * shape.length * shape.inner;
    product.c = to + o * rows.count * shape.inner;
    multiply(kernels, product);
  }
}

// Rows [first, first + count) of the first dimension of Y, for one tensor. Where they are not all of them, the first
// mode is the first one multiplied or has no factor: then they depend on nothing else of what is computed.
template <typename T>
void apply(const Kernels<T>& kernels, const Modes& modes, int64_t index, int64_t first, int64_t count, const T* x,
           T* y) {
  std::array<int64_t, KR_MOST_MODES> dims{};
  int64_t largest = 0;
  for (int i = 0; i < modes.order; ++i) dims[static_cast<size_t>(i)] = modes.by_dimension[static_cast<size_t>(i)].from;
  const Mode& leading = modes.by_dimension[0];
  const int64_t row_of_y = leading.to == 0 ? 0 : modes.elements(modes.count) / leading.to;
  T* const result = y + first * row_of_y;
  if (leading.factor == nullptr) {
    dims[0] = count;
    x += leading.from == 0 ? 0 : first * (modes.elements(0) / leading.from);
  }
  if (modes.count == 0) {
    std::copy_n(x, count * row_of_y, result);
    return;
  }
  for (int turn = 1; turn < modes.count; ++turn) largest = std::max(largest, modes.elements(turn));
  Scratch scratch;
  T* between[2] = {scratch.take<T>(modes.count > 1 ? largest : 0), scratch.take<T>(modes.count > 2 ? largest : 0)};
  const T* from = x;
  for (int turn = 0; turn < modes.count; ++turn) {
    const Mode& mode = modes.by_dimension[static_cast<size_t>(modes.in_turn[static_cast<size_t>(turn)])];
    Matrix<T> factor = matrix_of<T>(*mode.factor, index);
    Rows rows{mode.to, mode.to};
    if (mode.number == 0) {
      factor.data += mode.is_transposed ? first : first * factor.stride;
      rows.count = count;
    }
    T* const to = turn + 1 == modes.count ? result : between[turn % 2];
    const Unfolding shape = unfolded(dims, modes.order, mode.number);
    const int64_t whole_outer = count == leading.to ? shape.outer : shape.outer / count * leading.to;
    multiply_mode(kernels, factor, mode.is_transposed, rows, shape, whole_outer, from, to);
    dims[static_cast<size_t>(mode.number)] = rows.count;
    from = to;
  }
}

template <typename T>
kr_code run(const kr_call* call, const Modes& modes, const kr_batch& x, const kr_batch& y) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const Mode& leading = modes.by_dimension[0];
  const double flops = modes.flops();
  const bool can_split = leading.factor == nullptr || modes.in_turn[0] == 0;
  const int64_t parts = can_split ? row_parts(y.batch, call->device->threads, leading.to, flops) : 1;
  auto apply_part = [&](int64_t item) {
    const Part part = part_of(item, parts);
    const int64_t first = row_cut(leading.to, part.number, parts), end = row_cut(leading.to, part.number + 1, parts);
    apply(kernels, modes, part.matrix, first, end - first, matrix_of<T>(x, part.matrix).data,
          matrix_of<T>(y, part.matrix).data);
  };
  return for_each(call, y.batch * parts, flops / static_cast<double>(parts), apply_part);
}

}  // namespace

kr_code mode_product(const kr_call* call, const kr_mode_product_options* options, const kr_batch* x,
                     const kr_batch* const* factors, const kr_batch* y) {
  if (const kr_code code = check_mode_product(call, options, x, factors, y)) return code;
  const Modes modes = modes_of(options, *x, factors);
  return y->dtype == KR_F32 ? run<float>(call, modes, *x, *y) : run<double>(call, modes, *x, *y);
}

}  // namespace kronroot::cpu
