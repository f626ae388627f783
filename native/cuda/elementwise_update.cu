#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code elementwise_update(const kr_call* call, const kr_elementwise_update_options*, const kr_update_array*, int64_t,
                           int32_t*) {
  return fail(call, KR_NOT_COMPILED, "elementwise_update: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
