// inverse_root of a matrix that fits in shared memory, from A to the certified X, in one launch and by one team: a warp
// up to order 32, in f64 whatever the element type; above it a block, in the element type, with one warp for each 32 x
// 32 tile of the lower triangle.
//
// Shared memory of a team, side = n rounded up to tiles, a row padded by 4:
//   M, P and, for p >= 4, a power of P; X too, where there is room for it (else it is in memory of the device);
//   the tridiagonal form takes the same place before, in f64; 2 n + 4 n + (threads) numbers of f64.
#pragma once

#include "../batch.cuh"
#include "../symmetric_input.cuh"
#include "certificate.cuh"
#include "coupled_pair.cuh"
#include "diagonal_root.cuh"
#include "symmetric_reader.cuh"

namespace kronroot::cuda {

template <typename T>
struct RootBatch {
  BatchView<const T> a;
  BatchView<T> x;
  Global<kr_report> reports;
  Global<int32_t> stages;  // RootStage of every matrix
};

__device__ inline SymmetricInput scan_symmetric_by(const WarpTeam&, const MatrixView<const float>& a) {
  return scan_symmetric_in_warp(a);
}
__device__ inline SymmetricInput scan_symmetric_by(const WarpTeam&, const MatrixView<const double>& a) {
  return scan_symmetric_in_warp(a);
}
template <typename T>
__device__ SymmetricInput scan_symmetric_by(const BlockTeam& team, const MatrixView<const T>& a) {
  return scan_symmetric(a, team.partial);
}

// Where a team keeps what it works on.
template <typename W, bool has_x>
struct SmallRootMemory {
  static constexpr int padding = 4;
  int side, stride;
  Shared<double> squares;  // all of them, as the tridiagonal form takes them
  Shared<double> diagonal, couplings, vectors;
  SharedSquare<W> m, factor, low, x;

  // For a team of `threads`.
  __host__ __device__ static SmallRootMemory in(SharedArena& arena, int n, int side, int p, int threads) {
    const int stride = side + padding, size = side * stride;
    const int count = 2 + (p >= 4 ? 1 : 0) + (has_x ? 1 : 0);
    const int bytes = std::max(count * static_cast<int>(sizeof(W)), static_cast<int>(sizeof(double))) * size;
    SmallRootMemory memory{};
    memory.side = side;
    memory.stride = stride;
    memory.squares = arena.take<double>(bytes / static_cast<int>(sizeof(double)));
    memory.diagonal = arena.take<double>(n);
    memory.couplings = arena.take<double>(n);
    memory.vectors = arena.take<double>(TridiagonalWork<Shared<double>>::elements(n, threads));
    const Shared<W> all = memory.squares.template as<W>();
    memory.m = {all, stride};
    memory.factor = {all + size, stride};
    memory.low = p >= 4 ? SharedSquare<W>{all + 2 * size, stride} : memory.factor;
    memory.x = has_x ? SharedSquare<W>{all + (count - 1) * size, stride} : memory.m;
    return memory;
  }
};

// The iteration of a plan. Returns the number of steps, or -1 where it has not converged.
template <typename Pair>
__attribute__((noinline)) __device__ int iterate(const Pair& pair, const RootRequest& request, const RootPlan& plan,
                                                 const Schedules& schedules, double ulp) {
  using W = typename decltype(pair.factor)::Element;
  const bool is_scheduled = request.method == KR_METHOD_MINIMAX;
  const Series series = series_of(request.method, request.root.a);
  MinimaxStep step{series.c0, series.c1, series.c2};
  double distance = is_scheduled ? 0 : pair.distance();
  for (int k = 0; k < plan.steps; ++k) {
    if (is_scheduled) step = schedules.steps[plan.first_step + k];
    pair.set_factor(static_cast<W>(step.c0), static_cast<W>(step.c1), static_cast<W>(step.c2));
    if (k == 0) {
      pair.start_x();
    } else {
      pair.advance_x();
    }
    if (is_scheduled) {
      if (k + 1 == plan.steps) return k + 1;
      pair.advance_m();
      continue;
    }
    // The step that is under way squares the distance.
    if (distance * distance <= ulp) return k + 1;
    pair.advance_m();
    const double previous = distance;
    distance = pair.distance();
    if (previous < 0.5 && !(distance < previous)) return k + 1;
  }
  return -1;
}

template <typename T, typename W, int Side, bool has_x, typename Team, typename XSquare>
__device__ void small_root(const Team& team, const SmallRootMemory<W, has_x>& memory, const XSquare& x,
                           const RootRequest& request, const Schedules& schedules, const RootBatch<T>& batch,
                           int64_t b) {
  const MatrixView<const T> a = batch.a[b];
  const MatrixView<T> out = batch.x[b];
  const int n = static_cast<int>(a.rows);
  const auto settle = [&](int32_t stage, const kr_report& report) {
    if (team.rank() != 0) return;
    batch.stages[b] = stage;
    if (stage == root_is_settled) batch.reports[b] = report;
  };
  const SymmetricInput input = scan_symmetric_by(team, a);
  if (input.status != KR_STATUS_OK) {
    settle(root_is_settled, failed(static_cast<kr_status>(input.status)));
    return;
  }
  const int exponent = scale_exponent(request, input);
  const SymmetricReader<T> s{a, exponent};
  kr_report report = answered(KR_METHOD_DIRECT);
  RootPlan plan{};
  if (input.is_diagonal) {
    plan.scale = diagonal_root<T>(
        team, request, exponent, n, [&](int i) { return static_cast<double>(s(i, i)); },
        [&](int i, T value) { memory.diagonal[i] = static_cast<double>(value); }, &report);
    if (is_failure(report)) {
      settle(root_is_settled, report);
      return;
    }
    team.sync();
  } else {
    const Tridiagonal<Shared<double>> t{n, memory.diagonal, memory.couplings};
    double trace = 0;
    const SharedSquare<double> square{memory.squares, memory.stride};
    for (int e = team.rank(); e < n * n; e += team.size()) {
      const double each = static_cast<double>(s(e / n, e % n));
      square.store(e / n, e % n, each);
      if (e / n == e % n) trace += each;
    }
    trace = team.sum(trace);
    team.sync();
    tridiagonalize(team, square, TridiagonalWork<Shared<double>>::in(memory.vectors, n), t);
    const SpectrumEnds ends = spectrum_ends(team, t, sizeof(T) == 4 ? 1e-9 : 1e-14);
    constexpr double room = sizeof(W) == 4 ? 1 + 1e-5 : 1 + 1e-9;
    const auto count = [&](double shift) { return count_above(t, shift); };
    plan = plan_root(request, schedules, exponent, n, trace, ends, count, room, &report);
    if (plan.stage != root_is_iterated) {
      settle(plan.stage, report);
      return;
    }
    const CoupledPair<Side, Team, W, XSquare> pair{{team, memory.side, n}, request.root.a, memory.m,
                                                   memory.factor,          memory.low,     x};
    const auto start = [&] {
      pair.for_each([&](int i, int j) {
        const bool is_inside = i < n && j < n;
        const double each = is_inside ? static_cast<double>(s(i, j)) + (i == j ? plan.epsilon : 0.0) : 0.0;
        memory.m.store(i, j, static_cast<W>(plan.unit * each));
      });
      team.sync();
    };
    team.sync();
    start();
    const int steps = iterate(pair, request, plan, schedules, ulp_of<T>);
    if (steps < 0) {
      settle(root_is_next, report);
      return;
    }
    pair.raise_to(request.root, start);
    pair.for_each([&](int i, int j) {
      const T rounded = static_cast<T>(static_cast<double>(x.load(i, j)) * plan.multiplier);
      x.store(i, j, static_cast<W>(rounded));
      if (i < n && j < n) memory.m.store(i, j, static_cast<W>(s(i, j)));
    });
    team.sync();
    const Shared<double> v = memory.vectors;
    const Certificate<Team, SharedSquare<W>, XSquare, Shared<double>> certificate{
        team, n, request, memory.m, x, plan.epsilon, plan.scale.remainder, {}, v, v + n, v + 2 * n, v + 3 * n};
    report = answered(static_cast<kr_method>(plan.method));
    report.iterations = steps;
    report.condition = plan.condition;
    if (plan.rank < n) report = rank_deficient(report, plan.rank);
    report.residual = certificate.residual();
  }
  if (!(report.residual <= request.residual_bound)) {
    settle(root_is_next, report);
    return;
  }
  const auto element = [&](int i, int j) {
    if (!input.is_diagonal) return static_cast<double>(x.load(i, j));
    return i == j ? static_cast<double>(memory.diagonal[i]) : 0.0;
  };
  double overflows = 0;
  for (int e = team.rank(); e < n * n; e += team.size()) {
    if (!is_finite(static_cast<T>(ldexp(element(e / n, e % n), plan.scale.result)))) overflows = 1;
  }
  if (team.max(overflows) != 0) {
    settle(root_is_settled, failed(KR_STATUS_OVERFLOW));
    return;
  }
  for (int e = team.rank(); e < n * n; e += team.size()) {
    out(e / n, e % n) = static_cast<T>(ldexp(element(e / n, e % n), plan.scale.result));
  }
  settle(root_is_settled, report);
}

}  // namespace kronroot::cuda
