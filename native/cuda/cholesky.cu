#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code cholesky(const kr_call* call, const kr_cholesky_options*, const kr_batch*, const kr_batch*, kr_report*) {
  return fail(call, KR_NOT_COMPILED, "cholesky: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
