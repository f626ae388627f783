// Symmetric eigendecomposition of one matrix: A = Q T Q^T (tridiagonal.inl), T = Z diag(d) Z^T, V = Q Z.
//   small   Z as a product of plane rotations (ql.inl), which are applied to Q (reflectors.inl, rotations.inl)
//   large   Z by divide and conquer, to which Q is applied (back_transformation.inl)
// For values alone either of the two without Q.
#pragma once

#include "back_transformation.inl"
#include "divide_and_conquer.inl"
#include "execution.inl"
#include "ql.inl"
#include "reflectors.inl"
#include "tridiagonal.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// From these orders on divide and conquer is faster, with vectors and for values alone: its secular equation gains most
// from wide vectors.
constexpr int64_t kDivided = kVectorBytes == 64 ? 64 : 96;
constexpr int64_t kDividedValues = kVectorBytes == 64 ? 128 : 256;

template <typename T>
constexpr double kUlp = sizeof(T) == 4 ? 0x1p-23 : 0x1p-52;

template <typename T>
struct TridiagonalForm {
  double* d;
  double* e;
  T* tau;
  int64_t* order;
  T* workspace;
  Storage<T> matrix;

  TridiagonalForm(int64_t n, Pieces& pieces)
      : d(pieces.take<double>(n)),
        e(pieces.take<double>(n)),
        tau(pieces.take<T>(n)),
        order(pieces.take<int64_t>(n)),
        workspace(pieces.take<T>(tridiagonal_workspace<T>(n))),
        matrix{pieces.take<T>(storage_size<T>(n)), n, storage_stride<T>(n)} {}
};

// Eigenvector order[j] of the panels to column j of vectors.
template <typename T>
void write_vectors(Panels<T> panels, const int64_t* order, T* vectors, int64_t stride) {
  const int64_t n = panels.order;
  for (int64_t i = 0; i < n; i += kWidth<T>) {
    const int rows = static_cast<int>(smaller(kWidth<T>, n - i));
    for (int64_t j = 0; j < n; j += kWidth<T>) {
      const int columns = static_cast<int>(smaller(kWidth<T>, n - j));
      Vec<T> tile[kWidth<T>] = {};
      for (int c = 0; c < columns; ++c) tile[c] = load(panels.row(i / panels.lanes, order[j + c]) + i % panels.lanes);
      transpose<T>(tile);
      for (int r = 0; r < rows; ++r) {
        T* place = vectors + (i + r) * stride + j;
        if (columns == kWidth<T>) {
          store(place, tile[r]);
        } else {
          store_first(place, tile[r], columns);
        }
      }
    }
  }
}

// Row order[j] to column j of vectors.
template <typename T>
void write_vectors(int64_t n, Rows<T> rows, const int64_t* order, T* vectors, int64_t stride) {
  for (int64_t i = 0; i < n; i += kWidth<T>) {
    const int count = static_cast<int>(smaller(kWidth<T>, n - i));
    for (int64_t j = 0; j < n; j += kWidth<T>) {
      const int columns = static_cast<int>(smaller(kWidth<T>, n - j));
      Vec<T> tile[kWidth<T>] = {};
      for (int c = 0; c < columns; ++c) tile[c] = load_first(rows.row(order[j + c]) + i, count);
      transpose<T>(tile);
      for (int r = 0; r < count; ++r) store_first(vectors + (i + r) * stride + j, tile[r], columns);
    }
  }
}

template <typename T>
struct RotatedWorkspace {
  double* cosines;
  double* sines;
  Panels<T> panels;
  ReflectorBlock<T>* blocks;
  T* columns;
  T* table;

  RotatedWorkspace(int64_t n, Pieces& pieces)
      : cosines(pieces.take<double>(n)), sines(pieces.take<double>(n)), panels{nullptr, n, panel_lanes<T>(n)} {
    panels.data = pieces.take<T>(panels.count() * panels.size());
    blocks = pieces.take<ReflectorBlock<T>>(reflector_blocks(n));
    columns = pieces.take<T>(padded<T>(n) * panels.lanes);
    table = pieces.take<T>(Rotations<T>::table_size(n));
  }
};

// V = (H_{n-1} ... H_2) G for the rotations G of QL.
template <typename T>
int64_t rotate_vectors(int64_t n, const TridiagonalForm<T>& form, const RotatedWorkspace<T>& space, T* vectors,
                       int64_t stride, const int32_t* cancel) {
  form_q(form.matrix, form.tau, space.panels, space.blocks, space.columns);
  Rotations<T> rotations(space.panels, space.table);
  const int64_t sweeps = ql_with_vectors(n, form.d, form.e, Deflation(n, form.d, form.e, kUlp<T>), space.cosines,
                                         space.sines, rotations, cancel);
  if (sweeps < 0) return sweeps;
  sort_indices(n, form.d, form.order);
  write_vectors(space.panels, form.order, vectors, stride);
  return sweeps;
}

template <typename T>
struct DividedWorkspace {
  Rows<T> rows;
  DivideWorkspace<T> divide;
  BackTransformationWorkspace<T> back;

  DividedWorkspace(int64_t n, int threads, Pieces& pieces)
      : rows{pieces.take<T>(storage_stride<T>(n) * n), storage_stride<T>(n)},
        divide(n, threads, pieces),
        back(n, threads, pieces) {}
};

// V = Q Z; a and vectors serve as workspace on the way.
template <typename T>
int64_t divide_vectors(int64_t n, const TridiagonalForm<T>& form, DividedWorkspace<T> space, T* a, T* vectors,
                       int64_t stride, const Execution& execution) {
  for (int64_t i = 0; i < n * space.rows.stride; ++i) space.rows.data[i] = 0;
  space.divide.merge.gathered = a;
  space.divide.merge.weights = {vectors, stride};
  space.divide.merge.gemm = space.back.gemm;
  space.divide.merge.gemm_size = space.back.gemm_size;
  DivideAndConquer<T, Extent::whole> divide(n, form.d, form.e, kUlp<T>, space.rows, form.order, space.divide,
                                            execution);
  const int64_t sweeps = divide.run();
  if (sweeps < 0) return sweeps;
  const BackTransformation<T> back(form.matrix, form.tau, space.back);
  if (!back.apply(space.rows.data, space.rows.stride, execution)) return kCancelled;
  write_vectors(n, space.rows, form.order, vectors, stride);
  return sweeps;
}

struct DividedValuesWorkspace {
  Rows<double> ends;
  DivideWorkspace<double> divide;

  DividedValuesWorkspace(int64_t n, Pieces& pieces) : ends{pieces.take<double>(2 * n), 2}, divide(n, 1, pieces) {
    divide.merge.gathered = pieces.take<double>(2 * n);
  }
};

inline int64_t divide_values(int64_t n, double* d, double* e, double ulp, int64_t* order,
                             const DividedValuesWorkspace& space, const Execution& execution) {
  return DivideAndConquer<double, Extent::ends>(n, d, e, ulp, space.ends, order, space.divide, execution).run();
}

template <typename T>
int64_t eigh_workspace(int64_t n, bool vectors, int threads) {
  Pieces pieces(nullptr);
  TridiagonalForm<T>(n, pieces);
  if (vectors && n < kDivided) RotatedWorkspace<T>(n, pieces);
  if (vectors && n >= kDivided) DividedWorkspace<T>(n, threads, pieces);
  if (!vectors && n >= kDividedValues) DividedValuesWorkspace(n, pieces);
  return pieces.bytes() / int64_t{sizeof(T)};
}

// As Kernels<T>::eigh.
template <typename T>
int64_t eigh(int64_t n, T* a, T* values, T* vectors, int64_t vectors_stride, T* workspace, const Execution& execution) {
  if (n == 0) return 0;
  Pieces pieces(workspace);
  const TridiagonalForm<T> form(n, pieces);
  copy_to_storage(n, a, form.matrix.data);
  if (!tridiagonalise(form.matrix, form.d, form.e, form.tau, form.workspace, execution.cancel)) return kCancelled;
  int64_t sweeps;
  if (vectors == nullptr && n < kDividedValues) {
    sweeps = ql_values(n, form.d, form.e, kUlp<T>, execution.cancel);
    sort_indices(n, form.d, form.order);
  } else if (vectors == nullptr) {
    const DividedValuesWorkspace space(n, pieces);
    sweeps = divide_values(n, form.d, form.e, kUlp<T>, form.order, space, execution);
  } else if (n < kDivided) {
    sweeps = rotate_vectors(n, form, RotatedWorkspace<T>(n, pieces), vectors, vectors_stride, execution.cancel);
  } else {
    const DividedWorkspace<T> space(n, execution.threads, pieces);
    sweeps = divide_vectors(n, form, space, a, vectors, vectors_stride, execution);
  }
  if (sweeps < 0) return sweeps;
  for (int64_t j = 0; j < n; ++j) values[j] = static_cast<T>(form.d[form.order[j]]);
  return sweeps;
}

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
