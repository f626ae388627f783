// atom.add and atom.max, relaxed; the result is the value before.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "global.hpp"
#include "shared.hpp"

namespace kronroot::cuda {

// Blocks run on several threads of the host.
template <typename T>
inline T atomic_add(Global<T> to, int64_t i, T value) {
  T* const at = &to[i];
  if constexpr (std::is_integral_v<T>) {
    return __atomic_fetch_add(at, value, __ATOMIC_RELAXED);
  } else {
    T before, after;
    __atomic_load(at, &before, __ATOMIC_RELAXED);
    do {
      after = before + value;
    } while (!__atomic_compare_exchange(at, &before, &after, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return before;
  }
}
template <typename T>
inline T atomic_max(Global<T> to, int64_t i, T value) {
  static_assert(std::is_integral_v<T>);
  T* const at = &to[i];
  T before = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (before < value && !__atomic_compare_exchange_n(at, &before, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return before;
}
template <typename T>
inline T atomic_add(Shared<T> to, int i, T value) {
  T before;
  unsigned char* const at = to.to_update(i);
  std::memcpy(&before, at, sizeof before);
  const T after = static_cast<T>(before + value);
  std::memcpy(at, &after, sizeof after);
  return before;
}
template <typename T>
inline T atomic_max(Shared<T> to, int i, T value) {
  static_assert(std::is_integral_v<T>);
  T before;
  unsigned char* const at = to.to_update(i);
  std::memcpy(&before, at, sizeof before);
  if (before < value) std::memcpy(at, &value, sizeof value);
  return before;
}

}  // namespace kronroot::cuda
