// Up to order 32 Jacobi's method in the registers of a warp (in_warps.hpp); above it A = Q T Q^T with T tridiagonal,
// T = Z diag(w) Z^T by divide and conquer, V = Q Z, and for values alone bisection on T.
#include "eigh_batch.hpp"

#include "../launch.hpp"
#include "divide_and_conquer.hpp"
#include "in_warps.hpp"
#include "tridiagonal.hpp"

namespace kronroot::cuda {
namespace {

// What the caller asked for beside the vectors. `found` is nullptr where the values are there.
struct Outcome {
  Global<const double> found;
  int64_t padded;
  Global<const int32_t> unsolved;
  Global<const int32_t> sweeps;
};

template <typename T>
__global__ void write_outcome(EighBatch<T> problem, Outcome outcome) {
  const int64_t b = block_index();
  if (problem.skip != nullptr && Global<const int32_t>(problem.skip)[b] != 0) return;
  if (outcome.found) {
    const MatrixView<T> values = problem.values[b];
    for (int64_t j = thread_index(); j < problem.a.rows; j += block_threads()) {
      values(j, 0) = static_cast<T>(outcome.found[b * outcome.padded + j]);
    }
  }
  if (thread_index() != 0) return;
  const bool is_unsolved = outcome.unsolved && outcome.unsolved[b] != 0;
  if (problem.status != nullptr) {
    Global<int32_t>(problem.status)[b] = is_unsolved ? KR_STATUS_NOT_CONVERGED : KR_STATUS_OK;
  }
  if (problem.sweeps != nullptr) Global<int32_t>(problem.sweeps)[b] = outcome.sweeps ? outcome.sweeps[b] : 0;
}

}  // namespace

template <typename T>
void eigh_batch(Op& op, const EighBatch<T>& problem) {
  const int64_t n = problem.a.rows, batch = problem.a.batch;
  if (n <= most_in_warp) {
    eigh_in_warps<T>(op, {.a = problem.a,
                          .values = problem.values,
                          .vectors = problem.vectors,
                          .skip = Global<const int32_t>(problem.skip),
                          .status = Global<int32_t>(problem.status),
                          .sweeps = Global<int32_t>(problem.sweeps)});
    return;
  }
  const bool has_vectors = static_cast<bool>(problem.vectors.data);
  TridiagonalBatch<T> form;
  form.batch = batch;
  form.order = n;
  form.padded = division_of(n).padded();
  form.d = op.scratch<double>(batch * form.padded);
  form.e = op.scratch<double>(batch * form.padded);
  form.bound = op.scratch<double>(batch);
  form.stride = reflector_stride<T>(n);
  form.reflectors = op.scratch<T>(batch * n * form.stride);
  form.tau = op.scratch<T>(batch * n);
  tridiagonalise(op, problem.a, form, problem.skip);
  Outcome outcome{Global<const double>(nullptr), form.padded, Global<const int32_t>(nullptr),
                  Global<const int32_t>(nullptr)};
  if (has_vectors) {
    double* const values = op.scratch<double>(batch * form.padded);
    int32_t* const flags = op.scratch<int32_t>(2 * batch);
    T* const z = divide_and_conquer(op, form, values, flags, flags + batch, problem.skip);
    back_transform(op, form, z, problem.vectors, problem.skip);
    outcome = {Global<const double>(values), form.padded, Global<const int32_t>(flags),
               Global<const int32_t>(flags + batch)};
  } else {
    tridiagonal_values(op, form, problem.values, problem.skip);
  }
  launch<write_outcome<T>>(op, {{batch}, 128, 0}, problem, outcome);
}

template void eigh_batch(Op&, const EighBatch<float>&);
template void eigh_batch(Op&, const EighBatch<double>&);

}  // namespace kronroot::cuda
