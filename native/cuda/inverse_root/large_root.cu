// A fixed sequence of launches, that of the longest schedule, in which every matrix takes as many steps as its own plan
// has: kernels skip those that are done. X after step k is in one of two buffers, by the parity of k.
#include "large_root.hpp"

#include <utility>

#include "../eigen/eigh_batch.hpp"
#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "candidate.hpp"
#include "simple_root.cuh"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
// Of scratch memory; larger batches are answered in parts.
constexpr int64_t most_bytes = int64_t{4} << 30;

// The progress of one matrix.
struct Progress {
  RootPlan plan;
  int32_t is_done;
  int32_t steps;
  double distance;  // |M - I|_F, of iterations that stop by themselves
};

// A part of a batch, from matrix `first` on.
template <typename T>
struct LargePart {
  RootRequest request;
  Schedules schedules;
  RootBatch<T> batch;
  int64_t first, count;
  BatchView<T> s, m, factor, low, spare, x[2];
  BatchView<double> square;  // S in f64, whose eigenvalues make the plan
  Global<double> values;     // n for each matrix
  Global<int32_t> exponents;
  Global<Progress> progress;
  Global<int32_t> skip_x, skip_m;
  Global<int32_t> is_elsewhere;  // not 0 for matrices that do not iterate
};

// The largest condition that the plan of a matrix may have.
double condition_limit(const RootRequest& request, int64_t n) {
  constexpr double room = 1.05;  // for eigenvalues below 0 that are left as they are, and for rounding
  double relative = 0;           // of the ridge, at least
  if (request.ridge == KR_RIDGE_DEFAULT) relative = default_relative_ridge(request.dtype);
  if (request.ridge == KR_RIDGE_RELATIVE) relative = request.ridge_value;
  if (request.ridge == KR_RIDGE_TRACE) relative = request.ridge_value / (2 * static_cast<double>(n));
  const double limit = largest_condition(request.dtype);
  return relative > 0 ? std::min(limit, room * (1 + relative) / relative) : limit;
}

template <typename T>
__device__ void settle(const LargePart<T>& part, int64_t b, int32_t stage, const kr_report& report) {
  if (thread_index() != 0) return;
  part.batch.stages[part.first + b] = stage;
  if (stage == root_is_settled) part.batch.reports[part.first + b] = report;
}

// One thread an element of every matrix of the part.
template <typename T>
__device__ bool find_element(const LargePart<T>& part, int64_t* b, int64_t* i, int64_t* j) {
  const int64_t n = part.s.rows, e = block_index() * block_threads() + thread_index();
  if (e >= part.count * n * n) return false;
  *b = e / (n * n);
  *i = e / n % n;
  *j = e % n;
  return true;
}

template <typename T>
__global__ void __launch_bounds__(threads) screen_roots(LargePart<T> part) {
  const int64_t b = block_index(), at = part.first + b;
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  const SymmetricInput input = scan_symmetric(part.batch.a[at], team.partial);
  const RootStage stage = settle_simple(team, part.request, input, part.values + b * part.s.rows, part.batch, at);
  if (thread_index() != 0) return;
  part.progress[b] = Progress{};
  part.is_elsewhere[b] = stage == root_is_iterated ? 0 : 1;
  part.exponents[b] = scale_exponent(part.request, input);
}

template <typename T>
__global__ void scale_roots(LargePart<T> part) {
  int64_t b, i, j;
  if (!find_element(part, &b, &i, &j) || part.is_elsewhere[b] != 0) return;
  const SymmetricReader<T> reader{part.batch.a[part.first + b], part.exponents[b]};
  const T each = reader(static_cast<int>(i), static_cast<int>(j));
  part.s[b](i, j) = each;
  part.square[b](i, j) = static_cast<double>(each);
}

// From the eigenvalues, ascending.
template <typename T>
__global__ void __launch_bounds__(threads) plan_roots(LargePart<T> part, Global<const int32_t> statuses) {
  const int64_t b = block_index();
  const int n = static_cast<int>(part.s.rows);
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  if (part.is_elsewhere[b] != 0) return;
  const Global<double> values = part.values + b * n;
  double trace = 0;
  for (int i = team.rank(); i < n; i += team.size()) trace += values[i];
  trace = team.sum(trace);
  const auto count_above = [&](double shift) {
    double count = 0;
    for (int i = team.rank(); i < n; i += team.size()) count += values[i] > shift ? 1 : 0;
    return static_cast<int>(team.sum(count));
  };
  constexpr double room = sizeof(T) == 4 ? 1 + 1e-5 : 1 + 1e-9;
  kr_report report{};
  RootPlan plan = plan_root(part.request, part.schedules, part.exponents[b], n, trace, {values[0], values[n - 1]},
                            count_above, room, &report);
  if (statuses[b] != KR_STATUS_OK) plan.stage = root_is_next;
  settle(part, b, plan.stage, report);
  if (thread_index() != 0) return;
  part.progress[b].plan = plan;
  part.is_elsewhere[b] = plan.stage == root_is_iterated ? 0 : 1;
}

// M = unit (S + epsilon I)
template <typename T>
__global__ void start_roots(LargePart<T> part) {
  int64_t b, i, j;
  if (!find_element(part, &b, &i, &j) || part.is_elsewhere[b] != 0) return;
  const RootPlan& plan = part.progress[b].plan;
  const double each = static_cast<double>(part.s[b](i, j)) + (i == j ? plan.epsilon : 0.0);
  part.m[b](i, j) = static_cast<T>(plan.unit * each);
}

// Which matrices take step k, and which of them go on after it.
template <typename T>
__global__ void begin_step(LargePart<T> part, int k, double ulp) {
  const int64_t b = block_index() * block_threads() + thread_index();
  if (b >= part.count) return;
  Progress& progress = part.progress[b];
  const bool takes = part.is_elsewhere[b] == 0 && progress.is_done == 0 && k < progress.plan.steps;
  // The step that is under way squares the distance.
  const bool is_last = part.request.method == KR_METHOD_MINIMAX ? k + 1 == progress.plan.steps
                                                                : progress.distance * progress.distance <= ulp;
  part.skip_x[b] = takes ? 0 : 1;
  part.skip_m[b] = takes && !is_last ? 0 : 1;
  if (!takes || !is_last) return;
  progress.is_done = 1;
  progress.steps = k + 1;
}

// P = c0 I + c1 M + c2 M^2 with the square in `low`; in the first step X = P.
template <typename T>
__global__ void form_factor(LargePart<T> part, int k) {
  int64_t b, i, j;
  if (!find_element(part, &b, &i, &j) || part.skip_x[b] != 0) return;
  const RootRequest& request = part.request;
  MinimaxStep step{};
  if (request.method == KR_METHOD_MINIMAX) {
    step = part.schedules.steps[part.progress[b].plan.first_step + k];
  } else {
    const Series series = series_of(request.method, request.root.a);
    step = {series.c0, series.c1, series.c2};
  }
  T value = static_cast<T>(step.c1) * part.m[b](i, j) + (i == j ? static_cast<T>(step.c0) : T(0));
  if (step.c2 != 0) value += static_cast<T>(step.c2) * part.low[b](i, j);
  part.factor[b](i, j) = value;
  if (k == 0) part.x[0][b](i, j) = value;
}

// |M - I|_F; an iteration whose distance no longer falls is done. k = -1 at the start.
template <typename T>
__global__ void __launch_bounds__(threads) measure_distance(LargePart<T> part, int k) {
  const int64_t b = block_index();
  const int n = static_cast<int>(part.s.rows);
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  if (part.is_elsewhere[b] != 0 || (k >= 0 && part.skip_m[b] != 0)) return;
  const MatrixView<T> m = part.m[b];
  double squares = 0;
  for (int e = team.rank(); e < n * n; e += team.size()) {
    const double each = static_cast<double>(m(e / n, e % n)) - (e / n == e % n ? 1 : 0);
    squares += each * each;
  }
  const double distance = sqrt(team.sum(squares));
  if (thread_index() != 0) return;
  Progress& progress = part.progress[b];
  if (k >= 0 && progress.distance < 0.5 && !(distance < progress.distance)) {
    progress.is_done = 1;
    progress.steps = k + 1;
  }
  progress.distance = distance;
}

// to = X of the last step, in `low`, and in `factor` too.
template <typename T>
__global__ void gather_roots(LargePart<T> part) {
  int64_t b, i, j;
  if (!find_element(part, &b, &i, &j) || part.is_elsewhere[b] != 0) return;
  const Progress& progress = part.progress[b];
  if (progress.is_done == 0) return;
  const T value = progress.steps % 2 != 0 ? part.x[0][b](i, j) : part.x[1][b](i, j);
  part.low[b](i, j) = value;
  part.factor[b](i, j) = value;
}

// The draft of the report, and how the candidate is scaled. Not 0 in skip_x: there is none.
template <typename T>
__global__ void draft_reports(LargePart<T> part, Global<double> factors, Global<double> epsilons,
                              Global<int32_t> exponents) {
  const int64_t b = block_index() * block_threads() + thread_index();
  if (b >= part.count) return;
  const Progress& progress = part.progress[b];
  const RootPlan& plan = progress.plan;
  const bool has_root = part.is_elsewhere[b] == 0 && progress.is_done != 0;
  part.skip_x[b] = has_root ? 0 : 1;
  if (part.is_elsewhere[b] != 0) return;
  const int64_t at = part.first + b;
  part.batch.stages[at] = root_is_next;
  if (!has_root) return;
  kr_report report = answered(static_cast<kr_method>(plan.method));
  report.iterations = progress.steps;
  report.condition = plan.condition;
  if (plan.rank < static_cast<int>(part.s.rows)) report = rank_deficient(report, plan.rank);
  part.batch.reports[at] = report;
  factors[b] = plan.multiplier;
  epsilons[b] = plan.epsilon;
  exponents[b] = plan.scale.exponent;
}

// The host's side of a part: which buffer holds what.
template <typename T>
class LargeRoots {
 public:
  LargeRoots(Op& op, const LargePart<T>& part) : op_(op), part_(part) {
    const int64_t elements = part.count * part.s.rows * part.s.rows;
    each_element_ = {.blocks = {(elements + threads - 1) / threads}, .threads = threads};
    each_matrix_ = {.blocks = {part.count}, .threads = threads, .shared_bytes = threads / warp_size * sizeof(double)};
    each_thread_ = {.blocks = {(part.count + threads - 1) / threads}, .threads = threads};
  }

  void run(int most_steps) {
    const bool is_series = part_.request.method != KR_METHOD_MINIMAX;
    const bool is_linear = part_.request.method == KR_METHOD_COUPLED_NEWTON;
    examine();
    launch<start_roots<T>>(op_, each_element_, part_);
    if (is_series) launch<measure_distance<T>>(op_, each_matrix_, part_, -1);
    for (int k = 0; k < most_steps && !op_.failed(); ++k) {
      launch<begin_step<T>>(op_, each_thread_, part_, k, ulp_of<T>);
      if (!is_linear) product(part_.m, part_.m, part_.low, part_.skip_x);
      launch<form_factor<T>>(op_, each_element_, part_, k);
      if (k > 0) product(part_.x[(k + 1) % 2], part_.factor, part_.x[k % 2], part_.skip_x);
      if (k + 1 < most_steps || is_series) advance_m();
      if (is_series) launch<measure_distance<T>>(op_, each_matrix_, part_, k);
    }
    launch<gather_roots<T>>(op_, each_element_, part_);
    const int64_t count = part_.count;
    const Global<double> factors(op_.scratch<double>(count)), epsilons(op_.scratch<double>(count));
    const Global<int32_t> exponents(op_.scratch<int32_t>(count));
    launch<draft_reports<T>>(op_, each_thread_, part_, factors, epsilons, exponents);
    publish_roots<T, T>(op_,
                        {part_.request,
                         part_.batch,
                         part_.first,
                         count,
                         part_.s,
                         raised(),
                         factors,
                         epsilons,
                         exponents,
                         Global<T>(nullptr),
                         {},
                         part_.skip_x},
                        root_is_next);
  }

 private:
  void product(const BatchView<T>& a, const BatchView<T>& b, const BatchView<T>& c, Global<int32_t> skip) {
    Product<T> product;
    product.a = {Global<const T>(a.data.address()), a.batch, a.rows, a.cols, a.row_stride, a.batch_stride};
    product.b = {Global<const T>(b.data.address()), b.batch, b.rows, b.cols, b.row_stride, b.batch_stride};
    product.c = c;
    product.transpose_b = true;
    product.symmetric = true;
    product.skip = skip.address();
    multiply(op_, product);
  }

  // The eigenvalues of S, and what they say.
  void examine() {
    launch<screen_roots<T>>(op_, each_matrix_, part_);
    launch<scale_roots<T>>(op_, each_element_, part_);
    EighBatch<double> spectrum;
    spectrum.a = as_input(part_.square);
    spectrum.values = dense_view(part_.values.address(), part_.count, part_.s.rows, int64_t{1});
    spectrum.skip = part_.is_elsewhere.address();
    spectrum.status = op_.scratch<int32_t>(part_.count);
    eigh_batch(op_, spectrum);
    launch<plan_roots<T>>(op_, each_matrix_, part_, Global<const int32_t>(spectrum.status));
  }

  // M <- P^{ceil(p/2)} (M P^{floor(p/2)}), see coupled_pair.cuh; M and P stay in their buffers.
  void advance_m() {
    const int p = part_.request.root.a;
    const Global<int32_t> skip = part_.skip_m;
    if (p == 1) {
      product(part_.factor, part_.m, part_.spare, skip);
      std::swap(part_.m, part_.spare);
      return;
    }
    BatchView<T> low = part_.factor, free = part_.low, other = part_.spare;
    const int power = p / 2;
    int digit = 1;
    while (digit * 2 <= power) digit *= 2;
    for (digit /= 2; digit > 0; digit /= 2) {
      product(low, low, free, skip);
      take(low, free, other);
      if ((power & digit) == 0) continue;
      product(low, part_.factor, free, skip);
      take(low, free, other);
    }
    product(part_.m, low, free, skip);
    if (p % 2 == 0) {
      product(low, free, part_.m, skip);
      return;
    }
    // P^{ceil(p/2)} where M was; the new M where P^{floor(p/2)} or, for p = 3, nothing was.
    product(low, part_.factor, part_.m, skip);
    const BatchView<T> to = is_same(low, part_.factor) ? other : low;
    product(part_.m, free, to, skip);
    part_.low = free;
    part_.spare = part_.m;
    part_.m = to;
  }
  static bool is_same(const BatchView<T>& x, const BatchView<T>& y) { return x.data.address() == y.data.address(); }
  void take(BatchView<T>& low, BatchView<T>& free, BatchView<T>& other) {
    const BatchView<T> before = low;
    low = free;
    free = is_same(before, part_.factor) ? other : before;
  }

  // B^{-b/a} or B^{b/a} from X = B^{-1/a} in `low` and `factor` (coupled_pair.cuh); where it is then.
  BatchView<T> raised() {
    const Root& root = part_.request.root;
    BatchView<T> x = part_.low, free = part_.spare;
    if (root.inverse && root.b == 1) return x;
    int whole = root.inverse ? 0 : (root.b + root.a - 1) / root.a;
    const int power = root.inverse ? root.b : whole * root.a - root.b;
    const Global<int32_t> skip = part_.is_elsewhere;
    if (whole > 0) launch<start_roots<T>>(op_, each_element_, part_);
    if (power == 0 && whole == 1) return part_.m;
    for (int k = 1; k < power; ++k) {
      product(x, part_.factor, free, skip);
      std::swap(x, free);
    }
    if (power == 0) {
      product(part_.m, part_.m, x, skip);
      whole -= 2;
    }
    for (; whole > 0; --whole) {
      product(x, part_.m, free, skip);
      std::swap(x, free);
    }
    return x;
  }

  Op& op_;
  LargePart<T> part_;
  LaunchShape each_element_, each_matrix_, each_thread_;
};

}  // namespace

template <typename T>
void large_roots(Op& op, const RootRequest& request, const MinimaxTable* table, const RootBatch<T>& batch) {
  const int64_t n = batch.a.rows, size = n * n;
  constexpr int64_t buffers = 7;
  const int64_t bytes_each = size * static_cast<int64_t>(buffers * sizeof(T) + sizeof(double));
  const int64_t together = std::min(batch.a.batch, std::max<int64_t>(1, most_bytes / bytes_each));
  T* memory[buffers];
  for (T*& each : memory) each = op.scratch<T>(together * size);
  double* square = op.scratch<double>(together * size);
  double* values = op.scratch<double>(together * n);
  int32_t* exponents = op.scratch<int32_t>(together);
  Progress* progress = op.scratch<Progress>(together);
  int32_t* skips[3];
  for (int32_t*& each : skips) each = op.scratch<int32_t>(together);
  const int most_steps =
      request.method == KR_METHOD_MINIMAX
          ? most_minimax_steps(request.root.a, condition_limit(request, n), minimax_tolerance * ulp_of<T>)
          : request.most_iterations;
  const Op::Mark mark = op.mark();
  for (int64_t first = 0; first < batch.a.batch; first += together) {
    const int64_t count = std::min(together, batch.a.batch - first);
    const auto view = [&](int k) { return dense_view(memory[k], count, n, n); };
    const LargePart<T> part{request,
                            Schedules::of(table),
                            batch,
                            first,
                            count,
                            view(0),
                            view(1),
                            view(2),
                            view(3),
                            view(4),
                            {view(5), view(6)},
                            dense_view(square, count, n, n),
                            Global<double>(values),
                            Global<int32_t>(exponents),
                            Global<Progress>(progress),
                            Global<int32_t>(skips[0]),
                            Global<int32_t>(skips[1]),
                            Global<int32_t>(skips[2])};
    LargeRoots<T>(op, part).run(most_steps);
    op.reuse_since(mark);
  }
}

template void large_roots<float>(Op&, const RootRequest&, const MinimaxTable*, const RootBatch<float>&);
template void large_roots<double>(Op&, const RootRequest&, const MinimaxTable*, const RootBatch<double>&);

}  // namespace kronroot::cuda
