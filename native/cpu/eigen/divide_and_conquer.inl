// Divide and conquer for the symmetric tridiagonal eigenproblem: the matrix is halved by taking a rank-one matrix out
// of it until the parts are small enough for QL, and the halves are put together again by merge.inl. Without deflation
// the matrix products of the merges take (4/3) n^3 flop, most of them in the last one. For eigenvalues alone the first
// and the last component of every eigenvector are enough, which leaves O(n^2).
#pragma once

#include "merge.inl"
#include "ql.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// Parts of this order and below are left to QL.
constexpr int64_t kLeaf = 24;

template <typename T>
struct DivideWorkspace {
  double* cosines;
  double* sines;
  T* panels;
  T* table;
  MergeWorkspace<T> merge;

  DivideWorkspace(int64_t n, int threads, Pieces& pieces)
      : cosines(pieces.take<double>(kLeaf)),
        sines(pieces.take<double>(kLeaf)),
        panels(pieces.take<T>(round_up(kLeaf, 4 * kWidth<T>) * (kLeaf + 2 * kMargin))),
        table(pieces.take<T>(Rotations<T>::table_size(kLeaf))),
        merge(n, threads, pieces) {}
};

template <typename T, Extent kExtent>
class DivideAndConquer {
 public:
  // The tridiagonal matrix of order n with diagonal d and e[k] to couple k and k + 1; both destroyed. Its eigenvalues
  // are left in d, eigenvector j (or its ends) in row j of `vectors`, which is zero before, and their ascending order
  // in `order`.
  DivideAndConquer(int64_t n, double* d, double* e, double ulp, Rows<T> vectors, int64_t* order,
                   const DivideWorkspace<T>& space, const Execution& execution)
      : n_(n),
        d_(d),
        e_(e),
        vectors_(vectors),
        order_(order),
        space_(space),
        execution_(execution),
        deflation_(n, d, e, ulp) {
    // A few ulp of the norm are far below the n ulp that eigh may err by, and each one more deflates more.
    tolerance_ = 4 * ulp * deflation_.norm();
  }

  // Returns the number of QL sweeps, kNotConverged or kCancelled.
  int64_t run() {
    const int64_t failure = solve(0, n_);
    return failure == kSolved ? sweeps_ : failure;
  }

 private:
  static constexpr int64_t kSolved = 0;

  int64_t solve(int64_t first, int64_t count) {
    if (count <= kLeaf) return solve_leaf(first, count);
    const int64_t upper = count / 2, middle = first + upper;
    const double coupling = e_[middle - 1];
    d_[middle - 1] -= magnitude(coupling);
    d_[middle] -= magnitude(coupling);
    if (const int64_t failure = solve(first, upper); failure != kSolved) return failure;
    if (const int64_t failure = solve(middle, count - upper); failure != kSolved) return failure;
    if (is_cancelled(execution_.cancel)) return kCancelled;
    const Rows<T> block{vectors_.row(first) + (kExtent == Extent::whole ? first : 0), vectors_.stride};
    Merge<T, kExtent> merge(upper, count - upper, block, d_ + first, order_ + first, tolerance_, space_.merge,
                            execution_);
    return merge.run(coupling) ? kSolved : kNotConverged;
  }

  int64_t solve_leaf(int64_t first, int64_t count) {
    const Panels<T> panels{space_.panels, count, panel_lanes<T>(count)};
    for (int64_t i = 0; i < panels.count() * panels.size(); ++i) panels.data[i] = 0;
    for (int64_t j = 0; j < count; ++j) panels.row(j / panels.lanes, j)[j % panels.lanes] = 1;
    Rotations<T> rotations(panels, space_.table);
    const int64_t sweeps = ql_with_vectors(count, d_ + first, e_ + first, deflation_, space_.cosines, space_.sines,
                                           rotations, execution_.cancel);
    if (sweeps < 0) return sweeps;
    sweeps_ += sweeps;
    const auto component = [&](int64_t j, int64_t i) { return panels.row(i / panels.lanes, j)[i % panels.lanes]; };
    for (int64_t j = 0; j < count; ++j) {
      T* row = vectors_.row(first + j);
      if constexpr (kExtent == Extent::whole) {
        for (int64_t i = 0; i < count; ++i) row[first + i] = component(j, i);
      } else {
        row[0] = component(j, 0);
        row[1] = component(j, count - 1);
      }
    }
    sort_indices(count, d_ + first, order_ + first);
    return kSolved;
  }

  int64_t n_;
  double* d_;
  double* e_;
  Rows<T> vectors_;
  int64_t* order_;
  DivideWorkspace<T> space_;
  const Execution& execution_;
  Deflation deflation_;
  double tolerance_;
  int64_t sweeps_ = 0;
};

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
