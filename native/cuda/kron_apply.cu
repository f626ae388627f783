#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code kron_apply(const kr_call* call, const kr_kron_apply_options*, const kr_batch*, const kr_batch*, const kr_batch*,
                   const kr_batch*) {
  return fail(call, KR_NOT_COMPILED, "kron_apply: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
