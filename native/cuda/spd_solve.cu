#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code spd_solve(const kr_call* call, const kr_spd_solve_options*, const kr_batch*, const kr_batch*, const kr_batch*,
                  kr_report*) {
  return fail(call, KR_NOT_COMPILED, "spd_solve: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
