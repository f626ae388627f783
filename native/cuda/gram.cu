#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::cuda {

kr_code gram(const kr_call* call, const kr_gram_options*, const kr_batch*, const kr_batch*) {
  return fail(call, KR_NOT_COMPILED, "gram: the CUDA backend does not have this op yet");
}

}  // namespace kronroot::cuda
