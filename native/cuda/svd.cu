#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code svd(const kr_call* call, const kr_svd_options*, const kr_batch*, const kr_batch*, const kr_batch*,
            const kr_batch*, kr_report*) {
  return fail(call, KR_NOT_COMPILED, "svd: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
