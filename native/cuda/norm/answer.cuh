// A norm goes into its place, or its failure into the report.
#pragma once

#include "../../core/report.hpp"
#include "../batch.cuh"

namespace kronroot::cuda {

// By one thread. A norm that the element type cannot hold is a failure.
template <typename T>
__device__ __forceinline__ void answer_norm(int32_t status, T norm, int iterations, int64_t b,
                                            const BatchView<T>& values, Global<kr_report> reports) {
  if (status == KR_STATUS_OK && !(norm - norm == 0)) status = KR_STATUS_OVERFLOW;
  kr_report report = status == KR_STATUS_OK ? answered(KR_METHOD_DIRECT) : failed(static_cast<kr_status>(status));
  if (status == KR_STATUS_OK) {
    values[b](0, 0) = norm;
    report.iterations = iterations;
  }
  if (reports) reports[b] = report;
}

}  // namespace kronroot::cuda
