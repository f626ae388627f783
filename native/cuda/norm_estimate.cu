#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code norm_estimate(const kr_call* call, const kr_norm_estimate_options*, const kr_batch*, const kr_batch*,
                      kr_report*) {
  return fail(call, KR_NOT_COMPILED, "norm_estimate: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
