#include "lambda_max.hpp"

#include "../../core/matrix.hpp"
#include "../eigen/eigh_batch.hpp"
#include "../launch.hpp"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;

// to = the lower triangle of A, mirrored, by a power of two to a largest magnitude of about 1; zeros where A is not
// finite.
template <typename T>
__global__ void __launch_bounds__(threads)
    mirror_lower(BatchView<const T> a, BatchView<T> to, Global<int32_t> exponents) {
  const int64_t b = block_index(), n = a.rows;
  SharedArena arena;
  const Shared<double> partial = arena.take<double>(threads / warp_size);
  double largest = 0, bad = 0;
  for (int64_t e = thread_index(); e < n * n; e += block_threads()) {
    const int64_t i = e / n, j = e % n;
    if (j > i) continue;
    const double x = static_cast<double>(a[b](i, j));
    if (!is_finite(x)) bad = 1;
    largest = std::max(largest, x < 0 ? -x : x);
  }
  const bool is_usable = block_max(bad, partial) == 0;
  largest = block_max(is_usable ? largest : 0.0, partial);
  int exponent = 0;
  frexp(largest, &exponent);
  for (int64_t e = thread_index(); e < n * n; e += block_threads()) {
    const int64_t i = e / n, j = e % n;
    const double x = is_usable ? static_cast<double>(j > i ? a[b](j, i) : a[b](i, j)) : 0.0;
    to[b](i, j) = static_cast<T>(ldexp(x, -exponent));
  }
  if (thread_index() == 0) exponents[b] = exponent;
}

// The bound, scaled as the factorisation scales its matrix.
template <typename T>
__global__ void bound_lambda_max(BatchView<const T> values, Global<const int32_t> exponents, Global<double> bounds) {
  const int64_t b = block_index() * block_threads() + thread_index();
  if (b >= values.batch) return;
  const int64_t n = values.rows;
  const double largest = static_cast<double>(values[b](n - 1, 0)) * (1 + static_cast<double>(n) * ulp_of<T>);
  // A relative ridge is none of the ridges that count for the scale, which is that of max |a_ij| alone.
  const SpdScale<T> scale = SpdScale<T>::of(ldexp(0.75, exponents[b]));
  bounds[b] = ldexp(largest > 0 ? largest : 0.0, exponents[b] - scale.exponent);
}

}  // namespace

template <typename T>
SpdRidge find_ridge(Op& op, const kr_cholesky_options& options, const BatchView<const T>& a) {
  if (options.ridge != KR_RIDGE_RELATIVE || options.ridge_value == 0 || a.batch == 0) return ridge_of(options, nullptr);
  const int64_t n = a.rows, count = a.batch;
  const BatchView<T> mirrored = dense_view(op.scratch<T>(count * n * n), count, n, n);
  const BatchView<T> values = dense_view(op.scratch<T>(count * n), count, n, int64_t{1});
  const Global<int32_t> exponents(op.scratch<int32_t>(count));
  int32_t* const status = op.scratch<int32_t>(count);
  double* const bounds = op.scratch<double>(count);
  launch<mirror_lower<T>>(op,
                          {.blocks = {count}, .threads = threads, .shared_bytes = threads / warp_size * sizeof(double)},
                          a, mirrored, exponents);
  EighBatch<T> problem{};
  problem.a = {mirrored.data, count, n, n, n, n * n};
  problem.values = values;
  problem.status = status;
  eigh_batch(op, problem);
  launch<bound_lambda_max<T>>(op, {.blocks = {(count + threads - 1) / threads}, .threads = threads},
                              BatchView<const T>{values.data, count, n, 1, 1, n}, Global<const int32_t>(exponents),
                              Global<double>(bounds));
  return ridge_of(options, bounds);
}

template SpdRidge find_ridge(Op&, const kr_cholesky_options&, const BatchView<const float>&);
template SpdRidge find_ridge(Op&, const kr_cholesky_options&, const BatchView<const double>&);

}  // namespace kronroot::cuda
