// triangular_solve for n <= N = 8, 16 or 32: lane i holds row i of L and element i of four right-hand sides. One
// launch; shared memory turns rows into columns, N (N + 1) elements a matrix. A first pass over the right-hand sides
// tells whether the matrix can be answered, a second one writes (x may be b); of few of them the solutions are still
// there.
#pragma once

#include "../launch.hpp"
#include "forward.cuh"
#include "system.cuh"

namespace kronroot::cuda {

template <typename T, int N>
__global__ void __launch_bounds__(part_threads)
    triangular_in_parts(TriangularSystem<T> system, Global<kr_report> reports) {
  constexpr int stride = N + 1;
  const PartPlace<N> place = PartPlace<N>::of(system.t.batch);
  const int n = static_cast<int>(system.order()), lane = place.lane;
  const int64_t count = system.count();
  const bool has_row = lane < n, is_forward = system.is_forward();
  SharedArena arena;
  const Shared<T> tile = arena.take<T>(parts_of_block<N> * N * stride) + place.part * N * stride;
  const MatrixView<const T> t = system.t[place.b];
  TriangularScan scan;
  // t_rc goes to l_ik.
  for (int r = 0; r < N; ++r) {
    T x = r == lane ? T(1) : T(0);
    if (r < n && has_row && system.counts(r, lane)) {
      x = t(r, lane);
      if (!(x - x == 0)) scan.bad = 1;
      if (r == lane) scan.see_diagonal(r, static_cast<double>(x));
    }
    int i = system.is_transposed ? lane : r, k = system.is_transposed ? r : lane;
    if (!is_forward && r < n && has_row) {
      i = n - 1 - i;
      k = n - 1 - k;
    }
    tile[i * stride + k] = x;
  }
  sync_warp();
  T row[N], reciprocal = 1;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    row[k] = tile[lane * stride + k];
    if (k == lane) reciprocal = T(1) / row[k];
    if (has_row && k < n) scan.squares += static_cast<double>(row[k]) * static_cast<double>(row[k]);
  }
  scan.squares = part_sum<N>(scan.squares);

  const int own = is_forward ? lane : n - 1 - lane;
  T x[columns_of_part];
  const auto solve = [&](int64_t first, T(&right)[columns_of_part]) {
#pragma unroll
    for (int c = 0; c < columns_of_part; ++c) {
      right[c] = has_row && first + c < count ? system.right(place.b, own, first + c) : T(0);
      x[c] = right[c];
    }
    substitute_forward(row, reciprocal, x);
  };
  bool fits = true;
  double of_x = 0, of_b = 0;  // element `lane` of sum_j w_j y_j and of sum_j w_j c_j
  for (int64_t first = 0; first < count; first += columns_of_part) {
    T right[columns_of_part];
    solve(first, right);
#pragma unroll
    for (int c = 0; c < columns_of_part; ++c) {
      if (has_row && first + c < count) {
        const T given = system.is_right ? system.b[place.b](first + c, own) : system.b[place.b](own, first + c);
        if (!(given - given == 0)) scan.bad = 1;
      }
      fits = fits && x[c] - x[c] == 0;
      const double solution = static_cast<double>(x[c]), given = static_cast<double>(right[c]);
      const double weight =
          weight_of_side(first + c, scan.squares, part_sum<N>(solution * solution), part_sum<N>(given * given));
      of_x += weight * solution;
      of_b += weight * given;
    }
  }
  double difference = -of_b;
#pragma unroll
  for (int k = 0; k < N; ++k) difference += static_cast<double>(row[k]) * shuffle(of_x, k, N);
  const double squares = part_sum<N>(has_row ? difference * difference : 0);
  scan.bad = part_max<N>(scan.bad);
  scan.most = part_max<N>(scan.most);
  scan.minus_least = part_max<N>(scan.minus_least);
  scan.minus_zero = part_max<N>(scan.minus_zero);
  fits = all_of_part<N>(fits);
  kr_report report = scan.report(system.is_unit);
  if (!is_failure(report) && !fits) report = failed(KR_STATUS_OVERFLOW);
  const bool writes = place.is_present && has_row && !is_failure(report);
  for (int64_t first = 0; first < count; first += columns_of_part) {
    T right[columns_of_part];
    if (count > columns_of_part) solve(first, right);
#pragma unroll
    for (int c = 0; c < columns_of_part; ++c) {
      if (writes && first + c < count) system.answer(place.b, own, first + c, x[c]);
    }
  }
  if (!is_failure(report)) report.residual = std::sqrt(squares);
  if (reports && place.is_present && lane == 0) reports[place.b] = report;
}

}  // namespace kronroot::cuda
