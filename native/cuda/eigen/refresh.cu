// With Q the basis of an earlier matrix: b_j = q_j^T A q_j, and |A Q - Q diag(b)|_F is the norm of what Q^T A Q has off
// its diagonal. Where that is small Q stays. Otherwise one step of orthogonal iteration, Q <- qr(A Q) with the columns
// by falling |b_j| (Golub and Van Loan, Matrix Computations, 8.2.4; as SOAP does it: Vyas et al., arXiv 2409.11321).
#include "refresh.hpp"

#include <cmath>

#include "../../core/matrix.hpp"
#include "../../core/random.hpp"
#include "../gemm/product.hpp"
#include "../launch.hpp"
#include "orthonormal_rows.hpp"

namespace kronroot::cuda {
namespace {

constexpr int refresh_threads = 256;
constexpr std::size_t partial_bytes = refresh_threads / warp_size * sizeof(double);

// Flags and numbers of scratch memory, for each matrix or for each of its n columns.
struct Decisions {
  Global<int32_t> skip_image;    // 0 where the basis is looked at
  Global<int32_t> skip_iterate;  // 0 where the basis is iterated
  Global<double> quotients;      // b_j
  Global<int32_t> place;         // of column j in the order that comes next
  Global<double> sums;
};

// |Q^T Q z - z|_2 <= sqrt(ulp) |z|_2 for a vector of random signs; false for NaN. Shared memory: a number for each
// warp.
template <typename T>
__global__ void judge_bases(Refresh<T> p, Decisions decisions) {
  const int64_t b = block_index(), n = p.a.rows;
  const bool is_sound = Global<const int32_t>(p.status)[b] == KR_STATUS_OK;
  if (!is_sound) {
    if (thread_index() == 0) {
      Global<int32_t>(p.skip_decompose)[b] = decisions.skip_image[b] = decisions.skip_iterate[b] = 1;
    }
    return;
  }
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warp_count());
  const MatrixView<const T> q = p.basis[b];
  const Global<double> sums = decisions.sums + b * n;
  const auto sign = [](int64_t j) { return random_sign(probe_stream, static_cast<uint64_t>(j)); };
  for (int64_t i = warp_index(); i < n; i += warp_count()) {
    double sum = 0;
    for (int64_t j = lane_index(); j < n; j += warp_size) sum += sign(j) * static_cast<double>(q(i, j));
    sum = warp_sum(sum);
    if (lane_index() == 0) sums[i] = sum;
  }
  sync_block();
  double squares = 0;
  for (int64_t j = thread_index(); j < n; j += block_threads()) {
    double error = -sign(j);
    for (int64_t i = 0; i < n; ++i) error += static_cast<double>(q(i, j)) * sums[i];
    squares += error * error;
  }
  squares = block_sum(squares, partial);
  if (thread_index() != 0) return;
  const bool serves = squares <= ulp_of<T> * static_cast<double>(n);
  decisions.skip_image[b] = serves ? 0 : 1;
  decisions.skip_iterate[b] = 1;
  Global<int32_t>(p.skip_decompose)[b] = 0;
}

// The place of column j among those of smaller key, the first of equals first.
template <typename F>
__device__ void place_by(const F& key, int64_t n, Global<int32_t> place) {
  for (int64_t j = thread_index(); j < n; j += block_threads()) {
    const double own = key(j);
    int32_t before = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double other = key(i);
      before += other < own || (other == own && i < j) ? 1 : 0;
    }
    place[j] = before;
  }
}

// What becomes of the basis, from A Q. Shared memory: a number for each warp.
template <typename T>
__global__ void decide(Refresh<T> p, BatchView<const T> images, Decisions decisions) {
  const int64_t b = block_index(), n = p.a.rows;
  if (decisions.skip_image[b] != 0) return;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(warp_count());
  const MatrixView<const T> q = p.basis[b], image = images[b];
  const Global<double> quotient = decisions.quotients + b * n;
  double squares = 0;
  for (int64_t j = thread_index(); j < n; j += block_threads()) {
    double product = 0;
    for (int64_t i = 0; i < n; ++i) product += static_cast<double>(q(i, j)) * static_cast<double>(image(i, j));
    quotient[j] = product;
    for (int64_t i = 0; i < n; ++i) {
      const double difference = static_cast<double>(image(i, j)) - product * static_cast<double>(q(i, j));
      squares += difference * difference;
    }
  }
  const double size = Global<const double>(p.size)[b];
  const bool stays = std::sqrt(block_sum(squares, partial)) <= p.tolerance * size;
  if (thread_index() == 0) {
    Global<int32_t>(p.skip_decompose)[b] = stays || p.iterates ? 1 : 0;
    decisions.skip_iterate[b] = !stays && p.iterates ? 0 : 1;
    if (stays || p.iterates) {
      Global<int32_t>(p.method)[b] = stays ? KR_METHOD_KEPT_BASIS : KR_METHOD_ORTHOGONAL_ITERATION;
      Global<int32_t>(p.iterations)[b] = stays ? 0 : 1;
    }
  }
  const Global<int32_t> place = decisions.place + b * n;
  if (stays) {
    place_by([&](int64_t j) { return quotient[j]; }, n, place);
  } else if (p.iterates) {
    place_by([&](int64_t j) { return -std::abs(quotient[j]); }, n, place);
  }
}

// A basis that stays to the output in its order, of one that is iterated A Q to the rows of `columns` in theirs.
template <typename T>
__global__ void arrange(Refresh<T> p, BatchView<const T> images, BatchView<T> columns, Decisions decisions) {
  const int64_t b = block_index(), n = p.a.rows;
  if (decisions.skip_image[b] != 0 || Global<const int32_t>(p.skip_decompose)[b] == 0) return;
  const bool stays = decisions.skip_iterate[b] != 0;
  const MatrixView<const T> from = stays ? p.basis[b] : images[b];
  const MatrixView<T> vectors = p.vectors[b], rows = columns[b], values = p.values[b];
  for (int64_t j = thread_index(); j < n; j += block_threads()) {
    const int32_t place = decisions.place[b * n + j];
    if (stays) values(place, 0) = static_cast<T>(decisions.quotients[b * n + j]);
    for (int64_t i = 0; i < n; ++i) (stays ? vectors(i, place) : rows(place, i)) = from(i, j);
  }
}

// The new basis, in the rows of q, to the output in the order of its Rayleigh quotients; `images` is its product with
// A.
template <typename T>
__global__ void write_iterated(Refresh<T> p, BatchView<const T> bases, BatchView<const T> images, Decisions decisions) {
  const int64_t b = block_index(), n = p.a.rows;
  if (decisions.skip_iterate[b] != 0) return;
  const MatrixView<const T> q = bases[b], image = images[b];
  const Global<double> quotient = decisions.quotients + b * n;
  const Global<int32_t> place = decisions.place + b * n;
  for (int64_t j = warp_index(); j < n; j += warp_count()) {
    double sum = 0;
    for (int64_t i = lane_index(); i < n; i += warp_size) {
      sum += static_cast<double>(q(j, i)) * static_cast<double>(image(j, i));
    }
    sum = warp_sum(sum);
    if (lane_index() == 0) quotient[j] = sum;
  }
  sync_block();
  place_by([&](int64_t j) { return quotient[j]; }, n, place);
  sync_block();
  const MatrixView<T> values = p.values[b], vectors = p.vectors[b];
  for (int64_t j = thread_index(); j < n; j += block_threads()) {
    values(place[j], 0) = static_cast<T>(quotient[j]);
    for (int64_t i = 0; i < n; ++i) vectors(i, place[j]) = q(j, i);
  }
}

}  // namespace

template <typename T>
void refresh_bases(Op& op, const Refresh<T>& p) {
  const int64_t batch = p.a.batch, n = p.a.rows;
  const Decisions decisions{Global<int32_t>(op.scratch<int32_t>(batch)), Global<int32_t>(op.scratch<int32_t>(batch)),
                            Global<double>(op.scratch<double>(batch * n)),
                            Global<int32_t>(op.scratch<int32_t>(batch * n)),
                            Global<double>(op.scratch<double>(batch * n))};
  T* const image = op.scratch<T>(batch * n * n);
  const BatchView<const T> images = dense_view<const T>(image, batch, n, n);
  launch<judge_bases<T>>(op, {{batch}, refresh_threads, partial_bytes}, p, decisions);
  multiply<T>(op,
              {.a = p.a, .b = p.basis, .c = dense_view(image, batch, n, n), .skip = decisions.skip_image.address()});
  launch<decide<T>>(op, {{batch}, refresh_threads, partial_bytes}, p, images, decisions);
  T* const columns = p.iterates ? op.scratch<T>(batch * n * n) : nullptr;
  launch<arrange<T>>(op, {{batch}, refresh_threads, 0}, p, images, dense_view(columns, batch, n, n), decisions);
  if (!p.iterates) return;
  T* const q = op.scratch<T>(batch * n * n);
  const int32_t* const skip = decisions.skip_iterate.address();
  orthonormalise_rows(op, dense_view(columns, batch, n, n), dense_view(q, batch, n, n), op.scratch<T>(batch * n), skip);
  const BatchView<const T> basis = dense_view<const T>(q, batch, n, n);
  multiply<T>(op, {.a = basis, .b = p.a, .c = dense_view(image, batch, n, n), .skip = skip});
  launch<write_iterated<T>>(op, {{batch}, refresh_threads, 0}, p, basis, images, decisions);
}

template void refresh_bases(Op&, const Refresh<float>&);
template void refresh_bases(Op&, const Refresh<double>&);

}  // namespace kronroot::cuda
