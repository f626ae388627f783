#include "eigen_root.hpp"

#include "../eigen/eigh_batch.hpp"
#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "candidate.hpp"
#include "simple_root.cuh"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
// Of scratch memory; larger batches are decomposed in parts.
constexpr int64_t most_bytes = int64_t{1} << 30;

// A part of a batch, from matrix `first` on: what the kernels below share of each of its matrices.
template <typename T, typename W>
struct EigenPart {
  RootRequest request;
  RootTurn turn;
  RootBatch<T> batch;
  int64_t first, count;
  BatchView<W> s, vectors, weighed, x;  // weighed: V diag(images)^{1/2}
  Global<W> values;
  Global<double> weights;  // images^{1/2}; before, room for n numbers
  Global<int32_t> skip;
  Global<int32_t> statuses;  // of the decompositions
  Global<int32_t> sweeps;
  Global<double> factors, epsilons;
  Global<int32_t> exponents;
};

template <typename T, typename W>
__global__ void __launch_bounds__(threads) read_for_eigen(EigenPart<T, W> part) {
  const int64_t b = block_index(), at = part.first + b;
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  bool is_wanted = part.turn == RootTurn::first;
  if (!is_wanted) is_wanted = part.batch.stages[at] == root_is_chosen || part.batch.stages[at] == root_is_next;
  if (thread_index() == 0) part.skip[b] = is_wanted ? 0 : 1;
  if (!is_wanted) return;
  const SymmetricInput input = scan_symmetric(part.batch.a[at], team.partial);
  if (part.turn == RootTurn::first) {
    const RootStage stage = settle_simple(team, part.request, input, part.weights + b * part.s.rows, part.batch, at);
    // A closed form that did not pass: nothing is gained in f32.
    if (stage == root_is_settled || (stage == root_is_next && sizeof(W) < sizeof(double))) {
      if (thread_index() == 0) part.skip[b] = 1;
      return;
    }
    if (thread_index() == 0) part.batch.stages[at] = root_is_chosen;
  }
  if (thread_index() != 0) return;
  part.exponents[b] = scale_exponent(part.request, input);
  part.factors[b] = 1;
}

// One thread an element of every matrix of the part; whether there is one that is not skipped.
template <typename T, typename W>
__device__ bool find_element(const EigenPart<T, W>& part, int64_t* b, int64_t* i, int64_t* j) {
  const int64_t n = part.s.rows, e = block_index() * block_threads() + thread_index();
  *b = e / (n * n);
  *i = e / n % n;
  *j = e % n;
  return e < part.count * n * n && part.skip[*b] == 0;
}

template <typename T, typename W>
__global__ void scale_for_eigen(EigenPart<T, W> part) {
  int64_t b, i, j;
  if (!find_element(part, &b, &i, &j)) return;
  const SymmetricReader<T> s{part.batch.a[part.first + b], part.exponents[b]};
  part.s[b](i, j) = static_cast<W>(s(static_cast<int>(i), static_cast<int>(j)));
}

// The defined answers.
template <typename T, typename W>
__global__ void __launch_bounds__(threads) judge_spectra(EigenPart<T, W> part) {
  const int64_t b = block_index(), at = part.first + b;
  const int n = static_cast<int>(part.s.rows);
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  if (part.skip[b] != 0) return;
  const Global<W> values = part.values + b * n;
  kr_report report{};
  const Spectrum spectrum = spectrum_of(
      team, part.request, part.exponents[b], n, [&](int i) { return static_cast<double>(values[i]); }, &report);
  const bool has_converged = part.statuses[b] == KR_STATUS_OK;
  if (has_converged && !is_failure(report)) {
    for (int j = team.rank(); j < n; j += team.size()) {
      part.weights[b * n + j] = sqrt(spectrum.image(part.request.root, static_cast<double>(values[j])));
    }
  }
  if (thread_index() != 0) return;
  const bool is_first = part.batch.stages[at] == root_is_chosen;
  if (!has_converged) {
    report = failed(KR_STATUS_NOT_CONVERGED);
    part.batch.stages[at] = sizeof(W) == sizeof(double) ? root_is_settled : root_is_next;
  } else if (is_failure(report)) {
    part.batch.stages[at] = root_is_settled;
  } else {
    report.method = KR_METHOD_EIGH;
    report.iterations = part.sweeps[b];
    report.rung = is_first ? KR_RUNG_CHOSEN : sizeof(W) == sizeof(T) ? KR_RUNG_EIGH : KR_RUNG_EIGH_F64;
    part.epsilons[b] = spectrum.epsilon;
  }
  part.batch.reports[at] = report;
  if (is_failure(report)) part.skip[b] = 1;
}

// X = (V diag(images)^{1/2}) (V diag(images)^{1/2})^T is exactly symmetric.
template <typename T, typename W>
__global__ void weigh_vectors(EigenPart<T, W> part) {
  int64_t b, i, j;
  if (!find_element(part, &b, &i, &j)) return;
  const double weight = part.weights[b * part.s.rows + j];
  part.weighed[b](i, j) = static_cast<W>(weight * static_cast<double>(part.vectors[b](i, j)));
}

}  // namespace

template <typename T, typename W>
void eigen_roots(Op& op, const RootRequest& request, RootTurn turn, const RootBatch<T>& batch) {
  const int64_t n = batch.a.rows;
  const int64_t most = std::max<int64_t>(1, most_bytes / (4 * n * n * static_cast<int64_t>(sizeof(W))));
  const int64_t together = std::min(batch.a.batch, most);
  W* memory[4];
  for (W*& each : memory) each = op.scratch<W>(together * n * n);
  EigenPart<T, W> part{};
  part.request = request;
  part.turn = turn;
  part.batch = batch;
  part.values = Global<W>(op.scratch<W>(together * n));
  part.weights = Global<double>(op.scratch<double>(together * n));
  part.factors = Global<double>(op.scratch<double>(together));
  part.epsilons = Global<double>(op.scratch<double>(together));
  for (Global<int32_t>* each : {&part.skip, &part.statuses, &part.sweeps, &part.exponents}) {
    *each = Global<int32_t>(op.scratch<int32_t>(together));
  }
  const Op::Mark mark = op.mark();
  for (part.first = 0; part.first < batch.a.batch && !op.failed(); part.first += together) {
    part.count = std::min(together, batch.a.batch - part.first);
    const auto view = [&](int k) { return dense_view(memory[k], part.count, n, n); };
    part.s = view(0), part.vectors = view(1), part.weighed = view(2), part.x = view(3);
    const LaunchShape each_matrix{
        .blocks = {part.count}, .threads = threads, .shared_bytes = threads / warp_size * sizeof(double)};
    const LaunchShape each_element{.blocks = {(part.count * n * n + threads - 1) / threads}, .threads = threads};
    launch<read_for_eigen<T, W>>(op, each_matrix, part);
    launch<scale_for_eigen<T, W>>(op, each_element, part);
    EighBatch<W> decomposition;
    decomposition.a = as_input(part.s);
    decomposition.values = {part.values, part.count, n, 1, 1, n};
    decomposition.vectors = part.vectors;
    decomposition.skip = part.skip.address();
    decomposition.status = part.statuses.address();
    decomposition.sweeps = part.sweeps.address();
    eigh_batch(op, decomposition);
    launch<judge_spectra<T, W>>(op, each_matrix, part);
    launch<weigh_vectors<T, W>>(op, each_element, part);
    Product<W> product;
    product.a = product.b = as_input(part.weighed);
    product.transpose_b = true;
    product.c = part.x;
    product.symmetric = true;
    product.skip = part.skip.address();
    multiply(op, product);
    publish_roots<T, W>(op,
                        {request, batch, part.first, part.count, part.s, part.x, part.factors, part.epsilons,
                         part.exponents, part.values, part.vectors, part.skip},
                        sizeof(W) == sizeof(double) ? root_is_settled : root_is_next);
    op.reuse_since(mark);
  }
}

template void eigen_roots<float, float>(Op&, const RootRequest&, RootTurn, const RootBatch<float>&);
template void eigen_roots<float, double>(Op&, const RootRequest&, RootTurn, const RootBatch<float>&);
template void eigen_roots<double, double>(Op&, const RootRequest&, RootTurn, const RootBatch<double>&);

}  // namespace kronroot::cuda
