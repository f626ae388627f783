#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code reduce(const kr_call* call, const kr_reduce_options*, const kr_reduce_array*, int64_t, double*) {
  return fail(call, KR_NOT_COMPILED, "reduce: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
