// The composite minimax root (../iterative_root.hpp) of a group, its certificate, and its results written.
#pragma once

#include "coupled_pair.inl"
#include "residual.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

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
void run_wide_half(const LaneSquare<>& square, const LaneSchedules& given, const T* s, int first, double* memory, T* m,
                   T* x) {
  const LaneBlocks shape = {square.n};
  CoupledLanes<double> pair(shape, given.certificate->a, memory);
  const Vec<double> unit = load(given.unit + first), shift = load(given.shift + first);
  double* const wide_m = pair.m();
  for_each_place<double>(shape, [&](int64_t i, int64_t j, int64_t place) {
    const Vec<double> element = load_as_double(s + place_of<T>(square, i, j) + first) * unit;
    store(wide_m + place, i == j ? element + shift : element);
  });
  run_steps(given, 0, given.wide_steps, first, pair);
  for_each_place<double>(shape, [&](int64_t, int64_t, int64_t place) {
    T* const to = m + place * kHalves<T> + first;
    store_double(to, load(pair.m() + place));
    store_double(to + (x - m), load(pair.x() + place));
  });
}

// Both triangles of x.
template <typename T>
void unpack(const LaneBlocks& shape, const T* x, const LaneSquare<>& square, T* to) {
  for_each_place<T>(shape, [&](int64_t i, int64_t j, int64_t place) {
    const Vec<T> element = load(x + place);
    store(to + place_of<T>(square, i, j), element);
    store(to + place_of<T>(square, j, i), element);
  });
}

// What minimax_root_lanes needs, in elements of T: two pairs, of which the one in f64 gives its place to the result
// and to the vectors of the residual when it has served.
template <typename T>
struct RootMemory {
  int64_t pair, vectors, square;

  explicit RootMemory(int64_t n)
      : pair(CoupledLanes<T>::kMatrices * elements_of<T>(LaneBlocks{n})),
        vectors(3 * n * kWidth<T>),
        square(matrix_elements<T>(n)) {}
  int64_t elements() const { return pair + (pair > vectors + square ? pair : vectors + square); }
};

template <typename T>
int64_t minimax_root_lanes_workspace(int64_t n) {
  const int64_t examination = form_elements<T>(n) + examination_elements<T>(n), root = RootMemory<T>(n).elements();
  return examination > root ? examination : root;
}

// s: as examine_root_lanes left it; the workspace is new. Lanes that are wanted and pass their certificate are written.
template <typename T>
void minimax_root_lanes(const LaneSchedules& given, const T* s, const LaneGroup<T>& out, T* workspace,
                        LaneRoots& roots) {
  const LaneSquare<> square = {out.rows, row_stride(out.rows)};
  const LaneBlocks shape = {out.rows};
  const RootMemory<T> memory(out.rows);
  CoupledLanes<T> pair(shape, given.certificate->a, workspace);
  auto* const wide = reinterpret_cast<double*>(workspace + memory.pair);
  for (int half = 0; half < kHalves<T>; ++half) {
    run_wide_half(square, given, s, half * kWidth<double>, wide, pair.m(), pair.x());
  }
  run_steps(given, given.wide_steps, given.steps, 0, pair);

  auto* const vectors = reinterpret_cast<Vec<double>*>(wide);
  T* const x = workspace + memory.pair + memory.vectors;
  unpack(shape, pair.x(), square, x);
  certify(*given.certificate, square, s, x, vectors, roots);
  finish_lanes(*given.certificate, x, out, roots);
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
