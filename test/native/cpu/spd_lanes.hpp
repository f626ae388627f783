// What the tests of the Cholesky ops in lanes share: devices that compute everything in lanes, or nothing, and batches
// of matrices that differ in all that may differ.
#pragma once

#include <cstring>
#include <vector>

#include "native/core/crossovers.hpp"
#include "spd_matrices.hpp"

namespace kronroot::test {

inline const Crossovers& spd_crossovers(bool lanes) {
  static const Crossovers none, all = [] {
    Crossovers table;
    for (const LaneOp op : {LaneOp::cholesky, LaneOp::spd_inverse, LaneOp::spd_solve}) {
      for (const int32_t dtype : {KR_F32, KR_F64}) table.lanes.push_back({op, dtype, 1000, 1});
    }
    return table;
  }();
  return lanes ? all : none;
}

// Matrices first .. first + count of a batch.
template <typename T>
Batch<T> part_of(Batch<T>& a, int64_t first, int64_t count, int64_t padding) {
  Batch<T> part(count, a.rows(), a.cols(), nan_of<T>, padding);
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t i = 0; i < a.rows(); ++i) {
      for (int64_t j = 0; j < a.cols(); ++j) part(b, i, j) = a(first + b, i, j);
    }
  }
  return part;
}

template <typename T>
bool same_matrix(Batch<T>& x, int64_t b, Batch<T>& y, int64_t c) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.cols(); ++j) {
      if (std::memcmp(&x(b, i, j), &y(c, i, j), sizeof(T)) != 0) return false;
    }
  }
  return true;
}

inline bool same_report(const kr_report& x, const kr_report& y) { return std::memcmp(&x, &y, sizeof x) == 0; }

// Matrices of a batch of different condition, so that lanes differ in all that may differ.
template <typename T>
Batch<T> mixed(int64_t batch, int64_t n, Uniform& random) {
  Batch<T> a(batch, n, n, nan_of<T>, kPadding);
  const double conditions[] = {1, 1e2, 1e4};
  for (int64_t b = 0; b < batch; ++b) fill_symmetric(a, b, geometric(n, conditions[b % 3]), 1, random);
  return a;
}

}  // namespace kronroot::test
