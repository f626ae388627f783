#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code triangular_solve(const kr_call* call, const kr_triangular_solve_options*, const kr_batch*, const kr_batch*,
                         const kr_batch*, kr_report*) {
  return fail(call, KR_NOT_COMPILED, "triangular_solve: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
