// The composite minimax root (../iterative_root.hpp) of a group, its certificate, and its results written.
#pragma once

#include "../../lanes/write.inl"
#include "coupled_pair.inl"
#include "residual.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

template <typename T>
inline Vec<T> load_coefficient(const double* values) {
  Vec<T> lanes{};
  for (int l = 0; l < kWidth<T>; ++l) lanes[l] = static_cast<T>(values[l]);
  return lanes;
}

// As many elements as a Vec<double> holds, rounded to T.
template <typename T>
inline void store_double(T* to, Vec<double> v) {
  typedef T Narrow __attribute__((vector_size(kWidth<double> * sizeof(T)), aligned(sizeof(T)), may_alias));
  typedef T Converted __attribute__((vector_size(kWidth<double> * sizeof(T))));
  *reinterpret_cast<Narrow*>(to) = __builtin_convertvector(v, Converted);
}

// Steps [begin, end) of lanes first .. first + kWidth<Work>.
template <typename Work>
void run_steps(const LaneSchedules& given, int begin, int end, int first, CoupledLanes<Work>& pair) {
  for (int k = begin; k < end; ++k) {
    const double* const c = given.coefficients + int64_t{3} * kMostLanes * k + first;
    pair.set_factor(load_coefficient<Work>(c), load_coefficient<Work>(c + kMostLanes),
                    load_coefficient<Work>(c + 2 * kMostLanes));
    const bool is_last = k + 1 == given.steps;
    if (!is_last) pair.advance_m();
    if (k == 0) {
      pair.start_x();
    } else {
      pair.advance_x();
    }
  }
}

// The steps in f64 of lanes first .. first + kWidth<double>; M and X go to lanes of T.
template <typename T>
void run_wide_half(const LaneSquare& shape, const LaneSchedules& given, const T* s, int first, double* memory, T* m,
                   T* x) {
  CoupledLanes<double> pair(shape, given.root, memory);
  const Vec<double> unit = load(given.unit + first), shift = load(given.shift + first);
  for (int64_t i = 0; i < shape.n; ++i) {
    for (int64_t j = 0; j < shape.n; ++j) {
      const Vec<double> element = load_as_double(s + place_of<T>(shape, i, j) + first) * unit;
      store(pair.m() + place_of<double>(shape, i, j), i == j ? element + shift : element);
    }
  }
  run_steps(given, 0, given.wide_steps, first, pair);
  for (int64_t i = 0; i < shape.n; ++i) {
    for (int64_t j = 0; j < shape.n; ++j) {
      const int64_t from = place_of<double>(shape, i, j), to = place_of<T>(shape, i, j) + first;
      store_double(x + to, load(pair.x() + from));
      store_double(m + to, load(pair.m() + from));
    }
  }
}

template <typename T>
inline void scale_lanes_by_powers(const LaneSquare& shape, const int* exponent, T* x) {
  IntVec<T> powers{};
  for (int l = 0; l < kWidth<T>; ++l) powers[l] = exponent[l];
  const Vec<T> factor = power_of_two<T>(powers);
  for (int64_t i = 0; i < elements_of<T>(shape); i += kWidth<T>) store(x + i, load(x + i) * factor);
}

// In elements of T: two pairs of matrices, of which the one in f64 has room for the residual's vectors too.
template <typename T>
int64_t minimax_root_lanes_workspace(int64_t n) {
  return 2 * CoupledLanes<T>::kMatrices * matrix_elements<T>(n);
}

// s: as examine_root_lanes left it. Lanes that are wanted and pass their certificate are written.
template <typename T>
void minimax_root_lanes(const LaneSchedules& given, const T* s, const LaneGroup<T>& out, T* workspace,
                        LaneRoots& roots) {
  const LaneSquare shape = lane_square(out.rows);
  CoupledLanes<T> pair(shape, given.root, workspace);
  double* const wide = reinterpret_cast<double*>(workspace + CoupledLanes<T>::kMatrices * elements_of<T>(shape));
  for (int half = 0; half < kHalves<T>; ++half) {
    run_wide_half(shape, given, s, half * kWidth<double>, wide, pair.m(), pair.x());
  }
  run_steps(given, given.wide_steps, given.steps, 0, pair);

  auto* const vectors = reinterpret_cast<Vec<double>*>(wide);
  for (int half = 0; half < kHalves<T>; ++half) {
    const ResidualProbe<T> probe = {shape, s, pair.x(), half * kWidth<double>, vectors, vectors + shape.n};
    balanced_residual_half(given, probe, vectors + 2 * shape.n, roots.residual);
  }
  for (int l = 0; l < kWidth<T>; ++l) roots.wanted[l] = roots.wanted[l] && roots.residual[l] <= given.residual_bound;
  scale_lanes_by_powers(shape, given.exponent, pair.x());
  write_lanes(pair.x(), shape.stride, out, roots.wanted);
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
