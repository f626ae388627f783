// Vectors of the certificate are v 2^exponent, v rescaled by every product that reads it: powers of X do not overflow.
#include "candidate.hpp"

#include <utility>

#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256, warps = threads / warp_size;

// n numbers and an exponent for each matrix.
struct Probes {
  Global<double> data;
  Global<int32_t> exponents;
};

struct Squares {
  double error, size;
};

// z of probe k; before the first one, nothing is found yet.
template <typename T, typename W>
__global__ void start_probes(RootCandidates<T, W> roots, Probes z, Global<Squares> squares, Global<int32_t> overflows,
                             int k) {
  const int64_t n = roots.s.rows, e = block_index() * block_threads() + thread_index();
  if (e >= roots.count * n) return;
  const int64_t i = e % n, b = e / n;
  z.data[e] = roots.request.full_residual ? (i == k ? 1.0 : 0.0) : random_sign(probe_stream, static_cast<uint64_t>(i));
  if (i != 0) return;
  z.exponents[b] = 0;
  if (k != 0) return;
  squares[b] = {0, 0};
  overflows[b] = 0;
}

// The exponent that takes the largest of |v| to [1, 2), the same in all threads; 0 where there is none.
__device__ int exponent_of(Global<const double> v, int64_t n, Shared<double> partial) {
  double largest = 0;
  for (int64_t i = thread_index(); i < n; i += block_threads()) largest = std::max(largest, std::abs(v[i]));
  largest = block_max(largest, partial);
  if (!(largest > 0) || !is_finite(largest)) return 0;
  int exponent = 0;
  frexp(largest, &exponent);
  return std::max(-1000, std::min(1000, exponent - 1));
}

// to = X from, or (S + epsilon I) from; a warp a row.
template <typename T, typename W, bool by_x>
__global__ void __launch_bounds__(threads) multiply_probes(RootCandidates<T, W> roots, Probes from, Probes to) {
  const int64_t n = roots.s.rows, blocks = (n + warps - 1) / warps;
  const int64_t b = block_index() / blocks, i = block_index() % blocks * warps + warp_index();
  if (roots.skip[b] != 0) return;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warps);
  const Global<const double> v = Global<const double>(from.data.address()) + b * n;
  const int exponent = exponent_of(v, n, partial);
  if (thread_index() == 0 && i == 0) to.exponents[b] = from.exponents[b] + exponent;
  if (i >= n) return;
  const MatrixView<W> matrix = by_x ? roots.x[b] : roots.s[b];
  const double factor = roots.factors[b];
  double sum = 0;
  for (int64_t j = lane_index(); j < n; j += warp_size) {
    const double element = static_cast<double>(matrix(i, j));
    sum += (by_x ? static_cast<double>(static_cast<T>(element * factor)) : element) * v[j];
  }
  sum = warp_sum(sum);
  if (lane_index() != 0) return;
  to.data[b * n + i] = (by_x ? sum : sum + roots.epsilons[b] * v[i]) * ldexp(1.0, -exponent);
}

// to = (S + epsilon I) from loses the negative eigenvalues of S.
template <typename T, typename W>
__global__ void __launch_bounds__(threads) drop_negative_part(RootCandidates<T, W> roots, Probes from, Probes to) {
  const int64_t b = block_index(), n = roots.s.rows;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warps);
  const Global<W> values = roots.values + b * n;
  if (roots.skip[b] != 0 || !(values[0] < 0)) return;
  const MatrixView<W> vectors = roots.vectors[b];
  const double scale = ldexp(1.0, from.exponents[b] - to.exponents[b]);
  for (int64_t k = 0; k < n && values[k] < 0; ++k) {
    double along = 0;
    for (int64_t i = thread_index(); i < n; i += block_threads()) {
      along += static_cast<double>(vectors(i, k)) * from.data[b * n + i];
    }
    along = block_sum(along, partial) * scale * static_cast<double>(values[k]);
    for (int64_t i = thread_index(); i < n; i += block_threads()) {
      to.data[b * n + i] -= along * static_cast<double>(vectors(i, k));
    }
  }
}

// to = (u + v) / 2 2^-shift, where shift is the remainder of the scale, or 0.
template <typename T, typename W>
__global__ void settle_probes(RootCandidates<T, W> roots, Probes u, Probes v, Probes to, bool has_remainder) {
  const int64_t n = roots.s.rows, e = block_index() * block_threads() + thread_index(), b = e / n;
  if (e >= roots.count * n || roots.skip[b] != 0) return;
  const int shift = has_remainder ? RootScale::of(roots.request.root, roots.exponents[b]).remainder : 0;
  const auto value = [&](const Probes& probes) {
    return ldexp(double{probes.data[e]}, std::max(-5000, std::min(5000, probes.exponents[b] - shift)));
  };
  to.data[e] = (value(u) + value(v)) / 2;
  if (e % n == 0) to.exponents[b] = 0;
}

// Adds |u - v|^2 and |size|^2 of settled vectors.
template <typename T, typename W>
__global__ void __launch_bounds__(threads)
    add_squares(RootCandidates<T, W> roots, Probes u, Probes v, Probes size, Global<Squares> squares) {
  const int64_t b = block_index(), n = roots.s.rows;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warps);
  if (roots.skip[b] != 0) return;
  double error = 0, whole = 0;
  for (int64_t i = b * n + thread_index(); i < (b + 1) * n; i += block_threads()) {
    const double difference = u.data[i] - v.data[i], each = size.data[i];
    error += difference * difference;
    whole += each * each;
  }
  error = block_sum(error, partial);
  whole = block_sum(whole, partial);
  if (thread_index() == 0) squares[b] = {squares[b].error + error, squares[b].size + whole};
}

template <typename T, typename W>
__device__ T answer_of(const RootCandidates<T, W>& roots, int64_t b, int64_t i, int64_t j) {
  const T element = static_cast<T>(static_cast<double>(roots.x[b](i, j)) * roots.factors[b]);
  const RootScale scale = RootScale::of(roots.request.root, roots.exponents[b]);
  return static_cast<T>(ldexp(static_cast<double>(element), scale.result));
}

template <typename T, typename W>
__global__ void find_overflow(RootCandidates<T, W> roots, Global<int32_t> overflows) {
  const int64_t n = roots.s.rows, e = block_index() * block_threads() + thread_index(), b = e / (n * n);
  if (e >= roots.count * n * n || roots.skip[b] != 0) return;
  if (!is_finite(answer_of(roots, b, e / n % n, e % n))) atomic_max(overflows, b, 1);
}

template <typename T, typename W>
__global__ void judge_roots(RootCandidates<T, W> roots, Global<const Squares> squares, Global<const int32_t> overflows,
                            RootStage otherwise) {
  const int64_t b = block_index() * block_threads() + thread_index();
  if (b >= roots.count || roots.skip[b] != 0) return;
  const Squares each = squares[b];
  const double residual = each.error == 0 ? 0 : sqrt(each.error / each.size);
  const int64_t at = roots.first + b;
  kr_report report = roots.batch.reports[at];
  report.residual = residual;
  const bool passes = residual <= roots.request.residual_bound;
  if (!passes) {
    report = failed(KR_STATUS_NOT_CONVERGED);
  } else if (overflows[b] != 0) {
    report = failed(KR_STATUS_OVERFLOW);
  }
  roots.batch.reports[at] = report;
  roots.batch.stages[at] = passes ? root_is_settled : otherwise;
  if (is_failure(report)) roots.skip[b] = 1;
}

template <typename T, typename W>
__global__ void write_roots(RootCandidates<T, W> roots) {
  const int64_t n = roots.s.rows, e = block_index() * block_threads() + thread_index(), b = e / (n * n);
  if (e >= roots.count * n * n || roots.skip[b] != 0) return;
  const int64_t i = e / n % n, j = e % n;
  roots.batch.x[roots.first + b](i, j) = answer_of(roots, b, i, j);
}

// The launches of the residual of certificate.cuh.
template <typename T, typename W>
class Residuals {
 public:
  Residuals(Op& op, const RootCandidates<T, W>& roots) : op_(op), roots_(roots) {
    const int64_t n = roots.s.rows, count = roots.count;
    squares = Global<Squares>(op.scratch<Squares>(count));
    overflows = Global<int32_t>(op.scratch<int32_t>(count));
    for (Probes& each : probes_) {
      each = {Global<double>(op.scratch<double>(count * n)), Global<int32_t>(op.scratch<int32_t>(count))};
    }
    each_element_ = {.blocks = {(count * n + threads - 1) / threads}, .threads = threads};
    each_matrix_ = {.blocks = {count}, .threads = threads, .shared_bytes = warps * sizeof(double)};
    rows_ = {.blocks = {count * ((n + warps - 1) / warps)}, .threads = threads, .shared_bytes = warps * sizeof(double)};
  }

  void measure() {
    const int probes = roots_.request.full_residual ? static_cast<int>(roots_.s.rows) : 1;
    for (int k = 0; k < probes && !op_.failed(); ++k) measure_probe(k);
  }

  Global<Squares> squares;
  Global<int32_t> overflows;  // all 0

 private:
  void measure_probe(int k) {
    const auto& [z, product, spare, up, down] = probes_;
    launch<start_probes<T, W>>(op_, each_element_, roots_, z, squares, overflows, k);
    const Root& root = roots_.request.root;
    if (!root.inverse) {
      const Probes power = apply<true>(root.a, z, up, spare);
      launch<settle_probes<T, W>>(op_, each_element_, roots_, power, power, product, true);
      const Probes image = apply<false>(root.b, z, up, spare);
      launch<settle_probes<T, W>>(op_, each_element_, roots_, image, image, down, false);
      launch<add_squares<T, W>>(op_, each_matrix_, roots_, product, down, down, squares);
      return;
    }
    multiply_word(z, product);
    if (!roots_.request.is_pseudo_inverse()) {
      launch<add_squares<T, W>>(op_, each_matrix_, roots_, product, z, z, squares);
      return;
    }
    // W is a projector.
    word_of(true, product, up, spare);
    launch<settle_probes<T, W>>(op_, each_element_, roots_, up, up, down, true);
    launch<add_squares<T, W>>(op_, each_matrix_, roots_, down, product, z, squares);
  }

  // to = W from: where both a and b are odd the mean of both orders.
  void multiply_word(const Probes& from, const Probes& to) {
    const auto& [z, product, spare, up, down] = probes_;
    const Root& root = roots_.request.root;
    word_of(true, from, up, spare);
    const bool has_two = root.a % 2 != 0 && root.b % 2 != 0;
    if (has_two) word_of(false, from, down, spare);
    launch<settle_probes<T, W>>(op_, each_element_, roots_, up, has_two ? down : up, to, true);
  }

  // B number j stands after (j + 1/2) a / b factors X, rounded, half way up or down. The result is in `to`.
  void word_of(bool half_up, const Probes& from, const Probes& to, const Probes& spare) {
    const Root& root = roots_.request.root;
    const int products = root.a + root.b;
    Probes current = from, next = products % 2 != 0 ? to : spare;
    const auto step = [&](bool by_x) {
      by_x ? multiply<true>(current, next) : multiply<false>(current, next);
      current = next;
      next = is_same(current, to) ? spare : to;
    };
    int done = 0;
    for (int j = 0; j < root.b; ++j) {
      const int before = ((2 * j + 1) * root.a + root.b - (half_up ? 0 : 1)) / (2 * root.b);
      for (; done < before; ++done) step(true);
      step(false);
    }
    for (; done < root.a; ++done) step(true);
  }

  // X^power from, or B^power from; where it is then.
  template <bool by_x>
  Probes apply(int power, Probes from, Probes to, Probes spare) {
    for (int k = 0; k < power; ++k) {
      multiply<by_x>(from, to);
      from = to;
      std::swap(to, spare);
    }
    return from;
  }
  template <bool by_x>
  void multiply(const Probes& from, const Probes& to) {
    launch<multiply_probes<T, W, by_x>>(op_, rows_, roots_, from, to);
    if (!by_x && roots_.values) launch<drop_negative_part<T, W>>(op_, each_matrix_, roots_, from, to);
  }
  static bool is_same(const Probes& x, const Probes& y) { return x.data.address() == y.data.address(); }

  Op& op_;
  RootCandidates<T, W> roots_;
  Probes probes_[5];
  LaunchShape each_element_, each_matrix_, rows_;
};

}  // namespace

template <typename T, typename W>
void publish_roots(Op& op, const RootCandidates<T, W>& roots, RootStage otherwise) {
  Residuals<T, W> residuals(op, roots);
  residuals.measure();
  const int64_t elements = roots.count * roots.s.rows * roots.s.rows;
  const LaunchShape each_element{.blocks = {(elements + threads - 1) / threads}, .threads = threads};
  launch<find_overflow<T, W>>(op, each_element, roots, residuals.overflows);
  launch<judge_roots<T, W>>(op, {.blocks = {(roots.count + threads - 1) / threads}, .threads = threads}, roots,
                            Global<const Squares>(residuals.squares.address()),
                            Global<const int32_t>(residuals.overflows.address()), otherwise);
  launch<write_roots<T, W>>(op, each_element, roots);
}

template void publish_roots(Op&, const RootCandidates<float, float>&, RootStage);
template void publish_roots(Op&, const RootCandidates<float, double>&, RootStage);
template void publish_roots(Op&, const RootCandidates<double, double>&, RootStage);

}  // namespace kronroot::cuda
