#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code qr(const kr_call* call, const kr_qr_options*, const kr_batch*, const kr_batch*, const kr_batch*, kr_report*) {
  return fail(call, KR_NOT_COMPILED, "qr: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
