#include "eigen_root.hpp"

#include "../eigen/eigh_batch.hpp"
#include "../gemm/product.hpp"
#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
// Of scratch memory; larger batches are decomposed in parts.
constexpr int64_t most_bytes = int64_t{512} << 20;

// A part of a batch, from matrix `first` on: what the kernels below share of each of its matrices.
template <typename T>
struct EigenPart {
  RootRequest request;
  RootBatch<T> batch;
  int64_t first, count;
  BatchView<double> a;  // S, later V diag(images)^{1/2}
  BatchView<double> vectors;
  BatchView<double> x;
  Global<double> values;
  Global<int32_t> skip;
  Global<int32_t> statuses;  // of the decompositions
  Global<int32_t> sweeps;
  Global<double> epsilons;
  Global<int32_t> exponents;
};

template <typename T>
__device__ void settle(const EigenPart<T>& part, int64_t b, const kr_report& report) {
  if (thread_index() != 0) return;
  part.batch.reports[part.first + b] = report;
  part.batch.stages[part.first + b] = root_is_settled;
  part.skip[b] = 1;
}

template <typename T>
__global__ void __launch_bounds__(threads) read_for_eigen(EigenPart<T> part) {
  const int64_t b = block_index(), n = part.a.rows;
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  const int32_t stage = part.batch.stages[part.first + b];
  const bool is_wanted = stage == root_is_chosen || stage == root_is_next;
  if (thread_index() == 0) part.skip[b] = is_wanted ? 0 : 1;
  if (!is_wanted) return;
  const MatrixView<const T> given = part.batch.a[part.first + b];
  const SymmetricInput input = scan_symmetric(given, team.partial);
  const int exponent = scale_exponent(part.request, input);
  if (thread_index() == 0) part.exponents[b] = exponent;
  const SymmetricReader<T> s{given, exponent};
  const MatrixView<double> to = part.a[b];
  for (int64_t e = thread_index(); e < n * n; e += threads) {
    to(e / n, e % n) = static_cast<double>(s(static_cast<int>(e / n), static_cast<int>(e % n)));
  }
}

// The defined answers, and V diag(images)^{1/2}: X = W W^T is exactly symmetric.
template <typename T>
__global__ void __launch_bounds__(threads) weigh_vectors(EigenPart<T> part) {
  const int64_t b = block_index();
  const int n = static_cast<int>(part.a.rows);
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  if (part.skip[b] != 0) return;
  team.sync();
  if (part.statuses[b] != KR_STATUS_OK) {
    settle(part, b, failed(KR_STATUS_NOT_CONVERGED));
    return;
  }
  kr_report report{};
  const Global<double> values = part.values + b * n;
  const Spectrum spectrum = spectrum_of(
      team, part.request, part.exponents[b], n, [&](int i) { return values[i]; }, &report);
  if (is_failure(report)) {
    settle(part, b, report);
    return;
  }
  const MatrixView<double> v = part.vectors[b], w = part.a[b];
  for (int j = team.rank(); j < n; j += team.size()) {
    const double weight = sqrt(spectrum.image(part.request.root, values[j]));
    for (int i = 0; i < n; ++i) w(i, j) = weight * v(i, j);
  }
  if (thread_index() != 0) return;
  report.method = KR_METHOD_EIGH;
  report.iterations = part.sweeps[b];
  report.rung = part.batch.stages[part.first + b] == root_is_chosen ? KR_RUNG_CHOSEN : KR_RUNG_EIGH;
  part.batch.reports[part.first + b] = report;
  part.epsilons[b] = spectrum.epsilon;
}

// S read from A.
template <typename T>
struct ReadSquare {
  SymmetricReader<T> s;
  __device__ T load(int i, int j) const { return s(i, j); }
};

template <typename T>
__global__ void __launch_bounds__(threads) certify_eigen_root(EigenPart<T> part) {
  const int64_t b = block_index();
  const int n = static_cast<int>(part.a.rows);
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  if (part.skip[b] != 0) return;
  team.sync();
  const RootRequest& request = part.request;
  const RootScale scale = RootScale::of(request.root, part.exponents[b]);
  const MatrixView<double> x = part.x[b];
  for (int e = team.rank(); e < n * n; e += team.size()) {
    x(e / n, e % n) = static_cast<double>(static_cast<T>(x(e / n, e % n)));
  }
  team.sync();
  const Global<double> spare = part.a[b].data;  // n^2 of them: room for the vectors only from order 4 on
  const Global<double> more = part.vectors[b].data;
  const GlobalSquare<const double> vectors{Global<const double>(more.address()), n};
  const NegativePart negative{n, Global<const double>((part.values + b * n).address()), vectors};
  const Certificate<BlockTeam, ReadSquare<T>, GlobalSquare<double>, Global<double>> certificate{
      team,
      n,
      request,
      {{part.batch.a[part.first + b], scale.exponent}},
      {x.data, n},
      part.epsilons[b],
      scale.remainder,
      negative,
      spare,
      spare + n,
      spare + 2 * n,
      spare + 3 * n};
  kr_report report = part.batch.reports[part.first + b];
  report.residual = certificate.residual();
  if (!(report.residual <= request.residual_bound)) {
    settle(part, b, failed(KR_STATUS_NOT_CONVERGED));
    return;
  }
  double overflows = 0;
  for (int e = team.rank(); e < n * n; e += team.size()) {
    if (!is_finite(static_cast<T>(ldexp(x(e / n, e % n), scale.result)))) overflows = 1;
  }
  if (team.max(overflows) != 0) {
    settle(part, b, failed(KR_STATUS_OVERFLOW));
    return;
  }
  const MatrixView<T> out = part.batch.x[part.first + b];
  for (int e = team.rank(); e < n * n; e += team.size()) {
    out(e / n, e % n) = static_cast<T>(ldexp(x(e / n, e % n), scale.result));
  }
  settle(part, b, report);
}

BatchView<const double> readable(const BatchView<double>& view) {
  return {
      Global<const double>(view.data.address()), view.batch, view.rows, view.cols, view.row_stride, view.batch_stride};
}

}  // namespace

template <typename T>
void eigen_roots(Op& op, const RootRequest& request, const RootBatch<T>& batch) {
  const int64_t n = batch.a.rows, matrix = std::max<int64_t>(n * n, 4 * n);
  const int64_t most = std::max<int64_t>(1, most_bytes / (3 * matrix * static_cast<int64_t>(sizeof(double))));
  const int64_t together = std::min(batch.a.batch, most);
  double* memory[3];
  for (double*& each : memory) each = op.scratch<double>(together * matrix);
  double* values = op.scratch<double>(together * n);
  double* epsilons = op.scratch<double>(together);
  int32_t* skip = op.scratch<int32_t>(together);
  int32_t* statuses = op.scratch<int32_t>(together);
  int32_t* sweeps = op.scratch<int32_t>(together);
  int32_t* exponents = op.scratch<int32_t>(together);
  for (int64_t first = 0; first < batch.a.batch; first += together) {
    const int64_t count = std::min(together, batch.a.batch - first);
    const auto view = [&](int k) { return BatchView<double>{Global<double>(memory[k]), count, n, n, n, matrix}; };
    const EigenPart<T> part{request,
                            batch,
                            first,
                            count,
                            view(0),
                            view(1),
                            view(2),
                            Global<double>(values),
                            Global<int32_t>(skip),
                            Global<int32_t>(statuses),
                            Global<int32_t>(sweeps),
                            Global<double>(epsilons),
                            Global<int32_t>(exponents)};
    const LaunchShape each{.blocks = {count}, .threads = threads, .shared_bytes = threads / warp_size * sizeof(double)};
    launch<read_for_eigen<T>>(op, each, part);
    EighBatch<double> decomposition;
    decomposition.a = readable(part.a);
    decomposition.values = {Global<double>(values), count, n, 1, 1, n};
    decomposition.vectors = part.vectors;
    decomposition.skip = skip;
    decomposition.status = statuses;
    decomposition.sweeps = sweeps;
    eigh_batch(op, decomposition);
    launch<weigh_vectors<T>>(op, each, part);
    Product<double> product;
    product.a = product.b = readable(part.a);
    product.transpose_b = true;
    product.c = part.x;
    product.symmetric = true;
    product.skip = skip;
    multiply(op, product);
    launch<certify_eigen_root<T>>(op, each, part);
  }
}

template void eigen_roots<float>(Op&, const RootRequest&, const RootBatch<float>&);
template void eigen_roots<double>(Op&, const RootRequest&, const RootBatch<double>&);

}  // namespace kronroot::cuda
