#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code spd_inverse(const kr_call* call, const kr_spd_inverse_options*, const kr_batch*, const kr_batch*, kr_report*) {
  return fail(call, KR_NOT_COMPILED, "spd_inverse: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
