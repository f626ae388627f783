// Eigenbases brought up to date with matrices that have changed a little (kr_refresh).
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

template <typename T>
struct Refresh {
  BatchView<const T> a;      // scaled to about 1
  BatchView<const T> basis;  // of earlier matrices
  const int32_t* status;     // of the input; nothing is done where it is a failure
  const double* size;        // |A|_F
  bool iterates = false;     // KR_REFRESH_ITERATE
  double tolerance = 0;      // of |A Q - Q diag(b)|_F, relative to |A|_F
  BatchView<T> values;       // of what is refreshed; signs are not fixed
  BatchView<T> vectors;
  int32_t* method;  // KR_METHOD_KEPT_BASIS or ORTHOGONAL_ITERATION, left alone where A is to be decomposed
  int32_t* iterations;
  int32_t* skip_decompose;  // 0 where A is to be decomposed
};

// Enqueues it; every matrix decides for itself, on the device.
template <typename T>
void refresh_bases(Op& op, const Refresh<T>& refresh);

}  // namespace kronroot::cuda
