#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code mode_product(const kr_call* call, const kr_mode_product_options*, const kr_batch*, const kr_batch* const*,
                     const kr_batch*) {
  return fail(call, KR_NOT_COMPILED, "mode_product: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
