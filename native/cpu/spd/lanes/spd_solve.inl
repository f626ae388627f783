// (A + epsilon I) X = B of a group of matrices.
#pragma once

#include "../../lanes/write.inl"
#include "norm.inl"
#include "solve.inl"
#include "system.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// From this many columns on, A is widened to f64 once instead of column by column.
constexpr int64_t kColumnsWorthWidening = 4;

// What the residual needs beside the system.
template <typename T>
struct SolveProbe {
  Wide<T>* solution;  // two columns of X
  Wide<T>* product;   // A times them
  double* matrix;     // lower triangle of A in f64, or null

  SolveProbe(int64_t n, int64_t columns, LaneMemory<T>& memory) {
    solution = memory.wide(2 * n);
    product = memory.wide(2 * n);
    const bool widens = sizeof(T) < sizeof(double) && columns >= kColumnsWorthWidening;
    matrix = widens ? reinterpret_cast<double*>(memory.wide(n * (n + 1) / 2)) : nullptr;
  }
};

// largest <- max(largest, |A x - b|_2 / (|A|_F |x|_2 + |b|_2)) for columns [j, j + Columns); 0 for b = 0.
template <int Columns, typename T>
void measure_columns(const LaneSystem<T>& system, const LaneColumns<T>& x, const LaneColumns<T>& b, int64_t j,
                     const SolveProbe<T>& probe, const double (&norm)[kMostLanes], Wide<T>& largest) {
  const int64_t n = system.order;
  for (int64_t i = 0; i < n; ++i) {
    for (int c = 0; c < Columns; ++c) probe.solution[i * Columns + c] = widen<T>(x.row(i) + (j + c) * kWidth<T>);
  }
  if (probe.matrix != nullptr) {
    multiply_wide<TriangleProduct::symmetric, Columns>(probe.matrix, n, probe.solution, probe.product);
  } else {
    multiply_wide<TriangleProduct::symmetric, Columns>(system.a, n, probe.solution, probe.product);
  }
  add_multiple_of_identity(system, n * Columns, probe.solution, probe.product);
  for (int c = 0; c < Columns; ++c) {
    for (int p = 0; p < kParts<T>; ++p) {
      Vec<double> errors{}, solutions{}, rights{};
      for (int64_t i = 0; i < n; ++i) {
        const Vec<double> right = load_as_double(b.row(i) + (j + c) * kWidth<T> + p * kWidth<double>);
        const Vec<double> solution = probe.solution[i * Columns + c].part[p];
        const Vec<double> error = probe.product[i * Columns + c].part[p] - right;
        errors = fma(error, error, errors);
        solutions = fma(solution, solution, solutions);
        rights = fma(right, right, rights);
      }
      const Vec<double> size = load(norm + p * kWidth<double>) * square_root(solutions) + square_root(rights);
      const Vec<double> larger = maximum<double>(square_root(errors) / size, largest.part[p]);
      largest.part[p] = select<double>(errors > Vec<double>{}, larger, largest.part[p]);
    }
  }
}

// The maximum over all columns, A after the ridge. x is scaled as the factor is, which leaves A x as it was.
template <typename T>
void solve_residual(const LaneSystem<T>& system, const LaneColumns<T>& x, const LaneColumns<T>& b,
                    const SolveProbe<T>& probe, double (&residual)[kMostLanes]) {
  double norm[kMostLanes];
  frobenius_norms(system, norm);
  if (probe.matrix != nullptr) {
    for (int64_t at = 0; at < triangle_size<T>(system.order); at += kWidth<double>) {
      store(probe.matrix + at, load_as_double(system.a + at));
    }
  }
  Wide<T> largest{};
  int64_t j = 0;
  for (; j + 2 <= x.columns; j += 2) measure_columns<2>(system, x, b, j, probe, norm, largest);
  if (j < x.columns) measure_columns<1>(system, x, b, j, probe, norm, largest);
  for (int p = 0; p < kParts<T>; ++p) store(residual + p * kWidth<double>, largest.part[p]);
}

template <typename T>
int64_t spd_solve_lanes_workspace(int64_t n, int64_t columns, int32_t ridge) {
  LaneMemory<T> memory(nullptr);
  LaneSystem<T> system(n, ridge, memory);
  memory.vectors(2 * n * columns);
  SolveProbe<T> probe(n, columns, memory);
  return memory.elements();
}

template <typename T>
void spd_solve_lanes(const SpdLanesOptions& options, const LaneGroup<const T>& a, const LaneGroup<const T>& b,
                     const LaneGroup<T>& out, T* workspace, SpdLanesAnswer& answer) {
  const int64_t n = a.rows, columns = b.cols;
  LaneMemory<T> memory(workspace);
  LaneSystem<T> system(n, options.ridge.ridge, memory);
  const LaneColumns<T> right = {memory.vectors(n * columns), columns};
  const LaneColumns<T> x = {memory.vectors(n * columns), columns};
  const SolveProbe<T> probe(n, columns, memory);
  const IntVec<T> largest = read_lanes(b, columns, right.data);
  const Mask<T> finite = largest < magnitude_bits<T>(broadcast(static_cast<T>(__builtin_inf())));
  factorize_group(options, a, system, answer);
  for (int l = 0; l < kWidth<T>; ++l) {
    if (!finite[l]) answer.status[l] = KR_STATUS_NON_FINITE_INPUT, answer.pivot[l] = -1;
  }
  for (int64_t at = 0; at < n * columns * kWidth<T>; at += kWidth<T>) store(x.data + at, load(right.data + at));
  solve_factor_lanes(system.factor, x);
  solve_residual(system, x, right, probe, answer.residual);
  if (system.is_scaled) scale_lanes<T>(n * columns, x.data, -load_exponents<T>(system.exponent));
  fail_lanes<T>(finite_lanes(n * columns, x.data), KR_STATUS_OVERFLOW, answer);
  bool wanted[kMostLanes] = {};
  list_answered<T>(answer, wanted);
  write_lanes(x.data, columns, out, wanted);
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
