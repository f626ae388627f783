// Loads and stores of several elements by one instruction: ld.v2, ld.v4, st.v2, st.v4.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "global.hpp"
#include "shared.hpp"

namespace kronroot::cuda {

// N elements; their place is aligned to their size.
template <typename T, int N>
struct alignas(sizeof(T) * N) Vector {
  T values[N];
  T& operator[](int i) { return values[i]; }
  const T& operator[](int i) const { return values[i]; }
};

template <int N, typename T>
inline Vector<std::remove_const_t<T>, N> load_vector(Global<T> from, int64_t i) {
  Vector<std::remove_const_t<T>, N> value;
  std::memcpy(&value, from.span(i, N, sizeof value), sizeof value);
  return value;
}
template <int N, typename T>
inline void store_vector(Global<T> to, int64_t i, const Vector<T, N>& value) {
  std::memcpy(to.span(i, N, sizeof value), &value, sizeof value);
}
template <int N, typename T>
inline Vector<T, N> load_vector(Shared<T> from, int i) {
  Vector<T, N> value;
  std::memcpy(&value, from.to_read(i, N, sizeof value), sizeof value);
  return value;
}
template <int N, typename T>
inline void store_vector(Shared<T> to, int i, const Vector<T, N>& value) {
  std::memcpy(to.to_write(i, N, sizeof value), &value, sizeof value);
}

}  // namespace kronroot::cuda
