// Eigenvalues of a tridiagonal matrix by bisection, one thread for each: the number of eigenvalues below x is the
// number of negative q_i,
//   q_0 = d_0 - x,   q_i = d_i - x - e_{i-1}^2 / q_{i-1}.
// All threads halve the same interval, so that values come in order whatever rounding does to the counts.
// Source: Barth, Martin and Wilkinson, Handbook for Automatic Computation II, contribution II/5.
#include <cmath>
#include <limits>

#include "../launch.hpp"
#include "tridiagonal.hpp"

namespace kronroot::cuda {
namespace {

constexpr int bisection_threads = 128;

template <typename T>
__global__ void bisect(TridiagonalBatch<T> form, BatchView<T> values, Global<const int32_t> skip) {
  const int n = static_cast<int>(form.order);
  const int64_t pieces = (n + bisection_threads - 1) / bisection_threads;
  const int64_t b = block_index() / pieces;
  if (skip && skip[b] != 0) return;
  const int j = static_cast<int>(block_index() % pieces) * bisection_threads + thread_index();
  const Global<const double> d = Global<const double>(form.d) + b * form.padded;
  const Global<const double> e = Global<const double>(form.e) + b * form.padded;
  const T bound = static_cast<T>(Global<const double>(form.bound)[b]);
  // Counts in T err like a change of T by a few ulp of it.
  const T smallest_pivot = std::max(bound * std::numeric_limits<T>::epsilon() * std::numeric_limits<T>::epsilon(),
                                    std::numeric_limits<T>::min());
  T low = -bound * (1 + 4 * std::numeric_limits<T>::epsilon()), high = -low;
  const T width = bound * std::numeric_limits<T>::epsilon() / 16;
  for (int step = 0; step < 80 && high - low > width; ++step) {
    const T x = low + (high - low) / 2;
    int below = 0;
    T q = 1, square = 0;
    for (int i = 0; i < n; ++i) {
      q = static_cast<T>(d[i]) - x - square / q;
      if (std::abs(q) < smallest_pivot) q = -smallest_pivot;
      below += q < 0 ? 1 : 0;
      const T coupling = static_cast<T>(e[i]);
      square = coupling * coupling;
    }
    if (below > j) {
      high = x;
    } else {
      low = x;
    }
  }
  if (j < n) values[b](j, 0) = low + (high - low) / 2;
}

}  // namespace

template <typename T>
void tridiagonal_values(Op& op, const TridiagonalBatch<T>& form, const BatchView<T>& values, const int32_t* skip) {
  const int64_t pieces = (form.order + bisection_threads - 1) / bisection_threads;
  launch<bisect<T>>(op, {.blocks = {form.batch * pieces}, .threads = bisection_threads}, form, values,
                    Global<const int32_t>(skip));
}

template void tridiagonal_values(Op&, const TridiagonalBatch<float>&, const BatchView<float>&, const int32_t*);
template void tridiagonal_values(Op&, const TridiagonalBatch<double>&, const BatchView<double>&, const int32_t*);

}  // namespace kronroot::cuda
