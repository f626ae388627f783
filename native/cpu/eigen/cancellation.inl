// cancel.hpp for code that is compiled per instruction set: with internal linkage.
#pragma once

namespace kronroot::cpu {
namespace {
namespace eigen {

// Polled once a row, a sweep and a block: often enough for a large matrix to stop within milliseconds.
inline bool is_cancelled(const int32_t* flag) {
  return flag != nullptr && __atomic_load_n(flag, __ATOMIC_ACQUIRE) != 0;
}

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
