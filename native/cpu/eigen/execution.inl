// What stops a long kernel and where else it may run (Execution), for code that is compiled per instruction set.
#pragma once

#include "../kernels.hpp"

namespace kronroot::cpu {
namespace {
namespace eigen {

// cancel.hpp with internal linkage. Polled once a row, a sweep and a block: often enough for a large matrix to stop
// within milliseconds.
inline bool is_cancelled(const int32_t* flag) {
  return flag != nullptr && __atomic_load_n(flag, __ATOMIC_ACQUIRE) != 0;
}

// Problems of this order and above are worth the waking of other threads.
constexpr int64_t kWorthSharing = 256;

// part(0) .. part(parts - 1), parts <= execution.threads, at once where threads are free.
template <typename F>
void run_parts(const Execution& execution, int64_t parts, F part) {
  if (parts == 1) {
    part(0);
  } else {
    execution.run(parts, &part, [](void* object, int64_t index) { (*static_cast<F*>(object))(index); });
  }
}

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
