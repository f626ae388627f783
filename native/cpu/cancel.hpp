// The flag that cancels a call (kr_call::cancel).
#pragma once

#include <cstdint>

namespace kronroot::cpu {

// Set by any thread at any time; may be null. Ops poll it between matrices (batch_loop.hpp) and between iterations, and
// answer KR_STATUS_CANCELLED for a matrix they left unfinished.
inline bool is_cancelled(const int32_t* flag) {
  return flag != nullptr && __atomic_load_n(flag, __ATOMIC_ACQUIRE) != 0;
}

}  // namespace kronroot::cpu
