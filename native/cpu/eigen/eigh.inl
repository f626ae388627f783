// Symmetric eigendecomposition of one matrix: A = Q T Q^T (tridiagonal.inl), T = G diag(d) G^T (ql.inl),
// V = Q G (reflectors.inl forms Q, rotations.inl multiplies by G), then eigenvalues and vectors in ascending order.
#pragma once

#include "ql.inl"
#include "reflectors.inl"
#include "tridiagonal.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// Hands out consecutive 64-byte aligned pieces of a workspace; on a null base it measures.
class Pieces {
 public:
  explicit Pieces(void* base) : base_(static_cast<char*>(base)) {}

  template <typename U>
  U* take(int64_t count) {
    char* piece = base_ ? base_ + bytes_ : nullptr;
    bytes_ += round_up(count * int64_t{sizeof(U)}, 64);
    return reinterpret_cast<U*>(piece);
  }
  int64_t bytes() const { return bytes_; }

 private:
  char* base_;
  int64_t bytes_ = 0;
};

// Components of the eigenvectors to a panel. A panel should stay in the L2 cache beside the table of rotations while
// all waves of the table pass over it, and leave few lanes empty; more vectors to a row hide the latency of the shears.
template <typename T>
constexpr int64_t panel_lanes(int64_t n) {
  constexpr int64_t kCache = 131072;
  const int64_t vectors = padded<T>(n) / kWidth<T>;
  if (vectors % 4 == 0 && 4 * kWidth<T> * n * int64_t{sizeof(T)} <= kCache) return 4 * kWidth<T>;
  return vectors == 1 ? kWidth<T> : 2 * kWidth<T>;
}

template <typename T>
struct EighWorkspace {
  double* d;
  double* e;
  double* cosines;
  double* sines;
  int64_t* order;
  T* tau;
  T* tridiagonal;
  T* matrix;
  Panels<T> panels;
  ReflectorBlock<T>* blocks;
  T* columns;
  T* table;
  int64_t bytes;

  EighWorkspace(int64_t n, bool vectors, T* base) {
    Pieces pieces(base);
    d = pieces.take<double>(n);
    e = pieces.take<double>(n);
    cosines = pieces.take<double>(n);
    sines = pieces.take<double>(n);
    order = pieces.take<int64_t>(n);
    tau = pieces.take<T>(n);
    tridiagonal = pieces.take<T>(tridiagonal_workspace<T>(n));
    matrix = pieces.take<T>(storage_size<T>(n));
    if (vectors) {
      panels = {nullptr, n, panel_lanes<T>(n)};
      panels.data = pieces.take<T>(panels.count() * panels.size());
      blocks = pieces.take<ReflectorBlock<T>>(reflector_blocks(n));
      columns = pieces.take<T>(padded<T>(n) * panels.lanes);
      table = pieces.take<T>(Rotations<T>::table_size(n));
    }
    bytes = pieces.bytes();
  }
};

template <typename T>
int64_t eigh_workspace(int64_t n, bool vectors) {
  return EighWorkspace<T>(n, vectors, nullptr).bytes / int64_t{sizeof(T)};
}

// order[0 .. n-1]: the indices of d by ascending value, equal ones in their own order.
inline void sort_indices(int64_t n, const double* d, int64_t* order) {
  for (int64_t i = 0; i < n; ++i) {
    int64_t place = i;
    for (; place > 0 && d[order[place - 1]] > d[i]; --place) order[place] = order[place - 1];
    order[place] = i;
  }
}

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

// As Kernels<T>::eigh.
template <typename T>
int64_t eigh(int64_t n, T* a, T* values, T* vectors, int64_t vectors_stride, T* workspace) {
  constexpr double kUlp = sizeof(T) == 4 ? 0x1p-23 : 0x1p-52;
  if (n == 0) return 0;
  const EighWorkspace<T> space(n, vectors != nullptr, workspace);
  const Storage<T> matrix = copy_to_storage(n, a, space.matrix);
  tridiagonalise(matrix, space.d, space.e, space.tau, space.tridiagonal);
  int64_t sweeps;
  if (vectors) {
    form_q(matrix, space.tau, space.panels, space.blocks, space.columns);
    Rotations<T> rotations(space.panels, space.table);
    sweeps = ql_with_vectors(n, space.d, space.e, kUlp, space.cosines, space.sines, rotations);
  } else {
    sweeps = ql_values(n, space.d, space.e, kUlp);
  }
  if (sweeps < 0) return -1;
  sort_indices(n, space.d, space.order);
  for (int64_t j = 0; j < n; ++j) values[j] = static_cast<T>(space.d[space.order[j]]);
  if (vectors) write_vectors(space.panels, space.order, vectors, vectors_stride);
  return sweeps;
}

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
